"""Logging that never blocks: output that nobody reads is dropped, counted and reported.

A pipe whose reader has stopped, a paused terminal and a log daemon that hangs all block whoever
writes to them. The event loop must not wait for any of these, so standard output and standard
error are replaced by streams that write what fits at once and leave the rest to a thread.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import io
import logging
import os
import select
import socket
import stat
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Sink", "flush_output", "start_logging"]

_MOST_WAITING = 1 << 20  # Bytes that may wait for a reader.
_GROUP = 4096  # Bytes written together; up to this, pipes keep writers' lines apart (PIPE_BUF).
_LAST_WAIT = 1.0  # Seconds in which the reader may take what is left when the process ends.
_POLL = 1000  # Milliseconds between two attempts on a descriptor that is not writable.


class _Channel(Protocol):
    def __call__(self, data: bytes, /) -> int: ...


class Sink(io.RawIOBase):
    """A raw stream on a file descriptor whose `write` never blocks.

    What the descriptor does not take at once waits, up to 1 MiB, for a thread that writes it.
    Beyond that whole writes are dropped; as soon as there is room again, a line says how many
    lines are missing at this place. Errors count as drops: nobody could be told of them.

    Args:
        descriptor: an open file descriptor; it is not closed.
        name: what the descriptor is called in the line about dropped lines.

    Attributes:
        name: as above.
        dropped: lines dropped so far.
        own_descriptor: what it writes to: of a pipe or terminal one that does not block.

    Thread-safety: any thread may write. A forked child starts with an empty queue.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.name = name
        self._send, self._is_direct, self.own_descriptor = _channel_to(descriptor)
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        # Reentrant: a finalizer may print a warning while this thread holds the lock.
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[tuple[bytes, int, int]] = deque()
        self._size = 0
        self._unreported = 0
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write or queue all of `data`, or drop it; return its length in any case."""
        line = bytes(memoryview(data))
        with self._changed:
            self._put(line, line.count(b"\n") or 1)
        return len(line)

    def flush_for(self, seconds: float) -> bool:
        """Wait until all is written, but no longer than this; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, seconds)

    def _put(self, data: bytes, lines: int) -> None:
        missing = 0
        if self._unreported:
            if self._size > _MOST_WAITING // 2:
                self._drop(lines)
                return
            notice, missing = self._notice()
            data = notice + data
        if self._is_direct and not self._queue:
            try:
                data = data[self._try(data) :]
            except OSError:
                self._drop(lines, missing)
                return
            if not data:
                return
        elif self._queue and self._size + len(data) > _MOST_WAITING:
            self._drop(lines, missing)
            return
        self._append(data, lines, missing)

    def _append(self, data: bytes, lines: int, missing: int) -> None:
        self._queue.append((data, lines, missing))
        self._size += len(data)
        if self._thread is None:
            self._thread = threading.Thread(target=self._pump, name=self.name, daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # No more threads now: the next line tries again.
                self._thread = None
        self._changed.notify_all()

    def _drop(self, lines: int, missing: int = 0) -> None:
        """Count lines as dropped, and once more those whose report was dropped with them."""
        self._unreported += lines + missing
        self.dropped += lines

    def _notice(self) -> tuple[bytes, int]:
        """Write the line about what was dropped; return it with how many lines it reports."""
        missing, self._unreported = self._unreported, 0
        text = f"forstcore: {missing} lines are missing here: {self.name} did not take them\n"
        return text.encode(), missing

    def _try(self, data: bytes) -> int:
        try:
            return self._send(data)
        except BlockingIOError:
            return 0

    def _pump(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                group = self._next_group()
            try:
                sent = self._try(group)
            except OSError:
                with self._changed:
                    self._drop(*self._remove(len(group)))
                    self._changed.notify_all()
                continue
            with self._changed:
                self._remove(sent)
                if not self._queue and self._unreported:
                    notice, missing = self._notice()
                    self._append(notice, 0, missing)
                self._changed.notify_all()
            if sent < len(group):
                self._wait()

    def _next_group(self) -> bytes:
        group: list[bytes] = []
        size = 0
        for data, _, _ in self._queue:
            if group and size + len(data) > _GROUP:
                break
            group.append(data)
            size += len(data)
        return b"".join(group)

    def _remove(self, size: int) -> tuple[int, int]:
        """Forget the first bytes of the queue; return their lines and those they report."""
        self._size -= size
        lines = missing = 0
        while size:
            data, own, reported = self._queue[0]
            if size < len(data):
                self._queue[0] = data[size:], own, reported
                break
            size -= len(data)
            lines += own
            missing += reported
            self._queue.popleft()
        return lines, missing

    def _wait(self) -> None:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self.own_descriptor, select.POLLOUT)
            poll.poll(_POLL)
        # Some descriptors are always reported as writable.
        time.sleep(0.01)


def _channel_to(descriptor: int) -> tuple[_Channel, bool, int]:
    """Find a way to write that does not block.

    The flag O_NONBLOCK belongs to the open file, which other processes share: it must not be
    set on a descriptor that was inherited.

    Returns:
        What writes; whether it never blocks; the descriptor that it writes to.
    """

    def blocking(data: bytes, /) -> int:
        return os.write(descriptor, data)

    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        # Goes to the page cache. Its position belongs to the open file as well.
        return blocking, True, descriptor
    if stat.S_ISSOCK(mode) and hasattr(socket, "MSG_DONTWAIT"):
        connection = socket.socket(fileno=os.dup(descriptor))
        return (
            lambda data, /: connection.send(data, socket.MSG_DONTWAIT),
            True,
            connection.fileno(),
        )
    if sys.platform == "linux":
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        # Without /proc, or where another user made the pipe, the thread writes everything.
        with contextlib.suppress(OSError):
            own = os.open(f"/proc/self/fd/{descriptor}", flags)
            return lambda data, /: os.write(own, data), True, own
    return blocking, False, descriptor


_sinks: list[Sink] = []


def start_logging() -> None:
    """Replace standard output and standard error, and log to the latter.

    Whatever prints in this process, processors and libraries included, never waits for a
    reader. What C code writes to the descriptors themselves, such as the traceback of a crash,
    is not affected.
    """
    for name, text in (("stdout", "standard output"), ("stderr", "standard error")):
        stream = getattr(sys, name)
        if stream is None or stream is not getattr(sys, f"__{name}__"):
            # Closed, or redirected by an embedding program.
            continue
        stream.flush()
        sink = Sink(stream.fileno(), text)
        _sinks.append(sink)
        if name == "stderr" and faulthandler.is_enabled():
            # Or the traceback of a crash would wait for a reader, and the process not end.
            faulthandler.enable(sink.own_descriptor)
        setattr(sys, name, _text_stream(sink, stream))
    logger = logging.getLogger("forstcore")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(logging.StreamHandler(sys.stderr))
    atexit.register(flush_output)


def flush_output() -> None:
    """Give readers a second to take what waits."""
    deadline = time.monotonic() + _LAST_WAIT
    for sink in _sinks:
        sink.flush_for(max(0.0, deadline - time.monotonic()))


def _text_stream(sink: Sink, like: io.TextIOWrapper) -> io.TextIOWrapper:
    # The raw stream needs no buffer: text is handed on line by line.
    return io.TextIOWrapper(
        sink,
        encoding=like.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )
