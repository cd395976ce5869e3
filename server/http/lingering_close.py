"""Closing a connection without losing its last response."""

from __future__ import annotations

import asyncio

from server.http.socket_state import bytes_in_flight

__all__ = ["LingeringClose"]

_TIMEOUT = 5.0  # Seconds for a client that continues to send to receive the response.
_INTERVAL = 0.02  # Seconds between two checks.
_DISCARDED = 1 << 17  # Bytes to receive and discard, not counting the body of the last request.


class LingeringClose:
    """Close a connection in stages, as RFC 9112, section 9.6 describes.

    If a connection is closed while received bytes are unread, the kernel discards what it is
    still sending, including complete responses. So the sending side is closed first, and received
    bytes are discarded until the client has everything.

    Args:
        transport: the connection.
        is_client_sending: whether the client sends more than was read.
        is_body_incomplete: whether that belongs to the body of the last request, or to a frame of
            a WebSocket. Most clients read no response before they have sent it entirely, so all
            of it is received.
    """

    def __init__(
        self, transport: asyncio.Transport, *, is_client_sending: bool, is_body_incomplete: bool
    ) -> None:
        self._transport = transport
        self._is_client_sending = is_client_sending
        self._left: float = float("inf") if is_body_incomplete else _DISCARDED
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + _TIMEOUT

    def start(self) -> None:
        """Close the sending side; the connection is closed later."""
        try:
            self._transport.write_eof()
        except OSError:
            # The client has closed the connection already.
            self._transport.abort()
        else:
            self._check()

    def discard(self, size: int) -> None:
        """Count received bytes, which are discarded."""
        self._is_client_sending = True
        self._left -= size
        if self._left <= 0:
            # The client may receive the response, but is not read from any more.
            self._is_client_sending = False
            self._transport.pause_reading()

    def _check(self) -> None:
        if self._transport.is_closing():
            return
        is_pending = self._is_client_sending or bytes_in_flight(self._transport)
        if is_pending and self._loop.time() < self._deadline:
            self._loop.call_later(_INTERVAL, self._check)
        else:
            self._transport.close()
