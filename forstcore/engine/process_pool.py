"""The worker processes of this process, by processor."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from forstcore.engine.function_reference import reference_to
from forstcore.engine.worker_process import ChangedError, WorkerProcess
from forstcore.processors import REGISTRY, Processor

__all__ = ["ProcessPool", "open_pool"]

_IDLE_SECONDS = 30.0  # After which a process that has nothing to do ends.

_lock = threading.Lock()
_pools: dict[int, ProcessPool] = {}  # By the identity of the processor.


def open_pool(processor: Processor) -> ProcessPool:
    """Return the worker processes of a processor, for a stream, which has to close them.

    Raises:
        TypeError: worker processes cannot find the processor.
    """
    with _lock:
        pool = _pools.get(id(processor))
        if pool is None:
            pool = _pools[id(processor)] = ProcessPool(processor)
        pool.streams += 1
        return pool


class ProcessPool:
    """The worker processes of one processor, which its streams share.

    A process starts when a batch finds none idle, so there are as many as batches in work.

    Args:
        processor: the processor.

    Attributes:
        streams: number of streams that use the processes.

    Thread-safety: may be used from many threads at once.
    """

    def __init__(self, processor: Processor) -> None:
        self.streams = 0
        self._processor = processor
        self._reference = reference_to(processor)
        # With the time since when. The last one is used next, so the first is idle the longest.
        self._idle: list[tuple[float, WorkerProcess]] = []
        self._timer: threading.Timer | None = None
        self._has_changed = False

    def request(self, batch: bytes, request: Any, is_stopped: Callable[[], bool]) -> Any:
        """Have a batch processed, as `WorkerProcess.request`."""
        with _lock:
            process = self._idle.pop()[1] if self._idle else None
        if process is None:
            if self._has_changed:
                raise ChangedError
            process = WorkerProcess(self._reference, self._processor.stamp)
        try:
            return process.request(batch, request, is_stopped)
        except ChangedError:
            self._has_changed = True
            raise
        finally:
            if process.is_usable:
                with _lock:
                    self._idle.append((time.monotonic(), process))
                self._end_idle()
            else:
                process.end()

    def close(self) -> None:
        """End the use by a stream."""
        with _lock:
            self.streams -= 1
        self._end_idle()

    def end(self) -> None:
        """End all processes that are idle."""
        with _lock:
            idle, self._idle = self._idle, []
        for _, process in idle:
            process.end()

    def _end_idle(self) -> None:
        """End the processes that have been idle for long, and look at the others later."""
        # Another stream cannot use a function that was passed to one call, or the processor of a
        # module that has been reloaded.
        has_users = self.streams or REGISTRY.get(self._processor.name) is self._processor
        seconds = _IDLE_SECONDS if has_users else 0.0
        now = time.monotonic()
        with _lock:
            ended = [process for since, process in self._idle if since <= now - seconds]
            del self._idle[: len(ended)]
            if self._idle and self._timer is None:
                self._timer = threading.Timer(self._idle[0][0] + seconds - now, self._look_again)
                self._timer.daemon = True
                self._timer.start()
            if not self._idle and not self.streams:
                _pools.pop(id(self._processor), None)
        for process in ended:
            process.end()

    def _look_again(self) -> None:
        with _lock:
            self._timer = None
        self._end_idle()


def _end_all() -> None:
    for pool in list(_pools.values()):
        pool.end()
    _pools.clear()


def _forget_all() -> None:
    """Leave the processes to the parent, in a copy of this process."""
    global _lock
    _lock = threading.Lock()
    _pools.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
