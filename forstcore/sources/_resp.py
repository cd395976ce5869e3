"""Answers of Redis, of which no more than a limit is kept in memory.

Redis bounds an answer by its number of entries, whose size is up to whoever adds them. Here
everything beyond a number of bytes is read and dropped.

What this relies on in redis-py 5 to 8, beyond its public interface: `_AsyncRESP2Parser` with
`_stream`, `_readline`, `parse_error` and `_read_response`.
"""

from __future__ import annotations

from asyncio import IncompleteReadError
from typing import Any

from redis._parsers import _AsyncRESP2Parser
from redis.exceptions import ConnectionError, InvalidResponse

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

    async def read_response(self, *args: Any, **options: Any) -> Any:
        self._left = self._limit
        return await super().read_response(*args, **options)

    async def _read_response(self, *args: Any, **options: Any) -> Any:
        raw = await self._readline()
        kind, text = raw[:1], raw[1:]
        if kind == b"$":
            return None if text == b"-1" else await self._string(int(text))
        if kind == b"*":
            return None if text == b"-1" else await self._array(int(text))
        if kind == b":":
            return int(text)
        if kind == b"+":
            return text
        if kind == b"-":
            error = self.parse_error(text.decode("utf-8", errors="replace"))  # type: ignore[no-untyped-call]
            if isinstance(error, ConnectionError):
                self._clear()  # type: ignore[no-untyped-call]
                raise error
            return error
        raise InvalidResponse(f"Protocol Error: {raw[:100]!r}")

    async def _array(self, count: int) -> list[Any]:
        items: list[Any] = []
        for _ in range(count):
            item = await self._read_response()
            # An entry may have any number of fields: a pair of them is enough to see the cut.
            if item is _NOTHING and len(items) > 1 and items[-1] is items[-2] is _NOTHING:
                continue
            items.append(item)
        return items

    async def _string(self, length: int) -> bytes:
        stream = self._stream
        assert stream is not None
        is_whole = length <= self._left
        kept = length if is_whole else max(0, self._left)
        self._left -= kept + _OVERHEAD
        try:
            if is_whole:
                return bytes((await stream.readexactly(kept + 2))[:kept])
            start = await stream.readexactly(kept)
        except IncompleteReadError:
            raise ConnectionError("Connection closed by server.") from None
        left = length + 2 - kept
        while left:
            dropped = len(await stream.read(min(left, _PIECE)))
            if not dropped:
                raise ConnectionError("Connection closed by server.")
            left -= dropped
        return Cut(start) if start else _NOTHING
