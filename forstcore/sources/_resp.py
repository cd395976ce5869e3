"""A parser for replies of Redis that keeps a limited number of bytes of each.

Commands limit a reply by its number of entries, but writers choose their size. This parser reads
and drops everything beyond a number of bytes.

redis-py has no public base class for parsers. This is the only module that uses its private names.
"""

from __future__ import annotations

from asyncio import IncompleteReadError, StreamReader
from typing import Any

import redis
from redis.exceptions import ConnectionError, InvalidResponse

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
_PIECE = 1 << 16  # Bytes dropped per read.


class Cut(bytes):
    """A string of which only the start was kept."""


_NOTHING = Cut()


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

    async def read_response(self, disable_decoding: bool = True) -> Any:
        """Read a reply; strings always remain bytes."""
        self._left = self._limit
        assert self._stream is not None
        return await self._reply(self._stream)

    async def _reply(self, stream: StreamReader) -> Any:
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

    async def _array(self, stream: StreamReader, count: int) -> list[Any]:
        items: list[Any] = []
        for _ in range(count):
            item = await self._reply(stream)
            # An entry may have any number of fields: one pair is enough to show the cut.
            if item is _NOTHING and len(items) > 1 and items[-1] is items[-2] is _NOTHING:
                continue
            items.append(item)
        return items

    async def _string(self, stream: StreamReader, length: int) -> bytes:
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
