"""Redis Streams: read by everybody, or shared out within a consumer group.

`redis://host:6379/0?stream=KEY` is read from any id on. With `&group=NAME` each reading is a
consumer of that group, called `consumer` and a number: what it has not acknowledged, another
takes over after `claim` seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, START, Batch, Notice, SourceLimits
from forstcore.sources._broker import BrokerReader
from forstcore.sources._url import SourceUrl

__all__ = ["GroupReader", "RedisSource", "StreamReader"]

Entries: TypeAlias = list[tuple[bytes | None, dict[bytes, bytes] | None]]

_BATCH = 500  # Entries that are read at once.
_BLOCK = 2.0  # Seconds that Redis may wait for new entries before it answers.
_TIMEOUT = 10.0  # Seconds after which a Redis that does not answer is taken as gone.
_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_TEXTS = (b"data", b"json")  # Fields whose text is the record, if they are alone.


class RedisSource:
    """A stream in Redis.

    Args:
        url: as above.
        limits: the longest line.

    Attributes:
        name: what clients call it.
        stream, group: names in Redis; the group is empty if there is none.
        consumer: what the consumers of this process are called, without their numbers.
        claim: seconds after which what a consumer has not acknowledged goes to another.
        max_line_size: as in the limits.
        client: the connections; none is made before it is wanted.
    """

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        self.stream = url.take("stream", url.name)
        self.group = url.take("group")
        self.is_shared = not self.group
        if self.group:
            self.consumer = url.take("consumer") or f"{socket.gethostname()}-{os.getpid()}"
            self.claim = url.take_seconds("claim", 30.0)
        self.max_line_size = limits.max_line_size
        try:
            self.client = Redis.from_url(
                f"{url.scheme}://{url.address}{url.path}",
                protocol=2,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                # Readers try again by themselves, and tell.
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise SourceError(url.name, f"has a URL that Redis cannot have: {error}") from None
        self._taken: set[int] = set()  # Numbers of the consumers that there are.

    def check(self, start: str) -> None:
        if self.group and start != NOW:
            raise OffsetError(
                self.name, f"is read as group {self.group!r}, which goes on where it was: omit from"
            )
        if start not in (NOW, START) and not _ID.fullmatch(start):
            raise OffsetError(self.name, f"has ids such as 1700000000000-0, not {start!r}")

    def open(self, start: str) -> StreamReader | GroupReader:
        return GroupReader(self) if self.group else StreamReader(self, start)

    async def close(self) -> None:
        await self.client.aclose()

    def take_number(self) -> int:
        """Return a number that no consumer of this process has."""
        number = next(each for each in range(1, len(self._taken) + 2) if each not in self._taken)
        self._taken.add(number)
        return number

    def free_number(self, number: int) -> None:
        """Take a number back."""
        self._taken.discard(number)

    def lines_of(self, entries: Entries) -> bytes:
        """Make a line of each entry."""
        limit = self.max_line_size
        return b"".join([_line(fields, limit) for _, fields in entries if fields])


class _RedisReader(BrokerReader):
    passing = (
        ConnectionError,
        TimeoutError,
        OSError,
        ReadOnlyError,
        MasterDownError,
        ClusterDownError,
    )

    def __init__(self, source: RedisSource) -> None:
        super().__init__(source.name)
        self._source = source

    async def read(self) -> Batch | Notice:
        try:
            return await super().read()
        except RedisError as error:
            raise SourceError(self._name, f"cannot be read: {error}") from None

    async def _disconnect(self) -> None:
        """Do nothing: a connection that failed is not used again."""


class StreamReader(_RedisReader):
    """A reading of everything behind an id.

    Args:
        source: the stream.
        start: the id, `START` or `NOW`.
    """

    def __init__(self, source: RedisSource, start: str) -> None:
        super().__init__(source)
        self._id = "0-0" if start == START else start
        self._is_new = True
        # Whether there may be entries behind the id that have been deleted.
        self._is_behind = start not in (NOW, START)

    async def _connect(self) -> None:
        if self._id == NOW:
            self._id = _text((await self._state()).get("last-generated-id", "0-0"))
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
            answer: Any = await self._source.client.xread(
                {self._source.stream: self._id}, count=_BATCH, block=int(_BLOCK * 1000)
            )
            if answer:
                break
        entries: Entries = answer[0][1]
        self._id = _text(entries[-1][0])
        self._is_behind = len(entries) == _BATCH
        return Batch(self._source.lines_of(entries), self._id, 0, not self._is_behind)

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
        try:
            state: dict[str, Any] = await self._source.client.xinfo_stream(self._source.stream)
        except ResponseError as error:
            if "no such key" in str(error):
                return {}
            raise
        return state


class GroupReader(_RedisReader):
    """A consumer of a group.

    It begins with what it was given before and did not acknowledge, looks for what others
    left behind, and takes what nobody has had yet.

    Args:
        source: the stream, with its group.
    """

    def __init__(self, source: RedisSource) -> None:
        super().__init__(source)
        self._number = source.take_number()
        self._consumer = f"{source.consumer}-{self._number}"
        self._is_new = True
        self._own: str | None = "0-0"  # Behind what of its own it has looked again.
        self._cursor = "0-0"
        self._claim_at = 0.0
        self._held: set[bytes] = set()  # Given out, and not acknowledged.
        self._done: list[bytes] = []  # Acknowledged, but Redis does not know yet.

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, list)
        self._done += receipt
        try:
            await self._tell()
        except self.passing:
            # It is told when Redis is back; `read` will notice that it is away.
            return

    async def close(self) -> None:
        self._source.free_number(self._number)
        await super().close()

    async def _tell(self) -> None:
        if self._done:
            done = tuple(self._done)
            await self._source.client.xack(self._source.stream, self._source.group, *done)
            del self._done[: len(done)]
            self._held.difference_update(done)

    async def _connect(self) -> None:
        try:
            # From the start: what was sent before the first consumer came is to be done too.
            await self._source.client.xgroup_create(
                self._source.stream, self._source.group, "0", mkstream=True
            )
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        await self._tell()
        self._own = "0-0"

    async def _receive(self) -> Batch:
        if self._is_new:
            self._is_new = False
            return Batch(b"")
        while True:
            try:
                entries = await self._entries()
            except ResponseError as error:
                if str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    # Somebody deleted it, also while it was waited on, or Redis came back with
                    # nothing.
                    raise ConnectionError(str(error)) from None
                raise
            fresh = [each for each in entries if each[0] and each[0] not in self._held]
            if fresh:
                receipt = [each for each, _ in fresh if each is not None]
                self._held.update(receipt)
                return Batch(self._source.lines_of(fresh), receipt=receipt)

    async def _entries(self) -> Entries:
        client, source = self._source.client, self._source
        names = (source.group, self._consumer)
        clock = asyncio.get_running_loop().time
        answer: Any
        if self._own is not None:
            answer = await client.xreadgroup(*names, {source.stream: self._own}, count=_BATCH)
            entries: Entries = answer[0][1] if answer else []
            self._own = _text(entries[-1][0]) if entries else None
            return entries
        if clock() >= self._claim_at:
            answer = await client.xautoclaim(
                source.stream,
                *names,
                min_idle_time=int(source.claim * 1000),
                start_id=self._cursor,
                count=_BATCH,
            )
            self._cursor = _text(answer[0])
            if self._cursor == "0-0":
                self._claim_at = clock() + source.claim / 2
            return list(answer[1])
        wait = min(_BLOCK, max(0.001, self._claim_at - clock()))
        answer = await client.xreadgroup(
            *names, {source.stream: ">"}, count=_BATCH, block=max(1, int(wait * 1000))
        )
        return answer[0][1] if answer else []


def _line(fields: dict[bytes, bytes], limit: int) -> bytes:
    """Write an entry as a line of JSON, LF included."""
    if len(fields) == 1:
        ((name, text),) = fields.items()
        if name in _TEXTS and text.lstrip()[:1] == b"{":
            # In JSON a line end stands between tokens alone, as any white space.
            return text[: limit + 1].replace(b"\n", b" ") + b"\n"
    record = {
        name.decode(errors="replace"): text.decode(errors="replace")
        for name, text in fields.items()
    }
    return json.dumps(record, ensure_ascii=False).encode()[: limit + 1] + b"\n"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _order(entry_id: Any) -> tuple[int, int]:
    milliseconds, _, number = _text(entry_id).partition("-")
    return int(milliseconds), int(number or 0)
