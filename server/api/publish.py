"""`POST /sources/{name}`: records for those who read that source."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from forstcore import RecordStream
from forstcore._plural import plural
from forstcore._proc import PASS_ON
from forstcore.sources.memory import MemorySource
from forstcore.wire import StreamErrorCode
from server.errors import ProblemError, StreamError
from server.http.request_headers import publish_on_error
from server.live.feed_registry import FEEDS, FeedRegistry
from server.observe.counters import counters_of
from server.streams.handler import StreamHandler
from server.streams.registry import REGISTRY, StreamRegistry
from server.streams.response_writer import ResponseWriter

__all__ = ["publish"]


async def publish(request: web.Request) -> web.StreamResponse:
    """Answer `POST /sources/{name}`: publish NDJSON, and say how much that was."""
    source = _source(request.app[FEEDS], request.match_info["name"])
    registry = request.app[REGISTRY]
    stream = RecordStream(
        on_error=publish_on_error(request),
        max_line_size=registry.config.max_line_size,
        processor=PASS_ON,
        keep_rejected=registry.error_file is not None,
    )
    return await PublishHandler(request, registry, stream, source).run()


class PublishHandler(StreamHandler):
    """A request whose lines are published as they come.

    Args:
        request, registry: as for `StreamHandler`.
        stream: checks the lines.
        source: where they go.
    """

    stream: RecordStream
    core_seconds = 0.0

    def __init__(
        self,
        request: web.Request,
        registry: StreamRegistry,
        stream: RecordStream,
        source: MemorySource,
    ) -> None:
        super().__init__(request, registry, stream)
        self._source = source
        self._count = 0

    async def run(self) -> web.StreamResponse:
        with self._registry.admit(self):
            try:
                # The answer says how it went, so there is none to write to before the end.
                self.body.start()
                await self._process(None)
            except StreamError as error:
                self.outcome, self.detail = error.code, error.detail
                await self._rejected_written()
                raise ProblemError(
                    error.status,
                    f"{error.detail}; {self._count} "
                    f"{plural(self._count, 'record was', 'records were')} published before that",
                ) from None
            await self._rejected_written()
            self.outcome = "ok"
            document = counters_of(self.stream)
            del document["bytes_out"]
            return web.json_response({**document, "offset": self._source.offset})

    async def _process(self, writer: ResponseWriter | None) -> None:
        seconds = self._config.timeout
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(seconds) as limit:
                async for piece in self.body.pieces():
                    self._publish(self.stream.feed(piece))
                    self._check()
                    limit.reschedule(clock() + seconds)
            if not self.stream.failed:
                self._publish(self.stream.finish())
            self._check()
        except TimeoutError:
            raise StreamError(
                StreamErrorCode.TIMEOUT, f"no input came for {seconds:g} seconds (timeout)"
            ) from None
        except asyncio.CancelledError:
            if self._ended_by is None:
                self.outcome = "cancelled"
                raise
            self._task.uncancel()
            raise self._ended_by from None
        finally:
            self.body.stop()

    def _publish(self, lines: bytes) -> None:
        self._take_rejected()
        refused = ""
        if self.stream.failed:
            lines, error = _last_apart(lines)
            refused = f"line {error['line']}, byte {error['offset']}: {error['message']}"
        self._count += self._source.publish(lines)
        if refused:
            raise StreamError(StreamErrorCode.BAD_RECORD, refused)


def _source(feeds: FeedRegistry, name: str) -> MemorySource:
    source = feeds.sources.get(name)
    if source is None:
        raise ProblemError(404, f"there is no source {name!r}; {feeds.names()}")
    if not isinstance(source, MemorySource):
        raise ProblemError(409, f"source {name!r} is not in memory: publish to its broker instead")
    return source


def _last_apart(lines: bytes) -> tuple[bytes, dict[str, object]]:
    start = lines.rfind(b"\n", 0, -1) + 1
    error: dict[str, object] = json.loads(lines[start:])
    return lines[:start], error
