"""The lines of an error file: what is written of a line that gave an error, and read again."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from forstcore._core.rejected import RejectedLine

__all__ = ["Rejected", "reject_of", "rejected_in", "write_reject"]


# Once for all: `json.dumps` would make one for each line.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True)
class Rejected:
    """A line that gave an error.

    Attributes:
        file: the input file, ``-`` for standard input.
        line: its number in that file, counted from 1.
        offset: the byte in the line where the error is, counted from 0.
        code, message: what is wrong.
        raw: the line, without LF.
        is_cut: whether the line was longer than that.
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


def rejected_in(file: str, line: int, found: RejectedLine) -> Rejected:
    """Say of a rejected line which file it came from, and its number there."""
    is_cut = found.code == "line_too_long"
    return Rejected(file, line, found.offset, found.code, found.message, found.raw, is_cut)


def write_reject(rejected: Rejected, **more: object) -> bytes:
    """Write a line of an error file; `more` are members that help people."""
    members: dict[str, object] = {
        **more,
        "file": rejected.file,
        "line": rejected.line,
        "offset": rejected.offset,
        "code": rejected.code,
        "message": rejected.message,
    }
    try:
        members["raw"] = rejected.raw.decode()
    except UnicodeDecodeError:
        members["raw_base64"] = base64.b64encode(rejected.raw).decode()
    if rejected.is_cut:
        members["cut"] = True
    # Bytes of a file name that are not UTF-8 become JSON escapes.
    return _encode(members).encode(errors="backslashreplace") + b"\n"


def reject_of(line: bytes) -> Rejected:
    """Read a line of an error file.

    Raises:
        ValueError: it is none.
    """
    try:
        members = json.loads(line)
        raw = members.get("raw")
        data = base64.b64decode(members["raw_base64"]) if raw is None else raw.encode()
        if b"\n" in data:
            raise ValueError("raw holds several lines")
        return Rejected(
            str(members["file"]),
            _number(members["line"]),
            _number(members["offset"]),
            str(members["code"]),
            str(members["message"]),
            data,
            bool(members.get("cut")),
        )
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a line of an error file: {error!r}") from None


def _number(value: object) -> int:
    if isinstance(value, int) and 0 <= value < 1 << 63:
        return value
    raise ValueError(f"{value!r:.40} is not the number of a line or byte")
