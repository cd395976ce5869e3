"""JSON lines to and from Python values: by orjson where it is installed, else by `json`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from itertools import repeat
from typing import Any

try:
    import orjson
except ImportError:  # It has no wheels for free-threaded Python.
    orjson = None  # type: ignore[assignment]

__all__ = ["dump_line", "dump_lines", "load_lines", "loads"]

if orjson is not None:
    loads = orjson.loads

    def dump_line(value: object) -> bytes:
        """Write a value as a line of JSON, with LF.

        Raises:
            TypeError: the value is not of a kind that JSON knows, or it is not valid.
        """
        return orjson.dumps(value, None, orjson.OPT_APPEND_NEWLINE)

    def dump_lines(values: Iterable[object], file: io.BytesIO) -> None:
        """Append each value to a file as a line of JSON; an error leaves those before it there.

        Raises:
            TypeError: a value is not of a kind that JSON knows, or it is not valid.
        """
        # What orjson returns is best dropped at once: keeping many of its buffers, each cut
        # to size, costs malloc more than orjson needs for its work.
        dumped = map(orjson.dumps, values, repeat(None), repeat(orjson.OPT_APPEND_NEWLINE))
        file.writelines(dumped)

else:
    loads = json.loads
    _encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

    def dump_line(value: object) -> bytes:
        """Write a value as a line of JSON, with LF.

        Raises:
            TypeError: the value is not of a kind that JSON knows.
            ValueError: the value is not valid.
        """
        return (_encode(value) + "\n").encode()

    def dump_lines(values: Iterable[object], file: io.BytesIO) -> None:
        """Append each value to a file as a line of JSON; an error leaves those before it there.

        Raises:
            TypeError: a value is not of a kind that JSON knows.
            ValueError: a value is not valid.
        """
        file.writelines(map(dump_line, values))


def load_lines(lines: bytes) -> list[Any]:
    """Read lines of JSON, each ended by LF and none of them blank.

    Raises:
        ValueError: a line is not JSON; the message shows it.
    """
    try:
        # A string cannot hold a bare LF, so this is an array. One call for many lines takes
        # two thirds of the time.
        values: list[Any] = loads(b"[%b]" % lines[:-1].replace(b"\n", b","))
    except ValueError:
        for line in lines.splitlines():
            try:
                loads(line)
            except ValueError as error:
                raise ValueError(f"not a line of JSON: {line[:200]!r}: {error}") from None
        raise
    return values
