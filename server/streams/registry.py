"""What the streams of one process share: the configuration, the limits, who is running."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from aiohttp import web

from forstcore.loading import Loader
from forstcore.processors import Processor
from forstcore.wire import StreamErrorCode
from server.config import ServerConfig
from server.errors import ProblemError, StreamError
from server.http.connections import Connections
from server.http.descriptor_limit import allowance
from server.observe.access_log import log_stream
from server.observe.metrics import Metrics
from server.observe.snapshot import Snapshot
from server.streams.error_file import ErrorFile

__all__ = ["REGISTRY", "OpenStream", "StreamRegistry"]

_LOGGER = logging.getLogger("forstcore")

_LAST_STREAMS = 5.0  # Seconds in which streams have to end that were interrupted.
_LAST_WAIT = 1.0  # Seconds in which threads may end when all streams have.


class OpenStream(Protocol):
    """One stream, as far as the process has to know it."""

    @property
    def request(self) -> web.BaseRequest:
        """Its request."""

    def __hash__(self) -> int: ...

    def snapshot(self) -> Snapshot:
        """Return what it has done so far."""

    def drain(self) -> None:
        """End it at a line boundary."""

    def interrupt(self, error: StreamError) -> None:
        """End it where it is."""


class StreamRegistry:
    """The streams of this process.

    Args:
        config: the configuration.
        loader: has loaded the processors.

    Attributes:
        config, loader: as above.
        error_file: where rejected lines are written, None if nowhere.
        metrics: the figures for /metrics.
        leaving: whether no further streams are to be sent here, though they are still taken.
        draining: whether the process is on its way out.
        connections: the open connections.
        ended: streams that have ended.
    """

    def __init__(self, config: ServerConfig, loader: Loader) -> None:
        self.config = config
        self.loader = loader
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self.error_file = ErrorFile(config) if config.errors else None
        self.metrics = Metrics()
        self.leaving = False
        self.draining = False
        self.ended = 0
        allowed = allowance(config.max_connections, config.max_streams)
        self.connections = Connections(allowed.connections)
        self._most_streams = allowed.streams
        self._streams: set[OpenStream] = set()
        # A stream that sends nothing is a connection like others that wait, and no more.
        self._counted: set[OpenStream] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def processors(self) -> Mapping[str, Processor]:
        """The processors that new streams can have."""
        return self.loader.processors

    @property
    def streams(self) -> Collection[OpenStream]:
        """The streams that are open; a view."""
        return self._streams

    def check_ready(self) -> None:
        """Raise ProblemError 503 if further streams had better go elsewhere."""
        if self.leaving:
            raise _going_down()
        self.check_room()

    def check_room(self) -> None:
        """Raise ProblemError 503 if no further stream is taken now."""
        if self.draining:
            raise _going_down()
        if len(self._counted) >= self._most_streams:
            raise ProblemError(503, self._too_many(), headers={"Retry-After": "1"})

    def count_in(self, stream: OpenStream) -> None:
        """Count a stream as one of `max_streams`: its client has begun to send it.

        Raises:
            StreamError: there are so many already.
        """
        if stream in self._counted or stream not in self._streams:
            return
        if len(self._counted) >= self._most_streams:
            raise StreamError(StreamErrorCode.OVERLOADED, self._too_many())
        self._counted.add(stream)
        self.connections.keep(stream.request)

    def _too_many(self) -> str:
        return f"{self._most_streams} streams are open already (max_streams)"

    @contextmanager
    def admit(self, stream: OpenStream) -> Iterator[None]:
        """List a stream for as long as it runs, and write it down when it ends.

        Raises:
            ProblemError: 503, there is no room.
        """
        self.check_room()
        self._streams.add(stream)
        self._idle.clear()
        self.metrics.started()
        try:
            yield
        finally:
            self._streams.discard(stream)
            self._counted.discard(stream)
            self.connections.release(stream.request)
            if not self._streams:
                self._idle.set()
            self.ended += 1
            snapshot = stream.snapshot()
            self.metrics.ended(stream, snapshot)
            if self.config.access_log:
                log_stream(snapshot)

    def update_metrics(self) -> None:
        """Bring the figures up to date with the streams that still run."""
        self.metrics.set("tasks", len(asyncio.all_tasks()))
        self.metrics.set("connections_open", len(self.connections))
        self.metrics.set("connections_evicted", self.connections.evicted)
        if (file := self.error_file) is not None:
            self.metrics.set("rejected_lines", file.written, "written")
            self.metrics.set("rejected_lines", file.dropped, "dropped")
        for stream in self._counted:
            self.metrics.progressed(stream, stream.snapshot())

    async def drain(self, seconds: float) -> None:
        """End every stream at a line boundary; after `seconds`, end it where it is."""
        self.draining = True
        for stream in list(self._streams):
            stream.drain()
        if not await self._have_ended(seconds):
            late = StreamError(
                StreamErrorCode.DRAINING, "the server is going down and cannot wait longer"
            )
            for stream in list(self._streams):
                stream.interrupt(late)
            if not await self._have_ended(_LAST_STREAMS):
                _LOGGER.error("streams that do not end are left behind: %d", len(self._streams))

    async def _have_ended(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def threads(self, processor: str) -> ThreadPoolExecutor:
        """Return the threads of all streams of a processor.

        Each has its own, so that one that waits for something keeps no other waiting.
        """
        if processor not in self._threads:
            self._threads[processor] = ThreadPoolExecutor(self.config.workers, processor)
        return self._threads[processor]

    def close(self) -> bool:
        """Let the threads go; tell whether they went: a processor cannot be interrupted."""

        if self.error_file is not None:
            self.error_file.close()

        def shut_down() -> None:
            for threads in self._threads.values():
                threads.shutdown(wait=False, cancel_futures=True)
            for threads in self._threads.values():
                threads.shutdown()

        closing = threading.Thread(target=shut_down, daemon=True)
        closing.start()
        closing.join(_LAST_WAIT)
        return not closing.is_alive()


def _going_down() -> ProblemError:
    return ProblemError(503, "the server is going down", headers={"Retry-After": "5"})


REGISTRY = web.AppKey("REGISTRY", StreamRegistry)
