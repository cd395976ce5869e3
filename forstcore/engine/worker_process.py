"""A worker process, as its parent sees it."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from forstcore.engine.function_reference import FunctionReference
from forstcore.engine.worker_channel import Channel, SharedMemory, new_memory
from forstcore.errors import LoadError
from forstcore.loading import path_without_user_directories

__all__ = ["ChangedError", "DeadWorkerError", "StoppedError", "WorkerProcess"]

_POLL = 0.05  # Seconds between two checks whether the outcome of a batch is still needed.
_GRACE = 1.0  # Seconds that a record may take after that before the process is killed.
# A user's file of that name must not pass for a library that this package uses if it is installed.
_MAIN = (
    "import sys; sys.path[:] = {ours!r}; from forstcore.engine.worker_main import main;"
    " sys.path[:] = {path!r}; main()"
)


class DeadWorkerError(Exception):
    """The process has ended.

    Attributes:
        cause: how it ended.
        calls: the number of the call that it was in, counted from 1 in its batch; 0 for none.
    """

    def __init__(self, cause: str, calls: int) -> None:
        super().__init__(cause, calls)
        self.cause = cause
        self.calls = calls


class StoppedError(Exception):
    """The outcome is no longer needed."""


class ChangedError(Exception):
    """The file of the processor has changed since it was loaded here."""


class WorkerProcess:
    """A process that runs one processor on one batch at a time.

    It is a new Python that imports the module of the processor: a copy of this process (`fork`)
    could have locks that its other threads hold. It ends when this process does, however that
    ends, because a pipe to it is closed then.

    Args:
        reference: finds the processor.
        stamp: state of the file in which the processor was when it was loaded here.

    Attributes:
        is_usable: whether it can be given another batch.

    Raises:
        OSError: it cannot be started.

    Thread-safety: one thread at a time.
    """

    def __init__(self, reference: FunctionReference, stamp: tuple[int, int]) -> None:
        if getattr(sys, "frozen", False) or not sys.executable:
            raise LoadError("worker processes need a Python to run, and this program has none")
        self.is_usable = True
        self._is_ready = False
        self._start = (reference, stamp, _log_levels())
        ours, theirs = socket.socketpair()
        with ExitStack() as stack:
            stack.enter_context(theirs)
            memories = [new_memory() for _ in range(3)]
            self._input, self._output, self._control = map(SharedMemory, memories)
            self._control.write(bytes(16))
            self._channel = Channel(ours)
            try:
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        *["-O"] * sys.flags.optimize,
                        *[f"-W{option}" for option in sys.warnoptions],
                        "-c",
                        _MAIN.format(ours=path_without_user_directories(), path=sys.path),
                        *map(str, (theirs.fileno(), *memories)),
                        f"forstcore-worker {reference.name}",
                    ],
                    stdin=subprocess.PIPE,
                    pass_fds=(theirs.fileno(), *memories),
                    # Signals of the terminal are for this process, which ends the other one.
                    start_new_session=True,
                )
            except BaseException:
                self._close()
                raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def request(self, batch: bytes, request: Any, is_stopped: Callable[[], bool]) -> Any:
        """Have a batch processed; return the reply and the output.

        Args:
            batch: the lines.
            request: what else the process has to know.
            is_stopped: returns whether the outcome is no longer needed.

        Raises:
            DeadWorkerError: the process has ended.
            StoppedError: the outcome is no longer needed.
            LoadError, ChangedError: the process cannot load the processor.
        """
        try:
            if not self._is_ready:
                self._channel.send(self._start)
                self._check_start(self._reply(is_stopped))
                self._is_ready = True
            self._control.write(bytes(16))
            self._input.write(batch)
            self._channel.send((len(batch), request))
            reply, size = self._reply(is_stopped)
        except (EOFError, OSError) as error:
            self.is_usable = False
            raise self._death(error) from None
        except BaseException:
            self.is_usable = False
            raise
        if is_stopped():
            raise StoppedError
        return reply, self._output.read(size)

    def end(self) -> None:
        """End the process, which is idle or not usable."""
        if self.is_usable:
            self.is_usable = False
            self._channel.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        self._process.kill()
        self._process.wait()
        self._close()

    def _reply(self, is_stopped: Callable[[], bool]) -> Any:
        """Wait for a reply; log what the process logs meanwhile."""
        left = _GRACE
        while True:
            while not self._channel.has_message(_POLL):
                if is_stopped():
                    self._control.write(b"\1" + bytes(7))
                    left -= _POLL
                    if left < 0:
                        raise StoppedError
            kind, message = self._channel.receive()
            if kind != "log":
                return message
            _log(message)

    def _check_start(self, trouble: Any) -> None:
        """Raise the error if the process cannot load the processor."""
        if trouble is None:
            return
        kind, text = trouble
        raise ChangedError(text) if kind == "changed" else LoadError(text)

    def _death(self, error: Exception) -> DeadWorkerError:
        try:
            status = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            cause = f"closed its connection ({error})"
        else:
            cause = f"exited with status {status}"
            if status < 0:
                cause = f"was ended by {signal.Signals(-status).name}"
        return DeadWorkerError(cause, int.from_bytes(self._control.read(16)[8:], sys.byteorder))

    def _close(self) -> None:
        self._channel.close()
        for memory in (self._input, self._output, self._control):
            memory.close()
        process = getattr(self, "_process", None)
        if process is not None and process.stdin is not None:
            process.stdin.close()


def _log_levels() -> dict[str, int]:
    """Return the levels of all loggers, so that worker processes create no unwanted log records."""
    loggers = {"": logging.getLogger(), **logging.Logger.manager.loggerDict}
    return {
        name: logger.level for name, logger in loggers.items() if isinstance(logger, logging.Logger)
    }


def _log(record: dict[str, Any]) -> None:
    logger = logging.getLogger(record["name"])
    if logger.isEnabledFor(record["levelno"]):
        logger.handle(logging.makeLogRecord(record))
