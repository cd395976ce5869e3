"""A parser for replies of Redis that keeps a limited number of bytes of each.

Commands limit the number of entries in a reply, but writers choose their size. This parser drops
everything beyond a number of bytes. If hiredis is installed, it parses short replies; a reply that
turns out to be longer is parsed again here.

redis-py has no public base class for parsers. This is the only module that uses its private names.
"""

from __future__ import annotations

import importlib
from asyncio import IncompleteReadError, StreamReader
from typing import Any, Protocol

import redis
from redis.exceptions import ConnectionError, InvalidResponse

try:
    hiredis: Any = importlib.import_module("hiredis")
except ImportError:
    hiredis = None  # Without hiredis all replies are parsed here, which is slower.
try:
    from redis._parsers import _AsyncRESP2Parser
except ImportError as error:
    raise ImportError(f"redis {redis.__version__} is not supported: {error}") from error
if not hasattr(_AsyncRESP2Parser, "_stream"):
    raise ImportError(f"redis {redis.__version__} is not supported: its parser has no _stream")

__all__ = ["BoundedParser", "Cut"]

_OVERHEAD = (
    8  # Bytes added to the size of each string, so that many tiny ones reach the limit, too.
)
_PIECE = 1 << 16  # Bytes read or dropped at once.
_SHORT = 1 << 20  # Bytes of replies that hiredis may buffer, besides its objects.
_INCOMPLETE = object()


class Cut(bytes):
    """A string of which only the start was kept."""


_NOTHING = Cut()


class _Input(Protocol):
    """A stream of received bytes."""

    async def readline(self) -> bytes: ...

    async def readexactly(self, n: int) -> bytes: ...

    async def read(self, n: int) -> bytes: ...


class _Ahead:
    """Bytes that were already read, followed by a stream.

    Args:
        data: the bytes.
        stream: the stream.
    """

    def __init__(self, data: bytes, stream: StreamReader) -> None:
        self._data = data
        self._at = 0
        self._stream = stream

    @property
    def rest(self) -> bytes:
        """The bytes that have not been read again."""
        return self._data[self._at :]

    async def readline(self) -> bytes:
        end = self._data.find(b"\n", self._at) + 1
        if end:
            return self._take(end - self._at)
        return self._take(len(self._data)) + await self._stream.readline()

    async def readexactly(self, n: int) -> bytes:
        found = self._take(n)
        if len(found) == n:
            return found
        return found + await self._stream.readexactly(n - len(found))

    async def read(self, n: int) -> bytes:
        return self._take(n) or await self._stream.read(n)

    def _take(self, n: int) -> bytes:
        found = self._data[self._at : self._at + n]
        self._at += len(found)
        return found


class BoundedParser(_AsyncRESP2Parser):
    """Keeps the first strings of each reply, and the start of the one that exceeds the limit.

    All strings after that one are empty, and `Cut` as well.

    Args:
        socket_read_size: as for any parser.
        limit: maximum bytes of strings kept of a reply.
    """

    def __init__(self, socket_read_size: int, *, limit: int) -> None:
        super().__init__(socket_read_size)
        self._limit = limit
        self._left = limit
        self._begin(b"")

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)  # type: ignore[no-untyped-call]
        self._begin(b"")

    async def read_response(self, disable_decoding: bool = True) -> Any:
        """Read a reply; strings always remain bytes."""
        stream = self._stream
        assert stream is not None
        if self._hiredis is None:
            return await self._bounded_reply(stream)
        while (reply := self._hiredis.gets()) is _INCOMPLETE:
            if self._size >= self._most_kept:
                return await self._read_again(stream)
            data = await stream.read(min(_PIECE, self._most_kept - self._size))
            if not data:
                raise _closed()
            self._kept.append(data)
            self._size += len(data)
            self._hiredis.feed(data)
        self._replies += 1
        if not self._hiredis.has_data():
            self._forget()
        if isinstance(reply, ConnectionError):
            raise reply
        return reply

    def _begin(self, data: bytes) -> None:
        """Have hiredis parse replies from now on, if it is installed.

        Args:
            data: the bytes already read of them.
        """
        self._hiredis: Any = None
        if hiredis is not None:
            self._hiredis = hiredis.Reader(
                protocolError=InvalidResponse,
                replyError=self.parse_error,
                notEnoughData=_INCOMPLETE,
            )
            self._hiredis.feed(data)
        self._most_kept = min(_SHORT, self._limit)
        self._forget()
        self._kept.append(data)
        self._size = len(data)

    def _forget(self) -> None:
        """Forget what was read: hiredis has parsed all of it."""
        self._kept: list[bytes] = []
        self._size = 0
        self._replies = 0  # Replies in `_kept` that have already been returned.

    async def _read_again(self, stream: StreamReader) -> Any:
        """Read a reply again that is too long for hiredis."""
        ahead = _Ahead(b"".join(self._kept), stream)
        for _ in range(self._replies):
            await self._bounded_reply(ahead)
        self._forget()
        reply = await self._bounded_reply(ahead)
        self._begin(ahead.rest)
        return reply

    async def _bounded_reply(self, stream: _Input) -> Any:
        self._left = self._limit
        return await self._reply(stream)

    async def _reply(self, stream: _Input) -> Any:
        line = await stream.readline()
        if not line.endswith(b"\r\n"):
            raise _closed()
        kind, text = line[:1], line[1:-2]
        if kind == b"$":
            return None if text == b"-1" else await self._string(stream, int(text))
        if kind == b"*":
            return None if text == b"-1" else await self._array(stream, int(text))
        if kind == b":":
            return int(text)
        if kind == b"+":
            return text
        if kind == b"-":
            error = self.parse_error(text.decode("utf-8", errors="replace"))  # type: ignore[no-untyped-call]
            if isinstance(error, ConnectionError):
                raise error
            return error
        raise InvalidResponse(f"Protocol Error: {line[:100]!r}")

    async def _array(self, stream: _Input, count: int) -> list[Any]:
        items: list[Any] = []
        for _ in range(count):
            item = await self._reply(stream)
            # An entry may have any number of fields: one pair is enough to show the cut.
            if item is _NOTHING and len(items) > 1 and items[-1] is items[-2] is _NOTHING:
                continue
            items.append(item)
        return items

    async def _string(self, stream: _Input, length: int) -> bytes:
        is_whole = length <= self._left
        kept = length if is_whole else max(0, self._left)
        self._left -= kept + _OVERHEAD
        try:
            if is_whole:
                return bytes((await stream.readexactly(kept + 2))[:kept])
            start = await stream.readexactly(kept)
        except IncompleteReadError:
            raise _closed() from None
        left = length + 2 - kept
        while left:
            dropped = len(await stream.read(min(left, _PIECE)))
            if not dropped:
                raise _closed()
            left -= dropped
        return Cut(start) if start else _NOTHING


def _closed() -> ConnectionError:
    return ConnectionError("Connection closed by server.")
