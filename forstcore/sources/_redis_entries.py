"""Entries of a Redis Stream: how many to ask for at once, and the lines that they become."""

from __future__ import annotations

import json
import logging
from typing import Any, TypeAlias

from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

from forstcore.errors import SourceError
from forstcore.sources import Batch, Notice
from forstcore.sources._broker import BrokerLog, BrokerReader
from forstcore.sources._resp import Cut

__all__ = ["Entries", "Pace", "RedisReader", "text_of"]

Entries: TypeAlias = list[tuple[bytes | None, dict[bytes, bytes] | None]]

_FIRST = 16  # Entries that are asked for at first,
_MOST = 500  # and at most.
_ANSWER = 1 << 20  # Bytes that an answer is meant to have.
_TEXTS = (b"data", b"json")  # Fields whose text is the record, if they are alone.


class Pace:
    """How many entries to ask for, by the size of the last ones.

    Args:
        most: the most that are asked for.

    Attributes:
        count: that number.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self.count = min(_FIRST, most)

    def whole(self, entries: Entries) -> Entries:
        """Return the entries that came whole; the first one alone if that is too large itself."""
        if not _is_cut(entries[-1]):
            return entries
        # Everything behind a string that was cut is cut as well.
        first = next(place for place, entry in enumerate(entries) if _is_cut(entry))
        self.count = 1
        return entries[: max(1, first)]

    def took(self, largest: int) -> None:
        """Note the size of the largest of the last entries."""
        self.count = max(1, min(self._most, 2 * self.count, _ANSWER // max(1, largest)))


class RedisReader(BrokerReader):
    """A reader of a stream.

    Args:
        name, log: as for `BrokerReader`.
        max_line_size: bytes of the longest line.
    """

    passing = (
        ConnectionError,
        TimeoutError,
        OSError,
        ReadOnlyError,
        MasterDownError,
        ClusterDownError,
    )

    def __init__(self, name: str, log: BrokerLog, max_line_size: int) -> None:
        super().__init__(name, log)
        self._limit = max_line_size

    async def read(self) -> Batch | Notice:
        try:
            return await super().read()
        except RedisError as error:
            raise SourceError(self._name, f"cannot be read: {error}") from None

    def lines_of(self, entries: Entries, pace: Pace) -> bytes:
        """Make a line of each entry that is still there."""
        lines = [_line(fields, self._limit) for _, fields in entries if fields]
        if not lines:
            return b""
        largest = max(map(len, lines))
        pace.took(largest)
        if largest > self._limit + 1:
            self._tell_too_long(entries)
        return b"".join(lines)

    def _tell_too_long(self, entries: Entries) -> None:
        for entry_id, fields in entries:
            if fields and len(_line(fields, self._limit)) > self._limit + 1:
                self._log.write(
                    logging.WARNING,
                    f"entry {text_of(entry_id)} is longer than {self._limit} bytes "
                    "(max_line_size): it is told as line_too_long",
                )


def text_of(value: Any) -> str:
    """Return text that Redis gave as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _is_cut(entry: tuple[bytes | None, dict[bytes, bytes] | None]) -> bool:
    entry_id, fields = entry
    if type(entry_id) is Cut:
        return True
    # A name that was cut has a value that is cut as well.
    return any(type(value) is Cut for value in (fields or {}).values())


def _line(fields: dict[bytes, bytes], limit: int) -> bytes:
    """Write an entry as a line of JSON, LF included; of one that is too long only the start."""
    if len(fields) == 1:
        ((name, text),) = fields.items()
        if name in _TEXTS and text.lstrip()[:1] == b"{":
            # In JSON a line end stands between tokens alone, as any white space.
            return text[: limit + 1].replace(b"\n", b" ") + b"\n"
    record = {
        name.decode(errors="replace"): text.decode(errors="replace")
        for name, text in fields.items()
    }
    return json.dumps(record, ensure_ascii=False).encode()[: limit + 1] + b"\n"
