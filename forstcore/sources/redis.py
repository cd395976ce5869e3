"""Redis Streams: read by every reader, or distributed within a consumer group.

`redis://host:6379/0?stream=KEY` can be read from any entry id on. With `&group=NAME` each reader is
a consumer of that group: see `_redis_group`.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from redis.exceptions import ResponseError

from forstcore._cancelling import check_cancelled
from forstcore.errors import OffsetError
from forstcore.sources import NOW, START, Batch, Keeps, SourceLimits
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._redis_client import database_of, redis_client
from forstcore.sources._redis_group import ConsumerGroup, GroupReader
from forstcore.sources._redis_reader import BLOCK, RedisReader, members_of, order_of, text_of
from forstcore.sources._resp import BoundedParser
from forstcore.sources._url import SourceUrl

__all__ = ["RedisSource", "StreamReader"]

_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_ROOM = 1 << 16  # Bytes of a reply beyond what the longest record may need.


class RedisSource:
    """A stream in Redis.

    Args:
        url: as above.
        limits: the maximum line size.

    Attributes:
        name: its name for clients.
        stream: key of the stream.
        group: the consumer group, None if there is none.
        max_line_size: as in the limits.
        database: where the stream is.
        client: the connections, which are made on demand.
        log: its log lines.
    """

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        self.stream = url.take("stream", url.name)
        self.max_line_size = limits.max_line_size
        self.log = BrokerLog(url.name)
        # JSON escapes only lengthen a field, so an entry that is cut here is too long for a line.
        self.database = database_of(url)
        parser = functools.partial(BoundedParser, limit=4 * limits.max_line_size + _ROOM)
        self.client = redis_client(url, parser_class=parser)
        self.group: ConsumerGroup | None = None
        if group := url.take("group"):
            prefix = url.take("consumer")
            claim = url.take_seconds("claim", 30.0)
            self.group = ConsumerGroup(
                self.client, self.stream, group, prefix, limits.worker, claim
            )
        self.is_shared = self.group is None
        self.keeps: Keeps = "unacknowledged" if self.group else "offsets"

    def check(self, start: str) -> None:
        if self.group and start != NOW:
            raise OffsetError(
                self.name,
                f"is read as group {self.group.name!r}, which resumes by itself: omit from",
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
    """Reads every entry after an id.

    Args:
        source: the stream.
        start: the id, `START` or `NOW`.
    """

    def __init__(self, source: RedisSource, start: str) -> None:
        super().__init__(source.name, source.log, source.max_line_size)
        self._source = source
        # A dedicated connection: closing the idle connections of the pool could close one that
        # another reader is just taking.
        self._client = source.client.client()
        self._id = "0-0" if start == START else start
        self._is_new = True
        # Whether entries after the id may have been deleted.
        self._is_behind = start not in (NOW, START)

    async def close(self) -> None:
        await super().close()
        if self._client.connection is not None:
            # The pool would keep it open, one for each reader that there was at the same time.
            await self._client.connection.disconnect()
        await self._client.aclose(close_connection_pool=False)

    async def _connect(self) -> None:
        if self._id == NOW:
            self._id = text_of((await self._state()).get("last-generated-id", "0-0"))
        else:
            # A client connects with its first command. Without one, this would succeed while
            # Redis is down, and be reported as such.
            await self._client.ping()
            self._is_behind = self._is_behind or self._failures > 0

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
            answer: Any = await self._client.xread(
                {self._source.stream: self._id},
                count=self._fetch_size.count,
                block=int(BLOCK * 1000),
            )
            if answer:
                break
        asked = self._fetch_size.count
        entries = self._fetch_size.complete(answer[0][1])
        self._id = text_of(entries[-1][0])
        # Entries that were cut off are fetched again, from the id on.
        self._is_behind = len(answer[0][1]) == asked or len(entries) < len(answer[0][1])
        return Batch(self._lines_of(entries), self._id, 0, not self._is_behind)

    async def _is_gone(self) -> bool:
        """Return whether entries after the id may have been deleted."""
        state = await self._state()
        gone = [state.get("max-deleted-entry-id", "0-0")]
        if first := state.get("first-entry"):
            gone.append(first[0])
        # An id that does not exist yet belongs to a stream that was lost.
        end = state.get("last-generated-id", self._id)
        here = order_of(self._id)
        return order_of(end) < here or any(here < order_of(each) for each in gone)

    async def _state(self) -> dict[str, Any]:
        """Return the stream's state in Redis; empty if there is no such stream."""
        try:
            # Not by `xinfo_stream`, which needs the whole reply: the two entries at its end may be
            # too large to be kept.
            flat: Any = await self._client.execute_command(  # type: ignore[no-untyped-call]
                "XINFO", "STREAM", self._source.stream
            )
        except ResponseError as error:
            if "no such key" in str(error):
                return {}
            raise
        return members_of(flat)
