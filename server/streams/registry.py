"""The registry of the open streams of one process, their limits and shared resources."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from aiohttp import web

from forstcore._plural import plural
from forstcore.loading import Loader
from forstcore.processors import Processor
from forstcore.wire import StreamErrorCode
from server.config import ServerConfig
from server.errors import ProblemError, StreamError
from server.http.connections import Connections
from server.http.descriptor_limit import allowance
from server.http.refusals import Refusals
from server.http.worker_loads import FULL
from server.observe.access_log import log_stream
from server.observe.metrics import Metrics
from server.observe.snapshot import Snapshot
from server.observe.spans import trace_stream
from server.streams.error_file import ErrorFile

__all__ = ["REGISTRY", "OpenStream", "StreamRegistry"]

_LOGGER = logging.getLogger("forstcore")

_DRAIN_LOG_INTERVAL = 2.0  # Seconds between two log lines about streams that have not ended.
_LAST_STREAMS = 5.0  # Time limit in seconds for interrupted streams to end.
_LAST_WAIT = 1.0  # Time limit in seconds for threads to end after all streams.


class OpenStream(Protocol):
    """An open stream, as the registry sees it."""

    @property
    def request(self) -> web.BaseRequest:
        """The request of the stream."""

    def __hash__(self) -> int: ...

    def snapshot(self) -> Snapshot:
        """Return the current state of the stream."""

    def drain(self) -> None:
        """End the stream at a line boundary."""

    def interrupt(self, error: StreamError) -> None:
        """End the stream with an error, without waiting for a line boundary."""


class StreamRegistry:
    """The streams of this process.

    Args:
        config: the configuration.
        loader: the loader of the processors.

    Attributes:
        config, loader: as above.
        error_file: the file for rejected lines, None if there is none.
        metrics: the metrics for /metrics.
        leaving: whether /readyz fails before the shutdown; new streams are still accepted.
        draining: whether the process is shutting down and refuses new streams.
        connections: the open connections.
        refusals: the refused requests.
        numbers: the numbers of new streams, as logs and the dashboard show them.
        ended: number of streams that have ended.
    """

    def __init__(self, config: ServerConfig, loader: Loader) -> None:
        self.loader = loader
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self.error_file = ErrorFile(config) if config.errors else None
        self.metrics = Metrics()
        self.leaving = False
        self.draining = False
        self.ended = 0
        self.numbers = itertools.count(1)
        self.connections = Connections(config.max_connections)
        self.refusals = Refusals(config.trusted_proxy, is_logged=config.access_log)
        self.use(config)
        self._streams: set[OpenStream] = set()
        # The streams that count for max_streams. A stream whose client has sent nothing does not.
        self._counted: set[OpenStream] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def use(self, config: ServerConfig) -> None:
        """Use another configuration for new streams."""
        allowed = allowance(config.max_connections, config.max_streams)
        self.config = config
        self.connections.limit = allowed.connections
        self.refusals.is_logged = config.access_log
        self._most_streams = allowed.streams

    @property
    def processors(self) -> Mapping[str, Processor]:
        """The processors for new streams, by name."""
        return self.loader.processors

    @property
    def streams(self) -> Collection[OpenStream]:
        """A view of the open streams."""
        return self._streams

    @property
    def load(self) -> int:
        """How much this process has to do, to compare it with others: its connections."""
        return FULL if self._is_full else len(self.connections)

    def check_ready(self) -> None:
        """Raise ProblemError 503 if load balancers should send new streams elsewhere."""
        if self.leaving:
            raise _going_down()
        self.check_room()

    def check_room(self) -> None:
        """Raise ProblemError 503 if new streams are refused now."""
        if self.draining:
            raise _going_down()
        if self._is_full:
            raise ProblemError(
                503, self._too_many(), headers={"Retry-After": "1"}, reason="too_many_streams"
            )

    def count_in(self, stream: OpenStream) -> None:
        """Count a stream for `max_streams`, once its client has begun to send records.

        Raises:
            StreamError: `max_streams` is reached.
        """
        if stream in self._counted or stream not in self._streams:
            return
        if self._is_full:
            raise StreamError(StreamErrorCode.OVERLOADED, self._too_many())
        self._counted.add(stream)
        self.connections.keep(stream.request)
        self.connections.on_change()

    @property
    def _is_full(self) -> bool:
        return len(self._counted) >= self._most_streams

    def _too_many(self) -> str:
        streams = plural(self._most_streams, "stream is", "streams are")
        return f"{self._most_streams} {streams} open already (max_streams)"

    @contextmanager
    def admit(self, stream: OpenStream) -> Iterator[None]:
        """Register a stream while it runs, and log it when it ends.

        Raises:
            ProblemError: 503, new streams are refused.
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
            self.connections.on_change()
            if not self._streams:
                self._idle.set()
            self.ended += 1
            snapshot = stream.snapshot()
            self.metrics.ended(stream, snapshot)
            trace_stream(snapshot)
            if self.config.access_log:
                log_stream(snapshot)

    def update_metrics(self) -> None:
        """Update the metrics from the running streams."""
        self.metrics.set("tasks", len(asyncio.all_tasks()))
        self.metrics.set("connections_open", len(self.connections))
        self.metrics.set("connections_evicted", self.connections.evicted)
        self.metrics.set("connections_limit", self.connections.limit)
        self.metrics.set("streams_limit", self._most_streams)
        for reason, count in self.refusals.counts.items():
            self.metrics.set("refused_requests", count, reason)
        if (file := self.error_file) is not None:
            self.metrics.set("rejected_lines", file.written, "written")
            self.metrics.set("rejected_lines", file.dropped, "dropped")
        for stream in self._counted:
            self.metrics.progressed(stream, stream.snapshot())

    async def drain(self, seconds: float) -> None:
        """End all streams at a line boundary; after `seconds`, interrupt the remaining ones."""
        self.draining = True
        for stream in list(self._streams):
            stream.drain()
        if not await self._have_ended(seconds):
            late = StreamError(
                StreamErrorCode.DRAINING, "the server is shutting down and cannot wait longer"
            )
            for stream in list(self._streams):
                stream.interrupt(late)
            if not await self._have_ended(_LAST_STREAMS):
                _LOGGER.error("streams that do not end are left behind: %d", len(self._streams))

    async def _have_ended(self, seconds: float) -> bool:
        deadline = asyncio.get_running_loop().time() + seconds
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                async with asyncio.timeout(min(left, _DRAIN_LOG_INTERVAL)):
                    await self._idle.wait()
                return True
            except TimeoutError:
                self._log_remaining()
        return not self._streams

    def _log_remaining(self) -> None:
        count = len(self._streams)
        snapshots = [stream.snapshot() for stream in self._streams]
        unsent = sum(snapshot.queued + snapshot.spooled for snapshot in snapshots)
        _LOGGER.info(
            "shutting down: waiting for %d %s, with %d bytes of results to send",
            count,
            plural(count, "stream", "streams"),
            unsent,
        )

    def threads(self, processor: str) -> ThreadPoolExecutor:
        """Return the thread pool of a processor.

        Each processor has its own, so that one that blocks does not delay the others.
        """
        if processor not in self._threads:
            self._threads[processor] = ThreadPoolExecutor(self.config.workers, processor)
        return self._threads[processor]

    def close(self) -> bool:
        """Close the error file and shut the threads down.

        Returns:
            Whether all threads have ended; a running processor cannot be interrupted.
        """
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
    return ProblemError(
        503, "the server is shutting down", headers={"Retry-After": "5"}, reason="draining"
    )


REGISTRY = web.AppKey("REGISTRY", StreamRegistry)
