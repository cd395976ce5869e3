"""A low-level HTTP/1.1 client with full control over timing and the end of a response."""

from __future__ import annotations

import socket
from typing import Self

__all__ = ["Cut", "RawStream", "apart", "chunk", "content"]


class Cut(Exception):
    """The connection ended before the response did."""


def chunk(data: bytes) -> bytes:
    """Write an HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def content(response: bytes) -> list[tuple[bytes, bool]]:
    """Return the output lines of a response with control lines, and whether each is an error line.

    How control lines divide the output depends on how the input arrived; this does not.
    """
    lines: list[tuple[bytes, bool]] = []
    places: list[int] = []
    passed = 0
    for line in response.splitlines():
        if line.startswith(b":rejected "):
            places, passed = [int(place) for place in line.split()[1:]], 0
            assert places == sorted(set(places))
        elif not line.startswith(b":"):
            passed += 1
            lines.append((line, passed in places))
    return lines


def apart(response: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the results and the error lines of a response with control lines."""
    lines = content(response)
    return (
        [line for line, is_error in lines if not is_error],
        [line for line, is_error in lines if is_error],
    )


class RawStream:
    """One streaming request over a socket, sent and read piece by piece.

    Args:
        address: host and port.
        path: target of the request.
        headers: more request headers.
        first: the first HTTP chunk, sent together with the head; none if empty.
        timeout: seconds after which a read that gets nothing fails.
        receive_buffer: size of the kernel's receive buffer in bytes, 0 for its default.
    """

    def __init__(
        self,
        address: tuple[str, int],
        path: str = "/streaming-process",
        headers: dict[str, str] | None = None,
        *,
        first: bytes = b"",
        timeout: float = 60,
        receive_buffer: int = 0,
    ) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {address[0]}:{address[1]}",
            "Transfer-Encoding: chunked",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        head = "\r\n".join([*lines, "", ""]).encode()
        self.socket.sendall(head + (chunk(first) if first else b""))
        self._unread = b""
        self._body = b""
        self._ended = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send `data` as one HTTP chunk."""
        self.socket.sendall(chunk(data))

    def send_many(self, data: bytes, *, times: int) -> None:
        """Send `data` as an HTTP chunk again and again."""
        for _ in range(times):
            self.send(data)

    def send_and_end(self, data: bytes) -> None:
        """Send `data` as the last HTTP chunk."""
        self.send(data)
        self.end()

    def end(self) -> None:
        """End the request."""
        self.socket.sendall(b"0\r\n\r\n")

    def read_head(self) -> int:
        """Read the response's head; return its status."""
        if not self.status:
            head = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            self.status = int(head[0].split()[1])
            for line in head[1:]:
                name, _, value = line.partition(":")
                if name:
                    self.headers[name.lower()] = value.strip()
        return self.status

    def read_line(self) -> bytes:
        """Read the next line of the response's body, its LF included."""
        while b"\n" not in self._body and self._read_chunk():
            pass
        end = self._body.find(b"\n") + 1 or len(self._body)
        line, self._body = self._body[:end], self._body[end:]
        return line

    def read_some(self) -> bytes:
        """Read the next part of the body."""
        if not self._body:
            self._read_chunk()
        data, self._body = self._body, b""
        return data

    def read_rest(self) -> bytes:
        """Read the body to its end; raises Cut if it has none."""
        while self._read_chunk():
            pass
        rest, self._body = self._body, b""
        return rest

    def read_until_cut(self) -> bytes:
        """Read until the connection is cut; fail if it ends properly."""
        try:
            self.read_rest()
        except Cut:
            rest, self._body = self._body, b""
            return rest
        raise AssertionError("the response ended as if all were well")

    def _read_chunk(self) -> bool:
        self.read_head()
        if self._ended:
            return False
        if "content-length" in self.headers:
            self._body += self._take(int(self.headers["content-length"]))
            self._ended = True
            return True
        size = int(self._read_until(b"\r\n").split(b";")[0], 16)
        if size == 0:
            while line := self._read_until(b"\r\n"):
                name, _, value = line.decode().partition(": ")
                self.trailers[name] = value
            self._ended = True
            return False
        data = self._take(size + 2)
        assert data.endswith(b"\r\n")
        self._body += data[:-2]
        return True

    def _read_until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            self._receive()
        found, _, self._unread = self._unread.partition(mark)
        return found

    def _take(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._receive()
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _receive(self) -> None:
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Cut
        self._unread += data
