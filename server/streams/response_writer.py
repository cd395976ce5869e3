"""The output side of a stream: writes results to the connection, with backpressure."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

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

_PIECE = 1 << 18  # Bytes read from the spool at a time.
_LAST_WORDS = 5.0  # Time limit in seconds for sending the `:error` line.


class StreamingResponse(web.StreamResponse):
    """A response that can end without the last chunk that aiohttp writes.

    Attributes:
        cut: whether to omit that chunk, because the stream failed or the chunk was written already.
        trailers: the trailer section, None for none.
    """

    cut = False
    trailers: Trailers | None = None

    async def write_eof(self, data: bytes = b"") -> None:
        if not self.cut:
            await super().write_eof(data)


class ResponseWriter:
    """Write results to a prepared response.

    A half-duplex client sends its whole body before it reads. Waiting for it would be a
    deadlock, so `spool_from_now` diverts the results to a file. A task sends them from there
    once the client reads.

    Args:
        protocol: the connection.
        response: the prepared response.
        config: limits of the spool.
        control_lines: the writer of control lines, None if the client did not ask for them.
        coding: content coding of the response, None for none.

    Attributes:
        sent: bytes written to the connection, without heartbeats.
        spool: results waiting in a file.
        on_wait: called when a write begins to wait for the client.
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
        self.on_wait: Callable[[], None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a write waits for the client to read."""
        return self._wake is not None

    @property
    def paused(self) -> bool:
        """Whether the client reads too slowly, so that nothing more should be written now."""
        return self._protocol.writing_paused

    @property
    def ready(self) -> bool:
        """Whether `send_now` may be used: writing is not paused and nothing is spooled."""
        return self._pump is None and not self.paused

    @property
    def empty(self) -> bool:
        """Whether the kernel has taken everything that was sent."""
        return self.ready and not self.queued()

    def accepted(self) -> int:
        """Return how many bytes the client's host has received; growth means progress."""
        return self.sent - bytes_in_flight(self._protocol.transport)

    def queued(self) -> int:
        """Return how many bytes wait in memory for the client."""
        transport = self._protocol.transport
        return transport.get_write_buffer_size() if transport else 0

    @property
    def plain(self) -> bool:
        """Whether results go out as HTTP chunks, without a content coding."""
        return self._chunked and self._encoder is None

    def wrapped(self, results: bytes, rejected: RejectedLines | None = None) -> bytes:
        """Add control lines, content coding and chunk framing to a batch of results.

        Args:
            results: result and error lines.
            rejected: the rejected input lines, None for none.
        """
        if self._control_lines:
            results = self._control_lines.results(results, rejected)
        return self._encoded(results) if results else b""

    async def send(self, wrapped: bytes) -> None:
        """Write the result of `wrapped`, and wait while the client reads too slowly.

        Raises:
            StreamError: the client disconnected, or the spool cannot be written.
        """
        while self._pump is not None:
            async with self._spool_lock:
                if self._pump is not None and self.spool.fits(len(wrapped)):
                    await self._to_spool(wrapped)
                    return
            if self._pump is not None:
                # The spool is full: wait until the client has caught up.
                await asyncio.wait([self._pump])
        if self._lost:
            raise self._lost
        self.send_now(wrapped)
        # The transport buffers unsent bytes: do not hold a second copy.
        del wrapped
        while self.paused and self._pump is None:
            await self._room()

    def send_now(self, wrapped: bytes) -> None:
        """Write the result of `wrapped` without waiting; only when `ready`.

        Raises:
            StreamError: the client disconnected.
        """
        if not wrapped:
            return
        # The head has been sent, so write to the transport directly: the coroutine of aiohttp's
        # writer would add a tenth to the time of a single record.
        self._open_transport().write(wrapped)
        self.sent += len(wrapped)

    def _open_transport(self) -> asyncio.Transport:
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise StreamError(StreamErrorCode.DISCONNECTED)
        return transport

    async def end(self) -> None:
        """End a successful stream: write the last line and trailers, and flush everything.

        Raises:
            StreamError: the client disconnected, or the spool cannot be written.
        """
        await self.send(
            self._encoded(self._control_lines.end() if self._control_lines else b"", last=True)
        )
        await self._spool_sent()
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

        With control lines, an `:error` line gives the reason and the response ends normally; the
        connection can be reused after the rest of the body. Without them, the last HTTP chunk is
        omitted and only the sending half is closed, so that data in flight still arrives.
        """
        transport = self._protocol.transport
        if not self._control_lines or self._protocol.framing_lost:
            self._response.force_close()
        self._response.cut = True
        if transport is None:
            return
        if self._protocol.writing_paused or self._pump is not None:
            # The client does not read: free the memory.
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
                # The client has disconnected meanwhile.
                transport.abort()
        else:
            transport.close()

    @property
    def has_heartbeats(self) -> bool:
        """Whether the client wants heartbeats."""
        return self._control_lines is not None

    def heartbeat(self) -> None:
        """Send an `:ack` line as a heartbeat, if the client wants control lines and reads."""
        if self._control_lines:
            self._beat = create_logged_task("a heartbeat", self._put_ack(self._control_lines))

    def spool_from_now(self) -> None:
        """Stop waiting for the client: spool results until it has caught up."""
        if self._pump is None and self.spool.fits(_PIECE):
            self._pump = create_logged_task("sending a spool", self._send_spool())
            self._stop_waiting()

    def close(self) -> None:
        """Stop sending the spool, and delete it."""
        if self._pump is not None:
            self._pump.cancel()
        self.spool.close()
        self._protocol.on_writable = None

    def _encoded(self, data: bytes, *, last: bool = False) -> bytes:
        if self._encoder is not None:
            data = self._encoder.encode(data) + (self._encoder.finish() if last else b"")
        return b"%x\r\n%b\r\n" % (len(data), data) if data and self._chunked else data

    async def _put_ack(self, control_lines: ControlLines) -> None:
        # Do not await between encoding and writing: results must not come between them.
        if self.ready and not self._response.cut:
            with contextlib.suppress(StreamError):
                before = self.sent
                self.send_now(self._encoded(control_lines.ack()))
                self.sent = before

    async def _to_spool(self, data: bytes) -> None:
        try:
            await asyncio.to_thread(self.spool.put, data)
        except OSError as error:
            # The message of Python, unlike that of the system, may contain paths of the server.
            reason = os.strerror(error.errno or 0)
            raise StreamError(StreamErrorCode.SPOOL, f"cannot spool: {reason}") from error

    async def _spool_sent(self) -> None:
        while self._pump is not None:
            await asyncio.wait([self._pump])
        if self._lost:
            raise self._lost

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
            # The spooled results are lost, so the stream must fail.
            self._lost = StreamError(StreamErrorCode.INTERNAL)
            raise
        finally:
            self._pump = None

    async def _room(self) -> None:
        """Wait until the connection is writable, or `_stop_waiting` is called."""
        wake = self._wake = asyncio.get_running_loop().create_future()
        if self.on_wait is not None:
            self.on_wait()
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
