"""Splits a response with frames into results and control lines."""

from __future__ import annotations

import json
import re
from collections import deque
from operator import index, lt
from typing import Any, NotRequired, TypedDict

from forstcore import wire
from forstcore._io.digest import digest_text, new_digest
from forstcore._plural import plural
from forstcore.errors import StreamFailedError

__all__ = ["ErrorLine", "FrameReader", "Summary", "without_blank_lines"]

# The fastest way to search for two bytes; others take twice as long.
_find_control = re.compile(rb"\n[:]").search


class ErrorLine(bytes):
    """A result line that the server announced as an error line, whatever its content looks like."""

    def members(self) -> dict[str, Any]:
        """Parse the members of an `ErrorRecord`.

        Raises:
            StreamFailedError: the line is not an error line.
        """
        try:
            error: dict[str, Any] = json.loads(self)
            if isinstance(error["code"], str) and isinstance(error["message"], str):
                return {**error, "line": index(error["line"]), "offset": index(error["offset"])}
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        raise _broken(f"an error line is malformed: {self[:200]!r}")


class Summary(TypedDict):
    """The server's summary at the end of a stream.

    Attributes:
        lines: input lines, blank ones included.
        records: lines that were valid records.
        errors: lines that were neither blank nor a record.
        results: result lines.
        bytes_in, bytes_out: bytes before and after processing.
        digest: the digest of all result lines, as text.
        filtered: records that did not match the filter; present only if there were any.
        given_back: records that a compiled processor gave back to its Python function; present
            only if there were any.
        errors_by_code: how many lines were rejected for each reason; present only if no line
            was a record.
    """

    lines: int
    records: int
    errors: int
    results: int
    bytes_in: int
    bytes_out: int
    digest: str
    filtered: NotRequired[int]
    given_back: NotRequired[int]
    errors_by_code: NotRequired[dict[str, int]]


class FrameReader:
    """Read the response of one connection.

    Args:
        hold: whether to hold results back until they are acknowledged.

    Attributes:
        acked: input lines of this connection that are acknowledged.
        summary: the content of `:end`, None before it.
        error: the content of `:error`, None without it.
        has_frames: whether there was a control line so far.
        missed: the content of each `:missed` so far.
        marks: after each `feed` with `hold`, for each acknowledgement: how many of the returned
            pieces it covers, the lines acknowledged so far, and the offset after them, empty if
            the stream has none.
    """

    def __init__(self, *, hold: bool) -> None:
        self.acked = 0
        self.summary: Summary | None = None
        self.error: StreamFailedError | None = None
        self.has_frames = False
        self.missed: list[str] = []
        self.marks: list[tuple[int, int, str]] = []
        self._offset = ""
        self._rejected: deque[int] = deque()  # positions of error lines after the last `:rejected`
        self._passed = 0  # lines after it so far
        self._hold = hold
        self._held: list[bytes] = []
        self._ready: list[bytes] = []
        self._tail: list[bytes] = []
        self._digest = new_digest()
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take received data; return pieces of whole result lines that may be handed out.

        An error line is a piece of its own, an `ErrorLine`.

        Raises:
            StreamFailedError: the response violates the wire contract, or is not what the server
                sent.
        """
        self.marks.clear()
        end = data.rfind(b"\n") + 1
        if not end:
            self._tail.append(data)
            return []
        start = 0
        if self._tail:
            # Separately, so that the rest need not be copied.
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

    def rest(self) -> bytes:
        """Return the last line of a response without frames that does not end with an LF."""
        return b"".join(self._tail)

    def _split(self, data: bytes, start: int, end: int) -> None:
        """Split whole lines into results and control lines."""
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
            raise _broken(f"results follow the end of the stream: {results[:80]!r}")
        self._digest.update(results)
        self._size += len(results)
        if self._rejected:
            self._held += self._separate_errors(results)
        else:
            self._held.append(results)

    def _separate_errors(self, results: bytes) -> list[bytes]:
        """Make a piece of each error line that `:rejected` has announced."""
        lines = results.split(b"\n")
        lines.pop()
        passed, rejected = self._passed, self._rejected
        self._passed += len(lines)
        pieces: list[bytes] = []
        start = 0
        while rejected and rejected[0] <= self._passed:
            at = rejected.popleft() - passed - 1
            if start < at:
                pieces.append(b"\n".join([*lines[start:at], b""]))
            pieces.append(ErrorLine(lines[at] + b"\n"))
            start = at + 1
        if start < len(lines):
            pieces.append(b"\n".join([*lines[start:], b""]))
        return pieces

    def _control(self, data: bytes, start: int) -> int:
        """Read the control line at `start`; return where the next line starts."""
        end = data.index(b"\n", start)
        line = data[start:end]
        kind, _, text = line.partition(b" ")
        self.has_frames = self.has_frames or kind in wire.CONTROL_LINES
        try:
            if kind == wire.ACK:
                self._ack(int(text))
            elif kind == wire.REJECTED:
                self._reject(list(map(int, text.split())))
            elif kind == wire.OFFSET:
                self._offset = text.decode()
            elif kind == wire.MISSED:
                self.missed.append(text.decode())
            elif kind == wire.END:
                self._end(json.loads(text))
            elif kind == wire.ERROR:
                problem = json.loads(text)
                code, detail = problem["code"], problem["detail"]
                self.error = StreamFailedError(code, detail, retriable=code in wire.RETRIABLE_CODES)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _broken(f"a control line is malformed: {line[:200]!r}") from None
        return end + 1

    def _ack(self, lines: int) -> None:
        if lines < self.acked:
            raise _broken(f"{lines} {plural(lines, 'line')} acknowledged after {self.acked}")
        self.acked = lines
        self._release()
        if self._hold:
            if self.marks and self.marks[-1][0] == len(self._ready):
                # There are no results between this acknowledgement and the last.
                self.marks.pop()
            self.marks.append((len(self._ready), lines, self._offset))

    def _reject(self, positions: list[int]) -> None:
        if self._rejected or not all(map(lt, [0, *positions], positions)):
            raise ValueError
        self._rejected.extend(positions)
        self._passed = 0

    def _end(self, summary: Summary) -> None:
        if self._rejected:
            raise _broken("error lines that :rejected announced are missing")
        digest = digest_text(self._digest)
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


def without_blank_lines(results: bytes) -> bytes:
    """Remove blank lines from whole lines: some servers send them as heartbeats."""
    lines = results.split(b"\n")
    lines.pop()
    if all(map(bytes.strip, lines)):
        return results
    return b"".join(line + b"\n" for line in lines if line.strip())


def _broken(detail: str) -> StreamFailedError:
    return StreamFailedError("protocol", detail)
