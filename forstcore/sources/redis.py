"""Redis Streams: read by everybody, or shared out within a consumer group.

`redis://host:6379/0?stream=KEY` is read from any id on. With `&group=NAME` each reader is a
consumer of that group: see `_redis_group`.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from forstcore._cancelling import check_cancelled
from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, START, Batch, Keeps, SourceLimits
from forstcore.sources._broker import BrokerLog
from forstcore.sources._redis_entries import Pace, RedisReader, text_of
from forstcore.sources._redis_group import Group, GroupReader
from forstcore.sources._resp import BoundedParser
from forstcore.sources._url import SourceUrl

__all__ = ["RedisSource", "StreamReader"]

_BLOCK = 2.0  # Seconds that Redis may wait for new entries before it answers.
_TIMEOUT = 10.0  # Seconds after which a Redis that does not answer is taken as gone.
_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_ROOM = 1 << 16  # Bytes of an answer beyond what the longest record may need.


class RedisSource:
    """A stream in Redis.

    Args:
        url: as above.
        limits: the longest line.

    Attributes:
        name: what clients call it.
        stream: key of the stream.
        group: the consumer group, None if there is none.
        max_line_size: as in the limits.
        client: the connections; none is made before it is wanted.
        log: its log lines.
    """

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        self.stream = url.take("stream", url.name)
        self.max_line_size = limits.max_line_size
        self.log = BrokerLog(url.name)
        # The escapes of JSON make a field longer, never shorter: what is cut here is too long
        # for a line in any case.
        parser = functools.partial(BoundedParser, limit=4 * limits.max_line_size + _ROOM)
        try:
            self.client = Redis.from_url(
                f"{url.scheme}://{url.address}{url.path}",
                protocol=2,
                parser_class=parser,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                # Readers try again by themselves, and tell.
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise SourceError(url.name, f"has a URL that Redis cannot have: {error}") from None
        self.group: Group | None = None
        if group := url.take("group"):
            prefix = url.take("consumer")
            claim = url.take_seconds("claim", 30.0)
            self.group = Group(self.client, self.stream, group, prefix, limits.worker, claim)
        self.is_shared = self.group is None
        self.keeps: Keeps = "unacknowledged" if self.group else "offsets"

    def check(self, start: str) -> None:
        if self.group and start != NOW:
            raise OffsetError(
                self.name,
                f"is read as group {self.group.name!r}, which goes on where it was: omit from",
            )
        if start not in (NOW, START) and not _ID.fullmatch(start):
            raise OffsetError(self.name, f"has ids such as 1700000000000-0, not {start!r}")

    def open(self, start: str, session: str = "") -> StreamReader | GroupReader:
        if self.group is not None:
            return GroupReader(self.name, self.log, self.group, self.max_line_size)
        return StreamReader(self, start)

    async def close(self) -> None:
        await self.client.aclose()


class StreamReader(RedisReader):
    """A reading of everything behind an id.

    Args:
        source: the stream.
        start: the id, `START` or `NOW`.
    """

    def __init__(self, source: RedisSource, start: str) -> None:
        super().__init__(source.name, source.log, source.max_line_size)
        self._source = source
        self._pace = Pace()
        self._id = "0-0" if start == START else start
        self._is_new = True
        # Whether there may be entries behind the id that have been deleted.
        self._is_behind = start not in (NOW, START)

    async def _connect(self) -> None:
        if self._id == NOW:
            self._id = text_of((await self._state()).get("last-generated-id", "0-0"))
        elif self._failures:
            self._is_behind = True

    async def _receive(self) -> Batch:
        missed: int | None = 0
        if self._is_behind:
            if await self._is_gone():
                missed = None
            self._is_behind = False
        if self._is_new or missed is None:
            self._is_new = False
            return Batch(b"", self._id, missed)
        while True:
            check_cancelled()
            answer: Any = await self._source.client.xread(
                {self._source.stream: self._id},
                count=self._pace.count,
                block=int(_BLOCK * 1000),
            )
            if answer:
                break
        asked = self._pace.count
        entries = self._pace.whole(answer[0][1])
        self._id = text_of(entries[-1][0])
        # What was cut off is read again, from the id on.
        self._is_behind = len(answer[0][1]) == asked or len(entries) < len(answer[0][1])
        return Batch(self.lines_of(entries, self._pace), self._id, 0, not self._is_behind)

    async def _disconnect(self) -> None:
        # It may have been the size of the answer that took too long.
        self._pace = Pace()

    async def _is_gone(self) -> bool:
        """Tell whether entries behind the id may have been deleted."""
        state = await self._state()
        gone = [state.get("max-deleted-entry-id", "0-0")]
        if first := state.get("first-entry"):
            gone.append(first[0])
        # An id that is not there yet is one of a stream that was lost.
        end = state.get("last-generated-id", self._id)
        here = _order(self._id)
        return _order(end) < here or any(here < _order(each) for each in gone)

    async def _state(self) -> dict[str, Any]:
        """Return what Redis says of the stream; nothing if that is not there."""
        try:
            # Not by `xinfo_stream`, which needs all of the answer: its end are two entries, of
            # which the first may be too large to be kept.
            flat: Any = await self._source.client.execute_command(  # type: ignore[no-untyped-call]
                "XINFO", "STREAM", self._source.stream
            )
        except ResponseError as error:
            if "no such key" in str(error):
                return {}
            raise
        return {text_of(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def _order(entry_id: Any) -> tuple[int, int]:
    milliseconds, _, number = text_of(entry_id).partition("-")
    return int(milliseconds), int(number or 0)
