"""A response with frames, taken apart into results and control lines."""

from __future__ import annotations

import json
import re
from collections import deque
from operator import index, lt
from typing import Any, NotRequired, TypedDict

from xxhash import xxh3_64

from forstcore.errors import StreamFailedError

__all__ = ["ErrorLine", "FrameReader", "Summary"]

# Of all ways to look for two bytes this is the fastest, by half.
_find_control = re.compile(rb"\n[:]").search


class ErrorLine(bytes):
    """The error line of an input line, by what the server says of it, not by how it looks."""

    def members(self) -> dict[str, Any]:
        """Read the members of an `ErrorRecord`.

        Raises:
            StreamFailedError: the server has sent something else.
        """
        try:
            error: dict[str, Any] = json.loads(self)
            if isinstance(error["code"], str) and isinstance(error["message"], str):
                return {**error, "line": index(error["line"]), "offset": index(error["offset"])}
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        raise _broken(f"an error line cannot be read: {self[:200]!r}")


class Summary(TypedDict):
    """What the server says at the end of a stream.

    Attributes:
        lines: input lines, blank ones included.
        records: lines that were valid records.
        errors: lines that were neither blank nor a record.
        results: result lines.
        bytes_in, bytes_out: bytes before and after processing.
        digest: ``xxh3:`` and 16 hexadecimal digits over all result lines.
        errors_by_code: how many lines were rejected for which reason; there only if no line
            was a record.
    """

    lines: int
    records: int
    errors: int
    results: int
    bytes_in: int
    bytes_out: int
    digest: str
    errors_by_code: NotRequired[dict[str, int]]


class FrameReader:
    """Read the response of one connection.

    Args:
        hold: whether to keep results back until an acknowledgement stands behind them.

    Attributes:
        acked: input lines of this connection that are acknowledged.
        summary: what `:end` said, None before it.
        error: what `:error` said, None without it.
        offset: where a live stream goes on behind what is acknowledged, empty if unknown.
        missed: what `:missed` said, each time.
        marks: after each `feed` with `hold`, how many of its pieces each acknowledgement covers,
            the lines acknowledged by it, and the offset behind them.
    """

    def __init__(self, *, hold: bool) -> None:
        self.acked = 0
        self.summary: Summary | None = None
        self.error: StreamFailedError | None = None
        self.offset = ""
        self.missed: list[str] = []
        self.marks: list[tuple[int, int, str]] = []
        self._next_offset = ""
        self._places: deque[int] = deque()  # of error lines behind the last `:rejected`
        self._passed = 0  # lines behind it so far
        self._hold = hold
        self._held: list[bytes] = []
        self._ready: list[bytes] = []
        self._tail: list[bytes] = []
        self._digest = xxh3_64()
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was received; return pieces of whole result lines that may be handed out.

        An error line is a piece of its own, an `ErrorLine`.

        Raises:
            StreamFailedError: the response is not what the wire contract allows, or what
                arrived is not what the server sent.
        """
        self.marks.clear()
        end = data.rfind(b"\n") + 1
        if not end:
            self._tail.append(data)
            return []
        start = 0
        if self._tail:
            # Alone, so that what follows need not be copied.
            start = data.index(b"\n") + 1
            first = b"".join([*self._tail, data[:start]])
            self._tail.clear()
            self._split(first, 0, len(first))
        self._split(data, start, end)
        if end < len(data):
            self._tail.append(data[end:])
        if not self._hold:
            self._release()
        ready, self._ready = self._ready, []
        return ready

    def _split(self, data: bytes, start: int, end: int) -> None:
        """Take whole lines apart."""
        if data.startswith(b":", start, end):
            start = self._control(data, start)
        while found := _find_control(data, max(0, start - 1), end):
            at = found.end() - 1
            self._results(data[start:at])
            start = self._control(data, at)
        self._results(data[start:end])

    def _results(self, results: bytes) -> None:
        if not results:
            return
        if self.summary or self.error:
            raise _broken(f"there is more behind the end of the stream: {results[:80]!r}")
        self._digest.update(results)
        self._size += len(results)
        if self._places:
            self._held += self._apart(results)
        else:
            self._held.append(results)

    def _apart(self, results: bytes) -> list[bytes]:
        """Take the error lines apart that `:rejected` has announced."""
        lines = results.split(b"\n")
        lines.pop()
        pieces: list[bytes] = []
        start = 0
        while self._places and self._places[0] <= self._passed + len(lines):
            at = self._places.popleft() - self._passed - 1
            if start < at:
                pieces.append(b"\n".join([*lines[start:at], b""]))
            pieces.append(ErrorLine(lines[at] + b"\n"))
            start = at + 1
        if start < len(lines):
            pieces.append(b"\n".join([*lines[start:], b""]))
        self._passed += len(lines)
        return pieces

    def _control(self, data: bytes, start: int) -> int:
        """Read the control line that starts there; return where the next line does."""
        end = data.index(b"\n", start)
        line = data[start:end]
        kind, _, text = line.partition(b" ")
        try:
            if kind == b":ack":
                self._ack(int(text))
            elif kind == b":rejected":
                self._reject([int(number) for number in text.split()])
            elif kind == b":offset":
                self._next_offset = text.decode()
            elif kind == b":missed":
                self.missed.append(text.decode())
            elif kind == b":end":
                self._end(json.loads(text))
            elif kind == b":error":
                problem = json.loads(text)
                code, detail = problem["code"], problem["detail"]
                self.error = StreamFailedError(
                    code, detail, retriable=code in ("draining", "timeout", "overloaded")
                )
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _broken(f"a control line cannot be read: {line[:200]!r}") from None
        return end + 1

    def _ack(self, lines: int) -> None:
        if lines < self.acked:
            raise _broken(f"{lines} lines are acknowledged after {self.acked}")
        self.acked = lines
        self.offset = self._next_offset
        self._release()
        if self._hold:
            if self.marks and self.marks[-1][0] == len(self._ready):
                # Nothing came between the two.
                self.marks.pop()
            self.marks.append((len(self._ready), lines, self.offset))

    def _reject(self, places: list[int]) -> None:
        if self._places or not all(map(lt, [0, *places], places)):
            raise ValueError
        self._places.extend(places)
        self._passed = 0

    def _end(self, summary: Summary) -> None:
        if self._places:
            raise _broken("lines are missing that :rejected has announced")
        digest = f"xxh3:{self._digest.hexdigest()}"
        if (summary["digest"], summary["bytes_out"]) != (digest, self._size):
            raise StreamFailedError(
                "corrupt",
                f"{self._size} bytes of results with digest {digest} arrived; "
                f"{summary['bytes_out']} with {summary['digest']} were sent",
            )
        self._ack(index(summary["lines"]))
        self.summary = summary

    def _release(self) -> None:
        self._ready += self._held
        self._held.clear()


def _broken(detail: str) -> StreamFailedError:
    return StreamFailedError("protocol", detail)
