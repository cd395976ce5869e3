"""Locating errors in a row of CSV, which the csv module does not do."""

from __future__ import annotations

from typing import Final

__all__ = ["place_after_field", "place_of_quote", "place_of_undecodable"]

_QUOTE: Final = b'"'


def place_of_quote(row: bytes, delimiter: bytes) -> int:
    """Return the offset of the first byte after a closing quote that is not allowed there.

    If there is none, return that of the unclosed quote; otherwise the end of the row.
    """
    _, wrong = _fields(row, delimiter)
    return len(row) if wrong is None else wrong


def place_after_field(row: bytes, delimiter: bytes, count: int) -> int:
    """Return where the first field after `count` fields starts, or the end of a shorter row."""
    starts, _ = _fields(row, delimiter)
    return starts[count] if len(starts) > count else len(row)


def place_of_undecodable(row: bytes) -> int:
    """Return the offset of the first byte that is not UTF-8."""
    try:
        row.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _fields(row: bytes, delimiter: bytes) -> tuple[list[int], int | None]:
    """Return where fields start, and where the quotes are wrong, None if they are not."""
    starts = [0]
    at = 0
    while True:
        if row[at : at + 1] == _QUOTE:
            opening = at
            at += 1
            while (at := row.find(_QUOTE, at)) >= 0 and row[at + 1 : at + 2] == _QUOTE:
                at += 2
            if at < 0:
                return starts, opening
            at += 1
            if row[at : at + 1] not in (b"", b"\r", b"\n", delimiter):
                return starts, at
        at = row.find(delimiter, at)
        if at < 0:
            return starts, None
        at += 1
        starts.append(at)
