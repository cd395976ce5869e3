"""A WebSocket, written and read frame by frame."""

from __future__ import annotations

import os
import socket
import struct
from typing import Self

from tests.servers import Server

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HANDSHAKE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def frame(
    kind: int, data: bytes = b"", *, final: bool = True, masked: bool = True, flags: int = 0
) -> bytes:
    """Write a frame of a client."""
    first = kind | flags | (0x80 if final else 0)
    bit = 0x80 if masked else 0
    if len(data) < 126:
        head = struct.pack("!BB", first, bit | len(data))
    elif len(data) < 1 << 16:
        head = struct.pack("!BBH", first, bit | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, bit | 127, len(data))
    if not masked:
        return head + data
    mask = os.urandom(4)
    repeated = int.from_bytes((mask * (len(data) // 4 + 1))[: len(data)])
    return head + mask + (int.from_bytes(data) ^ repeated).to_bytes(len(data))


class RawSocket:
    """A WebSocket over a socket, after its handshake."""

    def __init__(
        self,
        server: Server,
        query: str = "",
        path: str = "/streaming-process",
        *,
        headers: str = "",
        behind: bytes = b"",
        receive_buffer: int = 0,
    ) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect((server.host, server.port))
        head = f"GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}{headers}\r\n"
        self.socket.sendall(head.encode() + behind)
        self._unread = b""
        while b"\r\n\r\n" not in self._unread:
            self._fill()
        answer, _, self._unread = self._unread.partition(b"\r\n\r\n")
        self.head = answer.decode().lower()
        assert self.head.startswith("http/1.1 101 "), self.head
        assert "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in self.head

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, kind: int, data: bytes = b"", **options: bool) -> None:
        self.socket.sendall(frame(kind, data, **options))

    def _fill(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError
        self._unread += data

    def _take(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._fill()
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def frame(self) -> tuple[int, bytes]:
        """Read a frame; return its kind and content."""
        first, size = self._take(2)
        assert first & 0xF0 == 0x80
        assert size < 128, "a server must not mask"
        if size >= 126:
            size = int.from_bytes(self._take(2 if size == 126 else 8))
        return first & 0x0F, self._take(size)

    def message(self) -> bytes:
        """Read a message of the stream."""
        while (found := self.frame())[0] in (PING, PONG):
            pass
        assert found[0] in (TEXT, BINARY), found
        return found[1]

    def lines(self, count: int) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < count:
            found += self.message().splitlines()
        return found

    def closed(self) -> tuple[int, str]:
        """Read up to the close frame; return its code and reason."""
        while (found := self.frame())[0] != CLOSE:
            pass
        return int.from_bytes(found[1][:2]), found[1][2:].decode()

    def until_end(self) -> None:
        """Read until the server has closed the connection."""
        try:
            while True:
                self._fill()
                self._unread = b""
        except (EOFError, ConnectionError):
            pass
