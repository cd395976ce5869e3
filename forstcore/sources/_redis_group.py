"""Consumer groups of Redis Streams: each record goes to one of the consumers.

Each reader is a consumer of the group, named after host, process and a number, or after
`consumer` and a number. Entries delivered to it remain its own until they are acknowledged, as long
as the reader lives. Its pending entries go to others: at once when it is closed, otherwise after
`claim` seconds.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections import defaultdict
from itertools import islice
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, ResponseError

from forstcore._cancelling import check_cancelled
from forstcore.errors import SourceError
from forstcore.sources import Batch, Lag
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._redis_reader import (
    BLOCK,
    Entries,
    RedisReader,
    members_of,
    order_of,
    text_of,
)

__all__ = ["ConsumerGroup", "GroupReader", "PendingEntries"]

_MAX_COUNT = 100  # Entries that are fetched at once, and that a client acknowledges together.
_CHECK_INTERVAL = 1.0  # Seconds between two questions whether unread entries were deleted.
_CLAIM_INTERVAL = 1.0  # Seconds between two attempts to claim entries of dead consumers.
_MAX_IDS = 500  # Entry ids in one command.
_CLOSE_TIMEOUT = 2.0  # Seconds in which a closing reader may give back its pending entries.

# Numbers of the consumers of this process, by prefix of their names, stream and group: several
# sources may use the same group.
_TAKEN: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)

# Default names of consumers, of this and other processes.
_UNNAMED = r".+-[0-9]+-[0-9]+"

# Atomic, because an entry may be delivered to the consumer at the same time.
_REMOVE = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return -1
"""


class ConsumerGroup:
    """A consumer group, as this process uses it.

    Args:
        client: the connections.
        stream: key of the stream.
        name: name of the group.
        consumer: prefix of the names of this server's consumers; empty for host and process id.
        worker: which of several processes of the server this is, empty if it is the only one.
        claim: seconds after which the pending entries of a dead consumer go to another.

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
        self._taken = _TAKEN[self._prefix, stream, name]
        self._done: dict[bytes, None] = {}  # Acknowledged by clients, but not to Redis yet.
        self._acknowledging = asyncio.Lock()
        self._swept_at = 0.0

    def take_number(self) -> int:
        """Reserve a number for a consumer of this process, and return it."""
        number = next(each for each in range(1, len(self._taken) + 2) if each not in self._taken)
        self._taken.add(number)
        return number

    def free_number(self, number: int) -> None:
        """Release the number of a consumer."""
        self._taken.discard(number)

    def consumer(self, number: int) -> str:
        """Return the name of a consumer of this process."""
        return f"{self._prefix}-{number}"

    def is_done(self, entry_id: bytes) -> bool:
        """Return whether an entry was acknowledged by a client, but not to Redis yet."""
        return entry_id in self._done

    def finish(self, ids: list[bytes]) -> None:
        """Note that a client has acknowledged entries; `acknowledge` sends that to Redis."""
        self._done.update(dict.fromkeys(ids))

    async def acknowledge(self) -> None:
        """Acknowledge finished entries to Redis; those of a failed call remain for the next one."""
        async with self._acknowledging:
            while self._done:
                some = list(islice(self._done, _MAX_IDS))
                await self.client.xack(self.stream, self.name, *some)
                for entry_id in some:
                    self._done.pop(entry_id, None)

    async def create(self) -> None:
        """Create the group, if it does not exist."""
        try:
            # From the start, to include the entries from before the first consumer.
            await self.client.xgroup_create(self.stream, self.name, "0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def touch(self, consumer: str, *, give_up: bool = False) -> None:
        """Reset the idle time of a consumer's pending entries, or release them to others."""
        after = "-"
        while True:
            found = await self.client.xpending_range(
                self.stream, self.name, after, "+", _MAX_IDS, consumername=consumer
            )
            ids: Any = [each["message_id"] for each in found]
            if ids:
                # With `justid`, this does not count as a delivery.
                await self.client.xclaim(
                    self.stream,
                    self.name,
                    consumer,
                    0,
                    ids,
                    idle=int(self.claim * 1000) if give_up else 0,
                    justid=True,
                )
            if len(ids) < _MAX_IDS:
                return
            after = f"({text_of(ids[-1])}"

    async def remove(self, consumer: str) -> None:
        """Remove a consumer that has no pending entries."""
        try:
            await self.client.eval(_REMOVE, 1, self.stream, self.name, consumer)
        except ResponseError as error:
            # Consumers of an account that may not run scripts remain.
            if not str(error).startswith(("NOPERM", "NOGROUP", "unknown command")):
                raise

    async def sweep(self) -> None:
        """Remove dead consumers without pending entries, at most once in `claim` seconds."""
        now = time.monotonic()
        if now < self._swept_at + self.claim:
            return
        self._swept_at = now
        # A living consumer is never idle for this long.
        dead = (self.claim + 2 * BLOCK) * 1000
        for each in await self.client.xinfo_consumers(self.stream, self.name):
            name = text_of(each["name"])
            if not each["pending"] and each["idle"] >= dead and self._is_ours(name):
                await self.remove(name)

    async def count_lost(self) -> int | None:
        """Return how many entries were deleted before any consumer had received them.

        Returns:
            Their number since the group exists. None if Redis does not know: before Redis 7, if
            entries in the middle of the stream were deleted, or if the group has received nothing.
        """
        # The stream first: entries that are received in between are not counted as lost.
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.execute_command("XINFO", "STREAM", self.stream)
            pipe.execute_command("XINFO", "GROUPS", self.stream)
            flat, groups = await pipe.execute()
        stream = members_of(flat)
        for group in map(members_of, groups):
            if text_of(group["name"]) == self.name:
                return _lost(stream, group)
        return None

    async def lag(self) -> Lag | None:
        """Return how many entries no consumer has received; None if Redis does not know."""
        for each in await self.client.xinfo_groups(self.stream):
            # Redis 7 and newer; null if entries were deleted in the middle of the stream.
            if text_of(each["name"]) == self.name and each.get("lag") is not None:
                return Lag(each["lag"], "records")
        return None


def _lost(stream: dict[str, Any], group: dict[str, Any]) -> int | None:
    read, added = group.get("entries-read"), stream.get("entries-added")
    delivered = order_of(group["last-delivered-id"])
    if not read or added is None:
        return None
    if (first := stream["first-entry"]) and order_of(first[0]) <= delivered:
        # Streams are trimmed from their start.
        return None
    # Redis does not count deleted entries as read. All that are left are unread.
    return int(added) - int(stream["length"]) - int(read)


class GroupReader(RedisReader):
    """A consumer of a group.

    It first reads the pending entries of an earlier consumer of this name. Then it claims entries
    of dead consumers, and reads new ones.

    Args:
        name, log, max_line_size: as for `RedisReader`.
        group: the group.
    """

    def __init__(self, name: str, log: BrokerLog, group: ConsumerGroup, max_line_size: int) -> None:
        super().__init__(name, log, max_line_size, _MAX_COUNT)
        self._group = group
        self._number = group.take_number()
        self._consumer = group.consumer(self._number)
        self._is_new = True
        self._own_after: str | None = (
            "0-0"  # The last of its own pending entries that was read; None after all.
        )
        self._reads_again = False  # Whether to read its own pending entries again.
        self._cursor = "0-0"
        self._claim_at = 0.0
        self._held: set[bytes] = set()  # Delivered, and not acknowledged.
        # Whether unread entries may have been deleted; the number of those that are reported.
        self._is_behind = True
        self._check_at = 0.0
        self._lost = 0
        self._touching = asyncio.create_task(self._touch())

    def acknowledge_elsewhere(self) -> PendingEntries:
        """Return the names that a sink in the same database needs to acknowledge entries."""
        return PendingEntries(self._group.stream, self._group.name, self._consumer, self)

    def forget(self, ids: list[bytes]) -> None:
        """Record that entries are acknowledged, or belong to another consumer."""
        self._held.difference_update(ids)

    def read_again(self, ids: list[bytes]) -> None:
        """Deliver entries, which are still pending, again."""
        self._held.difference_update(ids)
        self._reads_again |= bool(ids)

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, list)
        self._group.finish(receipt)
        self._held.difference_update(receipt)
        try:
            await self._group.acknowledge()
        except self.transient_errors:
            # Sent when Redis is up again; `read` will notice that it is down.
            return
        except RedisError as error:
            raise SourceError(self._name, f"cannot be acknowledged: {error}") from None

    async def lag(self) -> Lag | None:
        try:
            return await self._group.lag() if self._is_connected else None
        except (RedisError, OSError):
            # `read` notices and reports it.
            return None

    async def close(self) -> None:
        self._touching.cancel()
        await asyncio.wait([self._touching])
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                if self._is_connected:
                    await self._group.acknowledge()
                    await self._group.touch(self._consumer, give_up=True)
                    await self._group.remove(self._consumer)
        except (RedisError, *self.transient_errors):
            # Others claim the pending entries once they have been idle for long enough.
            pass
        finally:
            self._group.free_number(self._number)
        await super().close()

    async def _touch(self) -> None:
        """Keep others from claiming entries that are being processed, however long that takes."""
        while True:
            check_cancelled()
            await asyncio.sleep(self._group.claim / 3)
            try:
                if self._is_connected and self._held:
                    await self._group.touch(self._consumer)
                await self._group.acknowledge()
            except (RedisError, OSError):
                # `read` notices and reports it.
                continue

    async def _connect(self) -> None:
        await self._group.create()
        await self._group.acknowledge()
        self._own_after = "0-0"
        self._is_behind, self._check_at = True, 0.0

    async def _receive(self) -> Batch:
        if self._is_new:
            self._is_new = False
            return Batch(b"")
        while True:
            check_cancelled()
            try:
                if self._is_behind and time.monotonic() >= self._check_at and await self._has_gap():
                    return Batch(b"", missed=None)
                entries = await self._entries()
            except ResponseError as error:
                if str(error).startswith(("NOGROUP", "UNBLOCKED")) or "no such key" in str(error):
                    # The stream or group was deleted, or Redis restarted without its data.
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
                # Pending entries that were deleted have no fields.
                missed = sum(not fields for _, fields in fresh)
                return Batch(self._lines_of(fresh), missed=missed, receipt=receipt)

    async def _has_gap(self) -> bool:
        """Return whether unread entries were deleted since the last call."""
        self._is_behind = False
        self._check_at = time.monotonic() + _CHECK_INTERVAL
        lost = await self._group.count_lost()
        has_gap = lost is not None and lost > self._lost
        self._lost = lost or self._lost
        return has_gap

    async def _entries(self) -> Entries:
        """Return the next entries; empty if it is time for another kind of entries."""
        group = self._group
        names = (group.name, self._consumer)
        answer: Any
        if self._reads_again:
            self._reads_again, self._own_after = False, "0-0"
        if self._own_after is not None:
            answer = await group.client.xreadgroup(
                *names, {group.stream: self._own_after}, count=self._fetch_size.count
            )
            found: Entries = answer[0][1] if answer else []
            entries = self._fetch_size.complete(found) if found else []
            self._own_after = text_of(entries[-1][0]) if entries else None
            return entries
        now = time.monotonic()
        if now >= self._claim_at:
            answer = await group.client.xautoclaim(
                group.stream,
                *names,
                min_idle_time=int(group.claim * 1000),
                start_id=self._cursor,
                count=self._fetch_size.count,
            )
            self._cursor = text_of(answer[0])
            if self._cursor == "0-0":
                self._claim_at = now + min(_CLAIM_INTERVAL, group.claim / 2)
                await group.sweep()
            return self._complete(answer[1])
        wait = min(BLOCK, max(0.001, self._claim_at - now))
        asked = self._fetch_size.count
        answer = await group.client.xreadgroup(
            *names,
            {group.stream: ">"},
            count=asked,
            block=max(1, int(wait * 1000)),
        )
        found = answer[0][1] if answer else []
        self._is_behind |= len(found) == asked
        return self._complete(found)

    def _complete(self, found: Entries) -> Entries:
        """Return the entries that arrived in full; those cut off are read again as pending ones."""
        if not found:
            return []
        entries = self._fetch_size.complete(found)
        if len(entries) < len(found):
            self._own_after = text_of(entries[-1][0])
        return entries


class PendingEntries:
    """The entries that were delivered to a consumer, for a sink that acknowledges them.

    Args:
        stream, group, consumer: the names in Redis.
        reader: the consumer.
    """

    def __init__(self, stream: str, group: str, consumer: str, reader: GroupReader) -> None:
        self.stream = stream
        self.group = group
        self.consumer = consumer
        self._reader = reader

    def finish(self, ids: list[bytes]) -> None:
        """Record that entries were acknowledged together with their results."""
        self._reader.forget(ids)

    def read_again(self, ids: list[bytes]) -> None:
        """Record that the results of entries were not written; the entries are still pending."""
        self._reader.read_again(ids)
