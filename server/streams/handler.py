"""The stream handler: processes the body of one request into its response."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Literal, cast

from aiohttp import hdrs, web

from forstcore import RejectedLines, wire
from forstcore._plural import plural
from forstcore.wire import StreamErrorCode
from server.errors import StreamError
from server.http.body_protocol import BodyProtocol
from server.http.compression import negotiate
from server.http.control_lines import ControlLines
from server.http.preferences import vary
from server.http.request_handler import RequestHandler
from server.http.request_headers import has_frames, on_error, result_type
from server.http.trailers import Trailers
from server.observe.counters import (
    Counted,
    came_to_nothing,
    counters_of,
    optional_counters_of,
)
from server.observe.metrics import Carrier
from server.observe.snapshot import Snapshot
from server.streams.registry import StreamRegistry
from server.streams.request_body import RequestBody, check_body
from server.streams.response_writer import ResponseWriter, StreamingResponse
from server.streams.watchdog import Watchdog
from server.streams.web_socket import StreamSocket, is_web_socket
from server.streams.web_socket_stream import WebSocketBody, WebSocketWriter

__all__ = ["StreamHandler", "drained", "keep_rejected"]

_LOGGER = logging.getLogger("forstcore")


class StreamHandler(ABC):
    """One streaming request, from its head to the end of its response.

    Args:
        request: the request.
        registry: the streams of this process.
        stream: the counters of the stream.

    Attributes:
        request: the request.
        stream: as above.
        processor: name of the processor, None for `/streaming-process`.
        number: its number in this process.
        outcome: ``ok``, or the code of the error; empty while the stream runs.

    Raises:
        ProblemError: the request is not valid.
    """

    def __init__(
        self,
        request: web.Request,
        registry: StreamRegistry,
        stream: Counted,
        processor: str | None = None,
    ) -> None:
        config = registry.config
        check_body(request, config)
        self.request = request
        self.stream = stream
        self.processor = processor
        protocol = request.protocol
        if not isinstance(protocol, RequestHandler):
            raise RuntimeError(f"the protocol must be a RequestHandler, not {protocol!r}")
        self.socket: StreamSocket | None = None
        if request.method == "GET" and is_web_socket(request):
            self.socket = StreamSocket(request, protocol, config, self.interrupt)
            self.body: RequestBody = WebSocketBody(self.socket, request, protocol, config, self)
        else:
            self.body = RequestBody(request, protocol, config, self)
        self.writer: ResponseWriter | None = None
        self.outcome = ""
        self.detail = ""
        self.started_at = time.monotonic()
        self.number = next(registry.numbers)
        self._protocol = protocol
        self._registry = registry
        self._config = config
        self._control_lines = ControlLines(self.stream) if has_frames(request) else None
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._watch: Watchdog | None = None
        self._ended_by: StreamError | None = None
        self._draining = False
        self._has_rejected = False

    @property
    def missed(self) -> int:
        """Records dropped because the client was too slow; 0 unless this is a subscription."""
        return 0

    @property
    def source(self) -> str | None:
        """Name of the source of a subscription, None for other streams."""
        return None

    @property
    @abstractmethod
    def core_seconds(self) -> float:
        """Time spent processing."""

    async def run(self) -> web.StreamResponse:
        """Process the body, send the results, and return the response."""
        carrier = self._carrier()
        with self._registry.admit(self), self._registry.metrics.carried(carrier):
            coding = None
            if self._config.compression and self.socket is None:
                coding = negotiate(",".join(self.request.headers.getall(hdrs.ACCEPT_ENCODING, [])))
            response = self.socket.response if self.socket else self._response(coding)
            try:
                await response.prepare(self.request)
            except ConnectionError:
                self.outcome = "disconnected"
                response.cut = True
                return response
            self.writer = writer = self._writer_for(response, coding)
            if isinstance(writer, WebSocketWriter) and self.socket is not None:
                writer.socket = self.socket
                self.socket.start()
            self._watch = watch = Watchdog(
                self.body,
                writer,
                self._is_reading,
                self.is_processing,
                self.interrupt,
                self._config,
            )
            try:
                with self._interruptible():
                    self._start_body()
                    await self._process(writer)
                self.outcome = "ok"
            except StreamError as error:
                await self._fail(writer, error)
            except Exception:
                _LOGGER.exception("a stream ended by an error of the server")
                await self._fail(writer, StreamError(StreamErrorCode.INTERNAL))
            finally:
                watch.stop()
                self._watch = None
                writer.close()
                self.body.stop()
                if self.socket is not None:
                    self.socket.stop()
        return response

    def _response(self, coding: str | None) -> StreamingResponse:
        response = _response(self._media_type(), coding)
        response.headers.update(self._more_headers())
        if self._config.compression:
            vary(response.headers, hdrs.ACCEPT_ENCODING)
        if self._control_lines is not None and self._carrier() == "http":
            response.headers[wire.FORST_FRAMES] = wire.FRAMES_VERSION
        trailers = Trailers(self.request, self.stream, has_frames=self._control_lines is not None)
        if trailers.announced:
            response.headers[hdrs.TRAILER] = trailers.announced
        response.trailers = trailers
        return response

    def _carrier(self) -> Carrier:
        """Return how the results get to the client."""
        return "http" if self.socket is None else "web_socket"

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Raise the error of `interrupt` in the block, in place of the cancellation."""
        try:
            yield
        except asyncio.CancelledError:
            if self._ended_by is None:
                self.outcome = "cancelled"
                raise
            self._task.uncancel()
            raise self._ended_by from None

    def interrupt(self, error: StreamError) -> None:
        """End the stream with an error, whatever it is waiting for."""
        if self._ended_by is None and not self.outcome:
            self._ended_by = error
            self._task.cancel()

    def drain(self) -> None:
        """End the stream at the next line boundary, after processing the input read so far."""
        self._draining = True
        if self.body.waiting:
            self.interrupt(drained())

    def snapshot(self) -> Snapshot:
        """Return the current state of this stream."""
        writer, stream = self.writer, self.stream
        return Snapshot(
            number=self.number,
            path=self.request.path,
            client=self.request.remote,
            processor=self.processor,
            source=self.source,
            traceparent=self.request.headers.get("traceparent", ""),
            tracestate=self.request.headers.get("tracestate", ""),
            outcome=self.outcome,
            detail=self.detail,
            started_at=self.started_at,
            seconds=time.monotonic() - self.started_at,
            core_seconds=self.core_seconds,
            counters={**counters_of(stream), **optional_counters_of(stream)},
            errors_by_code=stream.errors_by_code(),
            came_to_nothing=came_to_nothing(stream),
            missed=self.missed,
            bytes_received=self.body.received,
            bytes_sent=writer.sent if writer else 0,
            bytes_spooled=writer.spool.written if writer else 0,
            queued=writer.queued() if writer else 0,
            spooled=len(writer.spool) if writer else 0,
            waits_for=self._waits_for(),
        )

    def _waits_for(self) -> Literal["reader", "sender", "source", "server"]:
        if self.writer is not None and self.writer.waiting:
            return "reader"
        if self.source is not None:
            return "source"
        return "sender" if self.body.waiting and not self.is_processing() else "server"

    def _media_type(self) -> str:
        """Return the media type of the response."""
        return result_type(self.request)

    def _more_headers(self) -> Mapping[str, str]:
        """Return additional response headers of the endpoint."""
        return {}

    def _writer_for(self, response: StreamingResponse, coding: str | None) -> ResponseWriter:
        """Create the response writer."""
        kind = ResponseWriter if self.socket is None else WebSocketWriter
        return kind(self._protocol, response, self._config, self._control_lines, coding)

    def _start_body(self) -> None:
        """Start reading the body."""
        self.body.start()

    @abstractmethod
    async def _process(self, writer: ResponseWriter) -> None:
        """Process the body to its end, and write the results.

        Args:
            writer: writes the results.
        """

    def begin(self) -> None:
        """Count the stream; see `BodySink`.

        Raises:
            StreamError: too many streams are open.
        """
        self._registry.count_in(self)
        if self._watch is not None:
            self._watch.begin()

    def process_now(self, _piece: memoryview, /) -> int:
        """Leave the piece to `_process`; see `BodySink`."""
        return 0

    def read_directly(self, _body: BodyProtocol, /) -> None:
        """Leave reading to the event loop; see `BodySink`."""
        return

    def is_processing(self) -> bool:
        """Return whether input is being processed."""
        return False

    def _check(self) -> None:
        """Raise StreamError if the stream must end after the results sent so far."""
        most = self._config.max_stream_records
        if self.stream.failed:
            raise StreamError(
                StreamErrorCode.BAD_RECORD,
                "a line is not a valid record; the preceding error line gives the reason",
            )
        if most and self.stream.lines > most:
            raise StreamError(
                StreamErrorCode.TOO_MANY_RECORDS,
                f"the input has more than {most} {plural(most, 'line')} (max_stream_records)",
            )
        if self._draining:
            raise drained()

    async def _fail(self, writer: ResponseWriter, error: StreamError) -> None:
        self.outcome, self.detail = error.code, error.detail
        await self._rejected_written()
        with contextlib.suppress(ConnectionError, StreamError):
            await writer.fail(error)

    def _take_rejected(self) -> RejectedLines | None:
        """Return the newly rejected lines, and write them to the error file if there is one."""
        rejected = self.stream.take_rejected()
        if rejected is None:
            return None
        file = self._registry.error_file
        if file is not None:
            file.write(rejected, self.request.path, self.request.remote or "")
            self._has_rejected = True
        return rejected

    def _may_reject(self) -> bool:
        """Return whether the queue of the error file has room for more rejected lines."""
        file = self._registry.error_file
        return file is None or not self._has_rejected or not file.is_crowded

    async def _rejected_written(self) -> None:
        """Wait for a limited time until the rejected lines are in the error file."""
        if self._has_rejected and self._registry.error_file is not None:
            await self._registry.error_file.flushed()

    def _is_reading(self) -> bool:
        transport = self.request.transport
        return transport is not None and transport.is_reading()


def keep_rejected(request: web.Request, registry: StreamRegistry) -> bool:
    """Return whether rejected lines are needed, for the error file or control lines."""
    return registry.error_file is not None or (has_frames(request) and on_error(request) != "skip")


def _response(media_type: str, coding: str | None) -> StreamingResponse:
    response = StreamingResponse(
        headers={
            "Content-Type": media_type,
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",
        }
    )
    if coding:
        response.headers["Content-Encoding"] = coding
    return response


def drained() -> StreamError:
    """Return the error of a stream that ends because the server shuts down."""
    return StreamError(
        StreamErrorCode.DRAINING,
        "the server is shutting down; resend from the first line without :ack",
    )
