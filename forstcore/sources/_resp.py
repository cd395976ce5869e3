"""Answers of Redis, of which no more than a limit is kept in memory.

Redis bounds an answer by its number of entries, whose size is up to whoever adds them. Here
everything beyond a number of bytes is read and dropped.

redis-py has no public class to derive a parser from. All that is used of its private names is here.
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

_OVERHEAD = 8  # Bytes that a string counts beyond its own: answers of many tiny ones end too.
_PIECE = 1 << 16  # Bytes that are dropped at once.


class Cut(bytes):
    """A string of which only the start was kept."""


_NOTHING = Cut()


class BoundedParser(_AsyncRESP2Parser):
    """Keep the first strings of each answer, and of the one that passes the limit its start.

    All strings behind that one are empty and `Cut` as well.

    Args:
        socket_read_size: as for any parser.
        limit: bytes of strings that are kept of an answer.
    """

    def __init__(self, socket_read_size: int, *, limit: int) -> None:
        super().__init__(socket_read_size)
        self._limit = limit
        self._left = limit

    async def read_response(self, disable_decoding: bool = True) -> Any:
        """Read an answer; its strings are left as bytes in any case."""
        self._left = self._limit
        assert self._stream is not None
        return await self._answer(self._stream)

    async def _answer(self, stream: StreamReader) -> Any:
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
            item = await self._answer(stream)
            # An entry may have any number of fields: a pair of them is enough to see the cut.
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
