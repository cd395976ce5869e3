"""Standard output and standard error that never block the event loop.

An unread pipe, a paused terminal and a log daemon that hangs all block their writers. So
the standard streams are replaced by streams that write as much as possible without blocking, and
leave the rest to a thread. Output that cannot be written is dropped, counted and reported. What the
server says itself has room of its own, so that the output of processors does not hide it.
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
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from forstcore._json_log import JsonErrors, error_stream, json_line, log_json
from forstcore._plural import plural

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["NonblockingOutput", "flush_output", "own_output", "start_logging"]

_MAX_QUEUED = 1 << 20  # Bytes.
_MAX_OWN = 1 << 16  # Bytes beyond that for the server's own output.
_GROUP = 4096  # Bytes per write: PIPE_BUF, up to which writes to pipes are atomic.
_FLUSH_TIMEOUT = 1.0  # Seconds without any progress, when the process exits.
_LONGEST_FLUSH = 5.0  # Seconds with progress.
_POLL = 1000  # Milliseconds between two attempts to write to a descriptor that is not writable.


class _Channel(Protocol):
    def __call__(self, data: bytes, /) -> int: ...


_current = threading.local()


@contextlib.contextmanager
def own_output() -> Iterator[None]:
    """Mark what this thread writes in the block as output of the server itself.

    It begins with a line of its own, even behind output of a processor that ends within one.
    """
    for stream in _streams:
        with contextlib.suppress(ValueError):  # A processor may have closed it.
            stream.flush()
    _current.is_own = True
    try:
        yield
    finally:
        _current.is_own = False


class NonblockingOutput(io.RawIOBase):
    """A raw stream on a file descriptor whose `write` never blocks.

    Bytes that cannot be written immediately are queued, up to 1 MiB, for a thread. When the queue
    is full, whole writes are dropped; as soon as it has room again, a line reports how many lines
    are missing in its place. Lines that cannot be written because of an error are dropped, too.
    For what is written within `own_output`, the queue has another 64 KiB, and a line that other
    output has begun is ended before it.

    Args:
        descriptor: an open file descriptor; it is not closed.
        name: the name of the descriptor in reports about dropped lines.
        is_json: whether these reports are JSON.

    Attributes:
        name: as above.
        dropped: lines dropped so far.
        queued: bytes that wait to be written.
        own_descriptor: the descriptor that is written to; for a pipe or terminal a nonblocking one.

    Thread-safety: any thread may write. A forked child starts with an empty queue.
    """

    def __init__(self, descriptor: int, name: str, *, is_json: bool = False) -> None:
        super().__init__()
        self._is_json = is_json
        self._descriptor = descriptor
        self.name = name
        self._send, self._is_direct, self.own_descriptor = _channel_to(descriptor)
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        # Reentrant, because a finalizer may print a warning while this thread holds the lock.
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[tuple[bytes, int, int]] = deque()
        self._size = 0
        self._own = 0  # Bytes of own output that were queued although the queue was full.
        self._unreported = 0
        self._is_within_line = False  # The last output was not the server's own, and had no LF.
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def queued(self) -> int:
        return self._size

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, queue or drop all of `data`; return its length in any case."""
        text = bytes(memoryview(data))
        with self._changed:
            is_own = getattr(_current, "is_own", False)
            start = b"\n" if is_own and self._is_within_line else b""
            self._is_within_line = not is_own and not text.endswith(b"\n")
            self._put(start + text, text.count(b"\n") or 1)
        return len(text)

    def flush_for(self, seconds: float) -> bool:
        """Wait until everything is written, with a timeout; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, seconds)

    def _put(self, data: bytes, lines: int) -> None:
        missing = 0
        has_room = getattr(_current, "is_own", False) and self._own + len(data) <= _MAX_OWN
        if self._unreported:
            if self._size > _MAX_QUEUED // 2 and not has_room:
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
        elif self._queue and self._size + len(data) > _MAX_QUEUED:
            if not has_room:
                self._drop(lines, missing)
                return
            self._own += len(data)
        self._append(data, lines, missing)

    def _append(self, data: bytes, lines: int, missing: int) -> None:
        self._queue.append((data, lines, missing))
        self._size += len(data)
        if self._thread is None:
            self._thread = threading.Thread(target=self._pump, name=self.name, daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # No more threads are available; the next line tries again.
                self._thread = None
        self._changed.notify_all()

    def _drop(self, lines: int, missing: int = 0) -> None:
        """Count dropped lines, and again those whose report was dropped with them."""
        self._unreported += lines + missing
        self.dropped += lines

    def _notice(self) -> tuple[bytes, int]:
        """Return a line that reports dropped lines, and their number."""
        missing, self._unreported = self._unreported, 0
        lines = plural(missing, "line is", "lines are")
        text = f"{missing} {lines} missing here: {self.name} was not writable"
        line = json_line("output", text) if self._is_json else f"forstcore: {text}"
        return f"{line}\n".encode(), missing

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
        """Remove bytes from the queue; return the lines in them, and the lines they report."""
        self._size -= size
        if self._size <= _MAX_QUEUED:
            self._own = 0
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
    """Find a way to write without blocking.

    O_NONBLOCK is a flag of the open file, which may be shared with other processes, so it must not
    be set on an inherited descriptor.

    Returns:
        A function that writes; whether it never blocks; the descriptor that it writes to.
    """

    def blocking(data: bytes, /) -> int:
        return os.write(descriptor, data)

    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        # It goes to the page cache. The file must not be reopened: the position would differ.
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
        # Without /proc, or if another user created the pipe, the thread writes everything.
        with contextlib.suppress(OSError):
            own = os.open(f"/proc/self/fd/{descriptor}", flags)
            return lambda data, /: os.write(own, data), True, own
    return blocking, False, descriptor


class _LogHandler(logging.StreamHandler[Any]):
    """Writes the log of the server, whose access log alone is no more urgent than other output."""

    def emit(self, record: logging.LogRecord) -> None:
        is_own = record.name.startswith("forstcore") and not getattr(record, "is_json", False)
        with own_output() if is_own else contextlib.nullcontext():
            super().emit(record)


_outputs: list[NonblockingOutput] = []
_streams: list[io.TextIOWrapper] = []  # Of these outputs.


def start_logging(*, is_json: bool = False) -> None:
    """Replace standard output and standard error, and log to standard error.

    Args:
        is_json: whether everything on standard error is to be JSON.

    Nothing in this process then blocks when it prints, including processors and libraries, except
    C code that writes to the descriptors itself.
    """
    for name, text in (("stdout", "standard output"), ("stderr", "standard error")):
        stream = getattr(sys, name)
        if isinstance(stream, JsonErrors):
            stream = stream.stream
        if stream is None or stream is not getattr(sys, f"__{name}__"):
            # Closed, or redirected by an embedding program.
            continue
        stream.flush()
        output = NonblockingOutput(stream.fileno(), text, is_json=is_json and name == "stderr")
        _outputs.append(output)
        if name == "stderr" and faulthandler.is_enabled():
            # Otherwise the traceback of a crash could block, and the process would not exit.
            faulthandler.enable(output.own_descriptor)
        _streams.append(_text_stream(output, stream))
        setattr(sys, name, _streams[-1])
    logger = logging.getLogger("forstcore")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = _LogHandler(error_stream())
    logger.addHandler(handler)
    # Registered first to run last, so that output written at exit is flushed, too.
    atexit.register(flush_output)
    if is_json:
        log_json(handler)


def flush_output() -> None:
    """Write what is queued, for a limited time, which is shorter if nobody reads."""
    end = time.monotonic() + _LONGEST_FLUSH
    before = sys.maxsize
    while time.monotonic() < end and 0 < (queued := _queued()) < before:
        before = queued
        deadline = min(time.monotonic() + _FLUSH_TIMEOUT, end)
        for output in _outputs:
            output.flush_for(max(0.0, deadline - time.monotonic()))


def _queued() -> int:
    return sum(output.queued for output in _outputs)


def _text_stream(output: NonblockingOutput, like: io.TextIOWrapper) -> io.TextIOWrapper:
    # Without a buffered stream in between, since text is written line by line.
    return io.TextIOWrapper(
        output,
        encoding=like.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )
