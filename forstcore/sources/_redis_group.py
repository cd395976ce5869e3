"""Consumer groups of Redis Streams: each record goes to one of the consumers.

Each reader is a consumer of the group, called after host, process and a number, or after
`consumer` and a number. What it was given stays its own until it is acknowledged, for as long as
the reader lives. What it leaves behind goes to others: at once when it is closed, else after
`claim` seconds.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from itertools import islice
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, ResponseError

from forstcore._cancelling import check_cancelled
from forstcore.errors import SourceError
from forstcore.sources import Batch
from forstcore.sources._broker import BrokerLog
from forstcore.sources._redis_entries import Entries, Pace, RedisReader, text_of

__all__ = ["Group", "GroupReader"]

_MOST = 100  # Entries that are read at once: what a client acknowledges together.
_BLOCK = 2.0  # Seconds that Redis may wait for new entries before it answers.
_LOOK = 1.0  # Seconds between two looks for what other consumers have left behind.
_AT_ONCE = 500  # Ids in one command.
_LAST_WORDS = 2.0  # Seconds in which a reader that is closed may give back what it holds.

# Names of consumers of this and other processes, where none is configured.
_UNNAMED = r".+-[0-9]+-[0-9]+"

# In one step, as another server may give the consumer something at the same time.
_REMOVE = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return -1
"""


class Group:
    """A consumer group, and what this process has to tell it.

    Args:
        client: the connections.
        stream: key of the stream.
        name: name of the group.
        consumer: what the consumers of this server are called, without their numbers; empty for
            host and process id.
        worker: which of several processes of the server this is, empty if it is the only one.
        claim: seconds after which what a consumer left behind goes to another.

    Attributes:
        client, stream, name, claim: as above.
    """

    def __init__(
        self, client: Redis, stream: str, name: str, consumer: str, worker: str, claim: float
    ) -> None:
        self.client = client
        self.stream = stream
        self.name = name
        self.claim = claim
        own = re.escape(consumer) + r"(-[0-9]+)+" if consumer else _UNNAMED
        self._is_ours = re.compile(own).fullmatch
        if consumer and worker:
            consumer = f"{consumer}-{worker}"
        self._prefix = consumer or f"{socket.gethostname()}-{os.getpid()}"
        self._taken: set[int] = set()  # Numbers of the consumers that there are.
        # Acknowledged, but Redis does not know yet.
        self._done: dict[bytes, None] = {}
        self._telling = asyncio.Lock()
        self._swept_at = 0.0

    def take_number(self) -> int:
        """Return a number that no consumer of this process has."""
        number = next(each for each in range(1, len(self._taken) + 2) if each not in self._taken)
        self._taken.add(number)
        return number

    def free_number(self, number: int) -> None:
        """Take a number back."""
        self._taken.discard(number)

    def consumer(self, number: int) -> str:
        """Return the name of a consumer of this process."""
        return f"{self._prefix}-{number}"

    def is_done(self, entry_id: bytes) -> bool:
        """Tell whether an entry has been acknowledged already."""
        return entry_id in self._done

    def finish(self, ids: list[bytes]) -> None:
        """Note that entries have been acknowledged, to tell Redis."""
        self._done.update(dict.fromkeys(ids))

    async def tell(self) -> None:
        """Acknowledge what is done; what Redis does not hear of is told the next time."""
        async with self._telling:
            while self._done:
                some = list(islice(self._done, _AT_ONCE))
                await self.client.xack(self.stream, self.name, *some)
                for entry_id in some:
                    self._done.pop(entry_id, None)

    async def create(self) -> None:
        """Make the group, if it is not there."""
        try:
            # From the start: what was sent before the first consumer came is to be done too.
            await self.client.xgroup_create(self.stream, self.name, "0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def keep(self, consumer: str, *, give_up: bool = False) -> None:
        """Say that what a consumer holds is still in work, or that anybody may have it."""
        after = "-"
        while True:
            found = await self.client.xpending_range(
                self.stream, self.name, after, "+", _AT_ONCE, consumername=consumer
            )
            ids: Any = [each["message_id"] for each in found]
            if ids:
                # Neither counts as a delivery.
                await self.client.xclaim(
                    self.stream,
                    self.name,
                    consumer,
                    0,
                    ids,
                    idle=int(self.claim * 1000) if give_up else 0,
                    justid=True,
                )
            if len(ids) < _AT_ONCE:
                return
            after = f"({text_of(ids[-1])}"

    async def remove(self, consumer: str) -> None:
        """Remove a consumer if nothing is pending for it."""
        try:
            await self.client.eval(_REMOVE, 1, self.stream, self.name, consumer)
        except ResponseError as error:
            # An account that may not run scripts leaves its consumers behind.
            if not str(error).startswith(("NOPERM", "NOGROUP", "unknown command")):
                raise

    async def sweep(self) -> None:
        """Remove consumers that were left behind with nothing pending, now and then."""
        now = time.monotonic()
        if now < self._swept_at + self.claim:
            return
        self._swept_at = now
        # One that lives is heard of more often than that.
        dead = (self.claim + 2 * _BLOCK) * 1000
        for each in await self.client.xinfo_consumers(self.stream, self.name):
            name = text_of(each["name"])
            if not each["pending"] and each["idle"] >= dead and self._is_ours(name):
                await self.remove(name)


class GroupReader(RedisReader):
    """A consumer of a group.

    It begins with what a consumer of this name was given before and did not acknowledge, looks
    for what others left behind, and takes what nobody has had yet.

    Args:
        name, log, max_line_size: as for `RedisReader`.
        group: the group.
    """

    def __init__(self, name: str, log: BrokerLog, group: Group, max_line_size: int) -> None:
        super().__init__(name, log, max_line_size)
        self._group = group
        self._number = group.take_number()
        self._consumer = group.consumer(self._number)
        self._is_new = True
        self._pace = Pace(_MOST)
        self._own: str | None = "0-0"  # Behind what of its own it has looked again.
        self._cursor = "0-0"
        self._look_at = 0.0
        self._held: set[bytes] = set()  # Given out, and not acknowledged.
        self._keeping = asyncio.create_task(self._keep())

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, list)
        self._group.finish(receipt)
        self._held.difference_update(receipt)
        try:
            await self._group.tell()
        except self.passing:
            # It is told when Redis is back; `read` will notice that it is away.
            return
        except RedisError as error:
            raise SourceError(self._name, f"cannot be acknowledged: {error}") from None

    async def close(self) -> None:
        self._keeping.cancel()
        await asyncio.wait([self._keeping])
        try:
            async with asyncio.timeout(_LAST_WORDS):
                if self._is_connected:
                    await self._group.tell()
                    await self._group.keep(self._consumer, give_up=True)
                    await self._group.remove(self._consumer)
        except (RedisError, *self.passing):
            # Others take over what is left behind when it has been idle for long enough.
            pass
        finally:
            self._group.free_number(self._number)
        await super().close()

    async def _keep(self) -> None:
        """Keep others from taking over what is in work, however long that takes."""
        while True:
            check_cancelled()
            await asyncio.sleep(self._group.claim / 3)
            try:
                if self._is_connected and self._held:
                    await self._group.keep(self._consumer)
                await self._group.tell()
            except (RedisError, OSError):
                # `read` notices, and tells.
                continue

    async def _connect(self) -> None:
        await self._group.create()
        await self._group.tell()
        self._own = "0-0"

    async def _disconnect(self) -> None:
        # It may have been the size of the answer that took too long.
        self._pace = Pace(_MOST)

    async def _receive(self) -> Batch:
        if self._is_new:
            self._is_new = False
            return Batch(b"")
        while True:
            check_cancelled()
            try:
                entries = await self._entries()
            except ResponseError as error:
                if str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    # Somebody deleted it, also while it was waited on, or Redis came back with
                    # nothing.
                    raise ConnectionError(str(error)) from None
                raise
            fresh = [
                each
                for each in entries
                if each[0] and each[0] not in self._held and not self._group.is_done(each[0])
            ]
            if fresh:
                receipt = [each for each, _ in fresh if each is not None]
                self._held.update(receipt)
                return Batch(self.lines_of(fresh, self._pace), receipt=receipt)

    async def _entries(self) -> Entries:
        """Return what comes next; nothing if it is time for something else."""
        group = self._group
        names = (group.name, self._consumer)
        answer: Any
        if self._own is not None:
            answer = await group.client.xreadgroup(
                *names, {group.stream: self._own}, count=self._pace.count
            )
            found: Entries = answer[0][1] if answer else []
            entries = self._pace.whole(found) if found else []
            self._own = text_of(entries[-1][0]) if entries else None
            return entries
        now = time.monotonic()
        if now >= self._look_at:
            answer = await group.client.xautoclaim(
                group.stream,
                *names,
                min_idle_time=int(group.claim * 1000),
                start_id=self._cursor,
                count=self._pace.count,
            )
            self._cursor = text_of(answer[0])
            if self._cursor == "0-0":
                self._look_at = now + min(_LOOK, group.claim / 2)
                await group.sweep()
            return self._kept(answer[1])
        wait = min(_BLOCK, max(0.001, self._look_at - now))
        answer = await group.client.xreadgroup(
            *names, {group.stream: ">"}, count=self._pace.count, block=max(1, int(wait * 1000))
        )
        return self._kept(answer[0][1] if answer else [])

    def _kept(self, found: Entries) -> Entries:
        """Return the entries that came whole; what was cut off is read again as this one's own."""
        if not found:
            return []
        entries = self._pace.whole(found)
        if len(entries) < len(found):
            self._own = text_of(entries[-1][0])
        return entries
