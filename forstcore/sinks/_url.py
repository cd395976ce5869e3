"""The URL of a sink."""

from __future__ import annotations

import re
from typing import TypeVar

from forstcore.errors import SinkError
from forstcore.sources import SourceUrl

__all__ = ["SinkUrl"]

T = TypeVar("T", bound=str)

_SIZE = re.compile(r"(\d{1,15}) ?([kKMGT]?)(i?)B?")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}


class SinkUrl(SourceUrl):
    """The URL of one sink, which raises `SinkError` where that of a source raises `SourceError`."""

    error = SinkError

    def take_rest(self) -> dict[str, str]:
        """Return all unused options, and mark them as used."""
        rest, self._options = self._options, {}
        return rest

    def take_size(self, option: str, default: int) -> int:
        """Return the value of an option in bytes, such as ``65536``, ``100MB`` or ``64MiB``.

        Raises:
            SinkError: it is not a size above 0.
        """
        if option not in self._options:
            return default
        text = self.take(option)
        found = _SIZE.fullmatch(text)
        size = 0
        if found is not None:
            number, unit, binary = found.groups()
            power = _POWERS["k" if unit == "K" else unit]
            size = int(number) * (1024 if binary else 1000) ** power
        if size < 1:
            raise SinkError(
                self.name, f"has {option}={text}, which must be a size such as 65536 or 64MiB"
            )
        return size

    def take_one_of(self, option: str, choices: tuple[T, ...], default: T) -> T:
        """Return the value of an option that has a fixed set of values.

        Raises:
            SinkError: it has another value.
        """
        text = self.take(option, default)
        for choice in choices:
            if text == choice:
                return choice
        raise SinkError(
            self.name, f"has {option}={text}, which must be one of {', '.join(choices)}"
        )
