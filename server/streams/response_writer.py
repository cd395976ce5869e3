"""The output side of a stream: from results to the connection, at the reader's pace."""

from __future__ import annotations

import asyncio
import contextlib
import os

from aiohttp import hdrs, web

from forstcore import RejectedLines
from forstcore.wire import StreamErrorCode
from server.background import create_logged_task
from server.config import ServerConfig
from server.errors import StreamError
from server.http.compression import encoder_for
from server.http.control_lines import ControlLines
from server.http.request_handler import RequestHandler
from server.http.socket_state import bytes_in_flight
from server.http.trailers import Trailers
from server.streams.spool import Spool

__all__ = ["ResponseWriter", "StreamingResponse"]

_PIECE = 1 << 18  # Bytes of the spool that are in memory at a time.
_LAST_WORDS = 5.0  # Seconds in which the reader may take the line that says why it ends.


class StreamingResponse(web.StreamResponse):
    """A response that can end without the last chunk of aiohttp.

    Attributes:
        cut: whether that chunk is left out: there is to be none, or it is written already.
        trailers: what to write behind it, None for nothing.
    """

    cut = False
    trailers: Trailers | None = None

    async def write_eof(self, data: bytes = b"") -> None:
        if not self.cut:
            await super().write_eof(data)


class ResponseWriter:
    """Write results to a response that has been prepared.

    A reader that takes nothing while it goes on sending would wait for ever, as would we:
    `spool_from_now` puts the results into a file, from which a task sends them as soon as
    the reader reads.

    Args:
        protocol: the connection.
        response: its response, prepared.
        config: limits of the spool.
        control_lines: the writer of control lines, None if the client wants none.
        coding: content coding of the response, None for none.

    Attributes:
        sent: bytes handed to the connection; heartbeats are not counted.
        spool: results that wait in a file.
    """

    def __init__(
        self,
        protocol: RequestHandler,
        response: StreamingResponse,
        config: ServerConfig,
        control_lines: ControlLines | None,
        coding: str | None,
    ) -> None:
        self._protocol = protocol
        protocol.on_writable = self._stop_waiting
        self._response = response
        self._chunked = hdrs.TRANSFER_ENCODING in response.headers
        self._control_lines = control_lines
        self._encoder = encoder_for(coding) if coding else None
        self._wake: asyncio.Future[None] | None = None
        self._beat: asyncio.Task[object] | None = None
        self._pump: asyncio.Task[object] | None = None
        self._spool_lock = asyncio.Lock()
        self._lost: StreamError | None = None
        self.spool = Spool(config.spool_dir, config.max_spool_size)
        self.sent = 0

    @property
    def waiting(self) -> bool:
        """Whether nothing can be written before the reader reads."""
        return self._wake is not None

    @property
    def ready(self) -> bool:
        """Whether `send_now` may be used: nothing waits, neither here nor in the spool."""
        return self._pump is None and not self._protocol.writing_paused

    @property
    def empty(self) -> bool:
        """Whether all that was sent is with the kernel."""
        return self.ready and not self.queued()

    def accepted(self) -> int:
        """Count the bytes that the reader's side has taken: progress, if it grows."""
        return self.sent - bytes_in_flight(self._protocol.transport)

    def queued(self) -> int:
        """Count the bytes that wait in memory for the reader."""
        transport = self._protocol.transport
        return transport.get_write_buffer_size() if transport else 0

    @property
    def plain(self) -> bool:
        """Whether results go out as HTTP chunks, without a content coding."""
        return self._chunked and self._encoder is None

    def wrapped(self, results: bytes, rejected: RejectedLines | None = None) -> bytes:
        """Make a batch of results ready for the connection: control lines, coding, chunk.

        Args:
            results: result and error lines.
            rejected: the input lines that gave an error among theirs, None for none.
        """
        if self._control_lines:
            results = self._control_lines.results(results, rejected)
        return self._encoded(results) if results else b""

    async def send(self, wrapped: bytes) -> None:
        """Write what `wrapped` returned, and wait while the reader lags behind.

        Raises:
            StreamError: the client is gone, or the spool cannot be written.
        """
        while self._pump is not None:
            async with self._spool_lock:
                if self._pump is not None and self.spool.fits(len(wrapped)):
                    await self._to_spool(wrapped)
                    return
            if self._pump is not None:
                # The spool is full: the reader has to catch up first.
                await asyncio.wait([self._pump])
        if self._lost:
            raise self._lost
        self.send_now(wrapped)
        # The connection has what it could not send, so this would be held twice.
        del wrapped
        while self._protocol.writing_paused and self._pump is None:
            await self._room()

    def send_now(self, wrapped: bytes) -> None:
        """Write what `wrapped` returned when `ready`, whatever that leaves waiting.

        Raises:
            StreamError: the client is gone.
        """
        if not wrapped:
            return
        # The head is on its way already. aiohttp's writer would do the same by way of a
        # coroutine, which costs a lone record a tenth of its time.
        self._open_transport().write(wrapped)
        self.sent += len(wrapped)

    def _open_transport(self) -> asyncio.Transport:
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise StreamError(StreamErrorCode.DISCONNECTED)
        return transport

    async def end(self) -> None:
        """Write what ends a good stream, and wait until all is on its way.

        Raises:
            StreamError: the client is gone, or the spool cannot be written.
        """
        await self.send(
            self._encoded(self._control_lines.end() if self._control_lines else b"", last=True)
        )
        while self._pump is not None:
            await asyncio.wait([self._pump])
        if self._lost:
            raise self._lost
        trailers = self._response.trailers
        section = trailers.section() if trailers and self._chunked else b""
        if section:
            self._open_transport().write(b"0\r\n%b\r\n" % section)
            self._response.cut = True
            return
        try:
            await self._response.write_eof()
        except ConnectionError as error:
            raise StreamError(StreamErrorCode.DISCONNECTED) from error

    async def fail(self, error: StreamError) -> None:
        """End a failed stream so that every client notices.

        With frames a line says why, and the response ends like any other: the connection goes
        on when the rest of the body has come. Without, the response lacks its last HTTP chunk:
        the sending half of the connection is closed, what is on its way arrives.
        """
        transport = self._protocol.transport
        if not self._control_lines or self._protocol.framing_lost:
            self._response.force_close()
        self._response.cut = True
        if transport is None:
            return
        if self._protocol.writing_paused or self._pump is not None:
            # Nobody reads: the error cannot be sent, and aborting frees the memory.
            transport.abort()
        elif self._control_lines:
            self.send_now(self._encoded(self._control_lines.error(error), last=True))
            self._response.cut = False
            try:
                async with asyncio.timeout(_LAST_WORDS):
                    await self._response.write_eof()
            except TimeoutError:
                transport.abort()
        elif transport.can_write_eof():
            try:
                transport.write_eof()
            except OSError:
                # The client was faster: there is nobody to tell.
                transport.abort()
        else:
            transport.close()

    def heartbeat(self) -> None:
        """Tell a client with frames that the stream lives, if it reads."""
        if self._control_lines:
            self._beat = create_logged_task("a heartbeat", self._put_ack(self._control_lines))

    def spool_from_now(self) -> None:
        """Stop waiting for the reader: results go to the spool until it has caught up."""
        if self._pump is None and self.spool.fits(_PIECE):
            self._pump = create_logged_task("sending a spool", self._send_spool())
            self._stop_waiting()

    def close(self) -> None:
        """Free the spool, and stop sending it."""
        if self._pump is not None:
            self._pump.cancel()
        self.spool.close()
        self._protocol.on_writable = None

    def _encoded(self, data: bytes, *, last: bool = False) -> bytes:
        if self._encoder is not None:
            data = self._encoder.encode(data) + (self._encoder.finish() if last else b"")
        return b"%x\r\n%b\r\n" % (len(data), data) if data and self._chunked else data

    async def _put_ack(self, control_lines: ControlLines) -> None:
        # Encoding and writing are one step: no results can come between.
        if not (self._protocol.writing_paused or self._pump or self._response.cut):
            with contextlib.suppress(StreamError):
                before = self.sent
                self.send_now(self._encoded(control_lines.ack()))
                self.sent = before

    async def _to_spool(self, data: bytes) -> None:
        try:
            await asyncio.to_thread(self.spool.put, data)
        except OSError as error:
            # What Python says instead of the system may name directories of the server.
            reason = os.strerror(error.errno or 0)
            raise StreamError(StreamErrorCode.SPOOL, f"cannot spool: {reason}") from error

    async def _send_spool(self) -> None:
        try:
            while True:
                while self._protocol.writing_paused:
                    await self._room()
                async with self._spool_lock:
                    data = await asyncio.to_thread(self.spool.get, _PIECE)
                    if not data:
                        return
                self.send_now(data)
        except StreamError as error:
            self._lost = error
        except OSError as error:
            self._lost = StreamError(
                StreamErrorCode.SPOOL, f"cannot read the spool: {error.strerror}"
            )
        except Exception:
            # What is in the spool is lost, so the stream must not go on as if it were not.
            self._lost = StreamError(StreamErrorCode.INTERNAL)
            raise
        finally:
            self._pump = None

    async def _room(self) -> None:
        """Wait until the connection takes more, or until `_stop_waiting`."""
        wake = self._wake = asyncio.get_running_loop().create_future()
        try:
            await wake
        finally:
            if self._wake is wake:
                self._wake = None
        if self._protocol.transport is None:
            raise StreamError(StreamErrorCode.DISCONNECTED)

    def _stop_waiting(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
