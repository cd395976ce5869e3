"""The error file, to which a background thread appends rejected lines."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from forstcore import RejectedLines
from forstcore._io.error_file import entry_of, format_entry
from forstcore._plural import plural
from server.config import ServerConfig
from server.streams.append_file import Appender

__all__ = ["ErrorFile"]

_LOGGER = logging.getLogger("forstcore")

_MOST = 16 << 20  # Maximum bytes of queued rejected lines.
_PIECE = 1 << 16  # Bytes per write.
_SHARE = 64  # Lines formatted before the thread yields the GIL.
_QUIET = 10.0  # Minimum seconds between two log lines.
_PATIENCE = 2.0  # Seconds that a stream waits for its lines to be written.
_LAST_PATIENCE = 5.0  # Seconds that `close` waits.


@dataclass(frozen=True, slots=True)
class _Batch:
    rejected: RejectedLines
    path: str
    client: str
    at: float

    def lines(self) -> Iterator[bytes]:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.at))
        for found in self.rejected:
            rejected = entry_of(self.path, found.line, found)
            yield format_entry(rejected, time=now, client=self.client)


class ErrorFile:
    """The file of rejected lines, for `forstcore replay`.

    The event loop does not wait for the disk. Streams wait for a limited time while the queue
    is more than half full; lines that cannot be queued or written are dropped and counted.
    Writing resumes when the error is gone.

    Args:
        config: the path and the maximum size of the file.

    Attributes:
        written, dropped: numbers of lines.

    Raises:
        ValueError: the file cannot be opened.
    """

    def __init__(self, config: ServerConfig) -> None:
        assert config.errors is not None
        self.written = 0
        self.dropped = 0
        self._path = config.errors
        try:
            self._file = Appender(config.errors, config.max_errors_size)
        except OSError as error:
            raise ValueError(f"errors: cannot write {self._path}: {error.strerror}") from None
        self._changed = threading.Condition()
        self._waiting: deque[_Batch] = deque()
        self._size = 0  # bytes in the queue
        self._moved_at = time.monotonic()  # time of the last write, or of an empty queue
        self._begun = 0  # batches ever queued
        self._done = 0  # batches ever finished, written or not
        self._waiters: deque[tuple[int, Callable[[], None]]] = deque()  # for `_done`
        self._unsaid = 0  # lines dropped since the last log line
        self._is_failing = False
        self._quiet_until = 0.0
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def write(self, rejected: RejectedLines, path: str, client: str) -> None:
        """Queue lines for writing, without waiting.

        Args:
            rejected: the lines.
            path: path of the endpoint.
            client: address of the client.
        """
        with self._changed:
            if self._is_closed or (self._waiting and self._size + rejected.size > _MOST):
                self._count(0, len(rejected), "they come faster than they can be written")
                return
            if not self._waiting:
                self._moved_at = time.monotonic()
            self._waiting.append(_Batch(rejected, path, client, time.time()))
            self._size += rejected.size
            self._begun += 1
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="errors", daemon=True)
                self._thread.start()

    @property
    def is_crowded(self) -> bool:
        """Whether streams should wait for `flushed` before they reject more lines.

        False if the disk makes no progress, since waiting would not help.
        """
        return self._size > _MOST // 2 and time.monotonic() - self._moved_at < _PATIENCE

    async def flushed(self) -> None:
        """Wait for a limited time until the batches queued so far are finished."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tell() -> None:
            # The loop of the waiting task may be closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

        with self._changed:
            if self._done >= self._begun:
                return
            self._waiters.append((self._begun, tell))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await done.wait()

    def close(self) -> None:
        """Write the queued lines within a time limit, and log the number of dropped ones."""
        with self._changed:
            self._changed.wait_for(lambda: self._done == self._begun, _LAST_PATIENCE)
            self._is_closed = True
            left = sum(len(batch.rejected) for batch in self._waiting)
            self._waiting.clear()
            self.dropped += left
            unsaid = self._unsaid + left
            self._changed.notify_all()
        if unsaid:
            lines = plural(unsaid, "rejected line was", "rejected lines were")
            _LOGGER.error("%d %s not written to %s", unsaid, lines, self._path)

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            left = len(batch.rejected)
            try:
                for lines in _pieces(batch):
                    written, why = self._file.append(lines)
                    # If nothing can be written now, give up the batch and retry with the next one.
                    lost = left if why and not written else len(lines) - written
                    left -= written + lost
                    self._moved_at = time.monotonic()
                    with self._changed:
                        self._count(written, lost, why)
                    if not left:
                        break
            except Exception as error:
                _LOGGER.exception("rejected lines were lost by an error of the server")
                with self._changed:
                    self._count(0, left, str(error))
            with self._changed:
                self._done += 1
                while self._waiters and self._waiters[0][0] <= self._done:
                    self._waiters.popleft()[1]()
                self._changed.notify_all()
        self._file.close()

    def _next(self) -> _Batch | None:
        """Wait for a batch; return None when the file is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._size -= batch.rejected.size
            return batch

    def _count(self, written: int, dropped: int, why: str) -> None:
        """Count lines, and log failures and recovery, rate-limited."""
        self.written += written
        self.dropped += dropped
        self._unsaid += dropped
        now = time.monotonic()
        if now < self._quiet_until or not (why or self._is_failing):
            return
        self._quiet_until = now + _QUIET
        self._is_failing = bool(why)
        many, self._unsaid = self._unsaid, 0
        if why:
            _LOGGER.error(
                "rejected lines cannot be written to %s: %s; %d %s dropped",
                self._path,
                why,
                many,
                plural(many, "was", "were"),
            )
        else:
            _LOGGER.warning(
                "rejected lines are written to %s again; %d more %s dropped before",
                self._path,
                many,
                plural(many, "was", "were"),
            )


def _pieces(batch: _Batch) -> Iterator[list[bytes]]:
    """Yield the formatted lines of a batch in pieces, yielding the GIL regularly."""
    lines: list[bytes] = []
    size = 0
    for number, line in enumerate(batch.lines(), 1):
        lines.append(line)
        size += len(line)
        if size >= _PIECE:
            yield lines
            lines, size = [], 0
        if number % _SHARE == 0:
            time.sleep(0)
    if lines:
        yield lines
