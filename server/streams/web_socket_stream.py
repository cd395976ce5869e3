"""Both sides of a stream over a WebSocket: the body of the request, and the response."""

from __future__ import annotations

from aiohttp import web

from server.config import ServerConfig
from server.errors import StreamError
from server.http.body_protocol import BodySink
from server.http.request_handler import RequestHandler
from server.streams.request_body import RequestBody
from server.streams.response_writer import ResponseWriter
from server.streams.web_socket import StreamSocket

__all__ = ["WebSocketBody", "WebSocketWriter"]


class WebSocketBody(RequestBody):
    """Read the messages of a WebSocket like a body.

    Args:
        socket: the WebSocket.
        request, connection, config, sink: as for `RequestBody`.
    """

    def __init__(
        self,
        socket: StreamSocket,
        request: web.Request,
        connection: RequestHandler,
        config: ServerConfig,
        sink: BodySink,
    ) -> None:
        super().__init__(request, connection, config, sink)
        self._socket = socket

    @property
    def received(self) -> int:
        return self._socket.received

    def start(self) -> None:
        """Do nothing: messages have been read since the handshake."""

    def stop(self) -> None:
        super().stop()
        self._socket.drop_body()

    async def _receive(self) -> bytes:
        return await self._socket.take()

    def _chunks(self) -> int:
        return self._socket.messages


class WebSocketWriter(ResponseWriter):
    """Write results as messages of a WebSocket.

    Attributes:
        socket: the WebSocket; must be set before the first result.
    """

    socket: StreamSocket

    @property
    def paused(self) -> bool:
        return super().paused or self.socket.is_full

    async def end(self) -> None:
        await self.send(self._encoded(self._control_lines.end() if self._control_lines else b""))
        await self._spool_sent()
        await self.socket.close()

    async def fail(self, error: StreamError) -> None:
        transport = self._protocol.transport
        self._response.cut = True
        if transport is None:
            return
        if self._protocol.writing_paused or self._pump is not None:
            # The client does not read: free the memory.
            transport.abort()
            return
        if self._control_lines and not self.socket.response.closed:
            self.send_now(self._encoded(self._control_lines.error(error)))
        await self.socket.close(error)

    def heartbeat(self) -> None:
        """Send a ping, after the `:ack` line if there are control lines."""
        super().heartbeat()
        self.socket.ping()

    def spool_from_now(self) -> None:
        """Spool, unless the client uses flow control to say that it has no room."""
        if not self.socket.has_room:
            super().spool_from_now()

    def _encoded(self, data: bytes, *, last: bool = False) -> bytes:
        return self.socket.encoded(data) if data else b""
