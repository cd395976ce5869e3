"""The format of an error file: one JSON line for each rejected line."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from forstcore._core.rejected import RejectedLine

__all__ = ["SINK_REFUSED", "ErrorFileEntry", "entry_of", "format_entry", "parse_entry"]

SINK_REFUSED = "sink_refused"
"""The code of an entry whose line is a result, which a sink refused, instead of a record."""


# Of a string; for a dict it would create an encoder on each call.
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class ErrorFileEntry:
    """A rejected line, and where it came from.

    Attributes:
        file: the input file, ``-`` for standard input.
        line: its number in that file, counted from 1.
        offset: the byte in the line where the error is, counted from 0.
        code, message: the reason.
        raw: the line, without LF.
        is_cut: whether `raw` is only the start of the line.
    """

    file: str
    line: int
    offset: int
    code: str
    message: str
    raw: bytes
    is_cut: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.offset}: {self.message} ({self.code})"


def entry_of(file: str, line: int, rejected: RejectedLine) -> ErrorFileEntry:
    """Return the entry of a rejected line, given its file and its number there."""
    is_cut = rejected.code == "line_too_long"
    return ErrorFileEntry(
        file, line, rejected.offset, rejected.code, rejected.message, rejected.raw, is_cut
    )


def format_entry(entry: ErrorFileEntry, **more: str) -> bytes:
    """Format an entry as a line of an error file; `more` are additional members."""
    members = [f"{_encode(name)}:{_encode(value)}," for name, value in more.items()]
    members.append(
        f'"file":{_encode(entry.file)},"line":{entry.line},"offset":{entry.offset},'
        f'"code":{_encode(entry.code)},"message":{_encode(entry.message)},'
    )
    try:
        members.append(f'"raw":{_encode(entry.raw.decode())}')
    except UnicodeDecodeError:
        members.append(f'"raw_base64":"{base64.b64encode(entry.raw).decode()}"')
    if entry.is_cut:
        members.append(',"cut":true')
    # Bytes of a file name that are not UTF-8 become JSON escapes.
    return f"{{{''.join(members)}}}\n".encode(errors="backslashreplace")


def parse_entry(line: bytes) -> ErrorFileEntry:
    """Parse a line of an error file.

    Raises:
        ValueError: it is not a line of an error file.
    """
    try:
        members = json.loads(line)
        if not isinstance(members, dict):
            raise ValueError("it is no object")
        raw = members.get("raw")
        data = base64.b64decode(members["raw_base64"]) if raw is None else raw.encode()
        if b"\n" in data:
            raise ValueError("raw holds several lines")
        return ErrorFileEntry(
            str(members["file"]),
            _number(members["line"]),
            _number(members["offset"]),
            str(members["code"]),
            str(members["message"]),
            data,
            bool(members.get("cut")),
        )
    except KeyError as error:
        raise ValueError(f"not a line of an error file: it has no member {error.args[0]}") from None
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a line of an error file: {error}") from None


def _number(value: object) -> int:
    if isinstance(value, int) and 0 <= value < 1 << 63:
        return value
    raise ValueError(f"{value!r:.40} is not the number of a line or byte")
