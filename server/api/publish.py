"""`POST /sources/{name}`: publishing records to a source."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from forstcore import RecordStream
from forstcore._plural import plural
from forstcore._proc import PASS_ON
from forstcore.errors import SinkError
from forstcore.sources.memory import MemorySource
from forstcore.wire import StreamErrorCode
from server.background import log_failure
from server.errors import ProblemError, StreamError
from server.http.request_headers import publish_on_error
from server.live.feed_registry import FEEDS
from server.live.kept_writers import WRITERS
from server.live.publisher import BrokerPublisher, MemoryPublisher, Publisher
from server.observe.counters import counters_of
from server.streams.handler import StreamHandler
from server.streams.registry import REGISTRY, StreamRegistry
from server.streams.response_writer import ResponseWriter

__all__ = ["publish"]


async def publish(request: web.Request) -> web.StreamResponse:
    """Answer `POST /sources/{name}`: publish NDJSON, and return the counts."""
    registry = request.app[REGISTRY]
    publisher = _publisher(request)
    stream = RecordStream(
        on_error=publish_on_error(request),
        max_line_size=registry.config.max_line_size,
        processor=PASS_ON,
        keep_rejected=registry.error_file is not None,
    )
    return await PublishHandler(request, registry, stream, publisher).run()


class PublishHandler(StreamHandler):
    """A request whose lines are published as they arrive.

    Args:
        request, registry: as for `StreamHandler`.
        stream: checks the lines.
        publisher: publishes them.
    """

    stream: RecordStream
    core_seconds = 0.0

    def __init__(
        self,
        request: web.Request,
        registry: StreamRegistry,
        stream: RecordStream,
        publisher: Publisher,
    ) -> None:
        super().__init__(request, registry, stream)
        self._publisher = publisher
        self._waits_for_broker = False

    async def run(self) -> web.StreamResponse:
        with self._registry.admit(self):
            try:
                # The response has the counts, so it starts only at the end.
                self.body.start()
                await self._process(None)
            except StreamError as error:
                self.outcome, self.detail = error.code, error.detail
                await self._rejected_written()
                count = self._publisher.count
                raise ProblemError(
                    error.status,
                    f"{error.detail}; {count} "
                    f"{plural(count, 'record was', 'records were')} published before that",
                ) from None
            finally:
                await log_failure("closing a publisher", self._publisher.close())
            await self._rejected_written()
            self.outcome = "ok"
            document: dict[str, object] = {**counters_of(self.stream)}
            del document["bytes_out"]
            if self._publisher.offset is not None:
                document["offset"] = self._publisher.offset
            return web.json_response(document)

    async def _process(self, writer: ResponseWriter | None) -> None:
        seconds = self._config.timeout
        clock = asyncio.get_running_loop().time
        try:
            with self._interruptible():
                async with asyncio.timeout(seconds) as limit:
                    async for piece in self.body.pieces():
                        limit.reschedule(clock() + seconds)
                        await self._publish(self.stream.feed(piece))
                        self._check()
                        limit.reschedule(clock() + seconds)
                    if not self.stream.failed:
                        await self._publish(self.stream.finish())
                    self._check()
                    limit.reschedule(clock() + seconds)
                    self._waits_for_broker = True
                    await self._publisher.finish()
        except TimeoutError:
            raise self._timeout(seconds) from None
        finally:
            self.body.stop()

    def _timeout(self, seconds: float) -> StreamError:
        if self._waits_for_broker:
            return StreamError(
                StreamErrorCode.SOURCE,
                f"the broker has not confirmed all records for {seconds:g} seconds (timeout)",
            )
        return StreamError(
            StreamErrorCode.TIMEOUT, f"no input came for {seconds:g} seconds (timeout)"
        )

    async def _publish(self, lines: bytes) -> None:
        self._take_rejected()
        refused = ""
        if self.stream.failed:
            lines, error = _last_apart(lines)
            refused = f"line {error['line']}, byte {error['offset']}: {error['message']}"
        self._waits_for_broker = True
        await self._publisher.publish(lines)
        self._waits_for_broker = False
        if refused:
            await self._publisher.finish()
            raise StreamError(StreamErrorCode.BAD_RECORD, refused)


def _publisher(request: web.Request) -> Publisher:
    feeds, name = request.app[FEEDS], request.match_info["name"]
    source = feeds.sources.get(name)
    if source is None:
        raise ProblemError(404, f"there is no source {name!r}; {feeds.names()}")
    if isinstance(source, MemorySource):
        return MemoryPublisher(source)
    try:
        return BrokerPublisher(request.app[WRITERS], name)
    except SinkError as error:
        raise ProblemError(409, f"nothing can be published to source {name!r}: {error}") from None


def _last_apart(lines: bytes) -> tuple[bytes, dict[str, object]]:
    start = lines.rfind(b"\n", 0, -1) + 1
    error: dict[str, object] = json.loads(lines[start:])
    return lines[:start], error
