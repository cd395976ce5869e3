"""Writing results as CSV or TSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from forstcore._io.json_lines import dump_line
from forstcore.formats import ResultFormatError
from forstcore.formats._results import loaded

__all__ = ["CsvWriter"]

_SAMPLE: Final = 1 << 20  # Bytes of results whose members become the columns.
_FROM: Final = f"the type of the results, or the first {_SAMPLE >> 20} MiB of them"
_needs_quotes = re.compile(r'["\r\n\t,]|\A\s|\s\Z|\A\ufeff').search


class CsvWriter:
    """Write results as CSV: a line of names, and a row for each result.

    The columns are the members of the results in the first MiB, in the order in which they first
    appear, unless they are given. A later result with another member is an error. Null and
    missing members are empty fields, an empty string is ``""``; objects and arrays are JSON.

    Args:
        write: writes bytes to the file.
        name: the name of the file, for messages.
        delimiter: a comma or a tab.
        columns: the names of the columns, if they are known.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        name: str,
        delimiter: str = ",",
        columns: Sequence[str] | None = None,
    ) -> None:
        self._write = write
        self._name = name
        self._delimiter = delimiter
        self._places: dict[str, int] | None = None
        self._results = 0
        self._held: list[bytes] = []
        self._held_size = 0
        if columns is not None:
            self._begin(columns)

    def write(self, lines: bytes) -> None:
        if not lines:
            return
        if self._places is not None:
            self._write_rows(lines, self._places)
            return
        self._held.append(lines)
        self._held_size += len(lines)
        if self._held_size >= _SAMPLE:
            self._write_held()

    def finish(self) -> None:
        if self._held:
            self._write_held()

    def close(self) -> None:
        pass

    def _write_held(self) -> None:
        lines = b"".join(self._held)
        self._held.clear()
        # Cut at a line rather than at a chunk, so that the columns do not depend on the chunks.
        end = lines.find(b"\n", _SAMPLE - 1) + 1 or len(lines)
        names: dict[str, None] = {}
        for result in loaded(lines[:end], self._name, 0):
            names.update(dict.fromkeys(result))
        self._write_rows(lines, self._begin(names))

    def _begin(self, columns: Iterable[str]) -> dict[str, int]:
        self._places = {name: place for place, name in enumerate(columns)}
        self._write(self._row([_field(name) for name in self._places]))
        return self._places

    def _write_rows(self, lines: bytes, places: dict[str, int]) -> None:
        rows = []
        for result in loaded(lines, self._name, self._results):
            self._results += 1
            fields = [""] * len(places)
            for name, value in result.items():
                if (place := places.get(name)) is None:
                    why = f"member {name!r} has no column (by {_FROM})"
                    raise ResultFormatError(self._name, self._results, why)
                fields[place] = _field(value)
            rows.append(self._row(fields))
        self._write(b"".join(rows))

    def _row(self, fields: list[str]) -> bytes:
        # Readers would skip an empty line.
        text = self._delimiter.join(fields) or '""'
        return f"{text}\n".encode()


def _field(value: Any) -> str:
    kind = type(value)
    if value is None:
        return ""
    if kind is int or kind is float:
        return repr(value)
    text = value if kind is str else dump_line(value)[:-1].decode()
    if text and _needs_quotes(text) is None:
        return str(text)
    return '"' + text.replace('"', '""') + '"'
