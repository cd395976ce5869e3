"""Lines that gave an error: found among the results, told or written down."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Rejected", "Rejects", "reject_of", "write_reject"]

_START = b'{"status":"error","line":'
_MEMBERS = ["status", "line", "offset", "code", "message"]


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


class Rejects:
    """Take the error lines out of results.

    Args:
        on_each: is given each, in order: the members of its error line.
        keep: whether they stay among the results, too.

    Attributes:
        codes: how many there were of each code.
    """

    def __init__(self, on_each: Callable[[dict[str, Any]], None], *, keep: bool) -> None:
        self.codes: Counter[str] = Counter()
        self._on_each = on_each
        self._keep = keep

    def take(self, results: bytes) -> bytes:
        """Look through whole lines; return those that are to stay."""
        if not (results.startswith(_START) or b"\n" + _START in results):
            return results
        kept: list[bytes] = []
        at = 0
        for start, end, error in _errors(results):
            self.codes[error["code"]] += 1
            self._on_each(error)
            if not self._keep:
                kept.append(results[at:start])
                at = end
        return b"".join([*kept, results[at:]])


def _errors(results: bytes) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield each error line: where it starts, where it ends, its members."""
    start = 0 if results.startswith(_START) else results.find(b"\n" + _START) + 1
    while start or results.startswith(_START, start):
        end = results.index(b"\n", start) + 1
        members = json.loads(results[start:end])
        # A processor may give results that look nearly like it.
        if list(members) == _MEMBERS and isinstance(members["code"], str):
            yield start, end, members
        start = results.find(b"\n" + _START, end - 1) + 1
        if not start:
            return


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
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False)
    # Bytes of a file's name that are not UTF-8 become escapes of JSON.
    return text.encode(errors="backslashreplace") + b"\n"


def reject_of(line: bytes) -> Rejected:
    """Read a line of an error file.

    Raises:
        ValueError: it is none.
    """
    try:
        members = json.loads(line)
        raw = members.get("raw")
        data = base64.b64decode(members["raw_base64"]) if raw is None else raw.encode()
        return Rejected(
            str(members["file"]),
            int(members["line"]),
            int(members["offset"]),
            str(members["code"]),
            str(members["message"]),
            data,
            bool(members.get("cut")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a line of an error file: {error!r}") from None
