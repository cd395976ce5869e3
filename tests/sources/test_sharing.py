"""Subscribers that share a reader receive exactly what they would receive alone."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from forstcore import Filter, RecordStream
from forstcore._proc import PASS_ON
from forstcore.sources import NOW, START, Batch, Reader, SourceLimits
from forstcore.sources._url import SourceUrl
from forstcore.sources.memory import MemorySource
from server.live.filtered_batch import FilteredBatch
from server.live.shared_source import SharedSource
from tests.core.filter_reference import holds
from tests.servers import Server, StartServer, wait_until
from tests.sources.brokers import Mosquitto, RedisServer, redis_client
from tests.sources.live import Subscription
from tests.sources.topics import publisher

QUEUE = 4000  # Bytes: so little that readers fall behind.

SLOW = """
import time
import forstcore

@forstcore.processor("slow")
def slow(record: dict):
    time.sleep(0.002)
    return record
"""


def draw_filter(draw: random.Random) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [
        {},
        {"device": draw.randrange(20)},
        {"device": [draw.randrange(20) for _ in range(3)], "value": {"lt": draw.randrange(100)}},
        {"value": {"gte": draw.randrange(100)}},
        {"room": {"ne": draw.randrange(3)}},
        {"nothing": {"exists": True}},
    ]
    return draw.choice(kinds)


def draw_lines(draw: random.Random, first: int) -> list[bytes]:
    lines = []
    for number in range(first, first + draw.choice((1, 1, 1, 3, 30))):
        record = {
            "number": number,
            "device": draw.randrange(20),
            "value": draw.randrange(100),
            "room": draw.randrange(3),
        }
        lines.append(json.dumps(record).encode() + b"\n")
    return lines


class Listener:
    """Reads, and keeps what its filter lets through."""

    def __init__(self, shared: SharedSource, start: str, wanted: dict[str, Any], pause: int):
        self.wanted = wanted
        self.offset = "" if start in (NOW, START) else start
        self.found: list[int] = []
        self._pause = pause
        self._stream = RecordStream(filter=Filter(wanted), processor=PASS_ON)
        self._reader: Reader = shared.open(start, Filter(wanted))
        self.last = ""
        self._has_moved = asyncio.Event()
        self.records = self.size = 0

    async def until(self, offset: str) -> None:
        while self.last != offset:
            self._has_moved.clear()
            await self._has_moved.wait()

    async def listen(self) -> None:
        try:
            while True:
                item = await self._reader.read()
                assert isinstance(item, Batch)
                assert item.missed == 0
                self.offset = self.offset or item.offset
                lines = self._stream.feed(item.lines)
                self.found += [json.loads(line)["number"] for line in lines.splitlines()]
                self.last = item.offset
                self._has_moved.set()
                size = len(item.lines)
                if isinstance(item, FilteredBatch):
                    self.records += item.left_out
                    size = item.size
                self.size += size
                for _ in range(self._pause):
                    await asyncio.sleep(0)
        finally:
            await self._reader.close()


@pytest.mark.parametrize("seed", range(5))
def test_random_readers(seed: int) -> None:
    draw = random.Random(seed)
    lines: list[bytes] = []

    async def main() -> list[Listener]:
        memory = MemorySource(SourceUrl("events", "memory:"), SourceLimits())
        shared = SharedSource(memory, QUEUE, 1 << 20)
        ended: list[Listener] = []
        running: dict[Listener, asyncio.Task[None]] = {}
        offsets = [START, memory.offset]
        for _ in range(250):
            new = draw_lines(draw, len(lines))
            lines.extend(new)
            memory.publish(b"".join(new))
            offsets.append(memory.offset)
            for _ in range(draw.choice((0, 1, 5, 20))):
                await asyncio.sleep(0)
            if draw.random() < 0.2:
                # Some resume where the last one has ended.
                starts = [NOW, NOW, draw.choice(offsets), *(each.last for each in ended[-1:])]
                pause = draw.choice((0, 0, 0, 1, 40))
                listener = Listener(shared, draw.choice(starts), draw_filter(draw), pause)
                running[listener] = asyncio.create_task(listener.listen())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            if draw.random() < 0.1 and running:
                listener = draw.choice(list(running))
                if listener.offset and listener.found:
                    running[listener].cancel()
                    await asyncio.wait([running.pop(listener)])
                    ended.append(listener)
        for listener, task in running.items():
            async with asyncio.timeout(60):
                await listener.until(memory.offset)
            task.cancel()
            await asyncio.wait([task])
        assert shared.reading is None
        return [*ended, *running]

    listeners = asyncio.run(main())
    assert len(listeners) > 20
    for listener in listeners:
        first, end = (int(each.partition("-")[2]) for each in (listener.offset, listener.last))
        between = [json.loads(line) for line in lines[first:end]]
        assert listener.found == [
            each["number"] for each in between if holds(listener.wanted, each)
        ]
        assert listener.records + listener._stream.records == len(between)
        assert listener.size == sum(map(len, lines[first:end]))


def test_readers_get_what_their_filters_let_through() -> None:
    async def main() -> None:
        memory = MemorySource(SourceUrl("events", "memory:"), SourceLimits())
        shared = SharedSource(memory, QUEUE, 1 << 20)
        readers = [shared.open(NOW, Filter({"a": number})) for number in range(3)]
        for reader in readers:
            await reader.read()
        memory.publish(b'{"a":0}\n{"a":1}\n{"a":2}\n{"a":1}\n[]\n')
        expected = [
            (b'{"a":0}\n\n\n\n[]\n', 3),
            (b'\n{"a":1}\n\n{"a":1}\n[]\n', 2),
            (b'\n\n{"a":2}\n\n[]\n', 3),
        ]
        for reader, (lines, left_out) in zip(readers, expected, strict=True):
            batch = await reader.read()
            assert isinstance(batch, FilteredBatch)
            assert (batch.lines, batch.left_out, batch.size) == (lines, left_out, 35)
            assert batch.offset == memory.offset
            await reader.close()

    asyncio.run(main())


def test_falling_behind_and_catching_up() -> None:
    async def main() -> None:
        memory = MemorySource(SourceUrl("events", "memory:"), SourceLimits())
        shared = SharedSource(memory, QUEUE, 1 << 20)
        slow, fast = (shared.open(NOW) for _ in range(2))
        for reader in (slow, fast):
            assert (await reader.read()).offset == memory.offset  # type: ignore[union-attr]
        done = 0
        while done < 300:
            memory.publish(b'{"number":%d}\n' % done)
            batch = await fast.read()
            assert isinstance(batch, Batch)
            done += batch.lines.count(b"\n")
        assert slow.is_sharing
        found = b""
        has_read_itself = False
        while not found.endswith(b'{"number":299}\n'):
            batch = await slow.read()
            assert isinstance(batch, Batch)
            assert batch.missed == 0
            found += batch.lines
            has_read_itself = has_read_itself or not slow.is_sharing
        assert found == b"".join(b'{"number":%d}\n' % number for number in range(300))
        assert has_read_itself
        assert slow.is_sharing
        for reader in (slow, fast):
            await reader.close()
        assert shared.reading is None

    asyncio.run(main())


# With a server and brokers.


def add(redis: Redis, first: int, end: int) -> None:
    with redis.pipeline(transaction=False) as pipe:
        for number in range(first, end):
            pipe.xadd("sensors", {"data": json.dumps({"id": str(number), "kind": number % 20})})
        pipe.execute()


def connections(redis: Redis) -> int:
    """Return how many connections there are besides our own."""
    return len(redis.client_list()) - 1


def start_for(start_one: StartServer, broker: RedisServer, *more: str) -> Server:
    return start_one("--source", f"sensors=redis://127.0.0.1:{broker.port}/0", *more)


def ids_of(filters: dict[str, Any], end: int) -> list[str]:
    numbers = range(end)
    return [str(each) for each in numbers if holds(filters, {"id": str(each), "kind": each % 20})]


FILTERS: list[dict[str, Any]] = [
    *({"kind": kind} for kind in range(20)),
    *({"kind": [kind, kind + 1]} for kind in range(0, 20, 3)),
    *({"kind": {"gte": kind}} for kind in range(0, 20, 5)),
    {"kind": {"ne": 7}},
    {},
]


def test_one_connection_for_all_filters(
    start_one: StartServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    module = tmp_path / "slow_records.py"
    module.write_text(SLOW)
    server = start_for(start_one, redis_server, "--processors", str(module))
    with redis_client(redis_server) as redis, ExitStack() as stack:
        lives = [
            (filters, stack.enter_context(Subscription(server, "sensors", filters=filters)))
            for filters in FILTERS
        ]
        slow = {"kind": {"lt": 2}}
        lives.append(
            (
                slow,
                stack.enter_context(
                    Subscription(server, "sensors", processor="slow", filters=slow)
                ),
            )
        )
        starts = [live.start() for _, live in lives]
        for first in range(0, 1000, 100):
            add(redis, first, first + 100)
        for filters, live in lives:
            expected = ids_of(filters, 1000)
            assert live.ids(len(expected)) == expected
            assert live.missed == []
        assert connections(redis) == 1
        # One that starts earlier joins as soon as it has caught up.
        late = stack.enter_context(Subscription(server, "sensors", starts[0], filters={"kind": 3}))
        assert late.ids(50) == ids_of({"kind": 3}, 1000)
        add(redis, 1000, 1020)
        assert late.ids(1) == ["1003"]
        following = count(1020)

        def has_joined() -> bool:
            # It joins behind a record at which both readers are at the end at the same time.
            number = next(following)
            add(redis, number, number + 1)
            return connections(redis) == 1

        wait_until(has_joined)


def test_filters_that_drop_everything_still_show_progress(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start_for(start_one, redis_server, "--heartbeat", "0.2")
    with redis_client(redis_server) as redis, ExitStack() as stack:
        one, other = (
            stack.enter_context(Subscription(server, "sensors", filters={"kind": kind}))
            for kind in ("nothing", "neither")
        )
        one.start()
        other.start()
        add(redis, 0, 50)
        last = redis.xinfo_stream("sensors")["last-generated-id"]
        for live in (one, other):
            while (live.acked, live.offset) != (50, last):
                assert live.next_line() is None


def test_a_broker_that_is_killed(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start_for(start_one, redis_server)
    with redis_client(redis_server) as redis:
        # Otherwise they would start before the first entry, which looks like a gap.
        add(redis, 0, 1)
    with ExitStack() as stack:
        lives = [
            (filters, stack.enter_context(Subscription(server, "sensors", filters=filters)))
            for filters in FILTERS[::4]
        ]
        for _, live in lives:
            live.start()
        for turn in range(3):
            with redis_client(redis_server) as redis:
                add(redis, 100 * turn, 100 * turn + 50)
            redis_server.stop()
            redis_server.start()
            with redis_client(redis_server) as redis:
                add(redis, 100 * turn + 50, 100 * turn + 100)
        for filters, live in lives:
            expected = ids_of(filters, 300)
            assert live.ids(len(expected)) == expected
            assert live.missed == []


def test_one_session_of_mqtt(start_one: StartServer, mosquitto: Mosquitto) -> None:
    server = start_one("--source", f"readings=mqtt://127.0.0.1:{mosquitto.port}/readings")
    before = mosquitto.log().count("New client connected")
    with ExitStack() as stack:
        lives = [
            (kind, stack.enter_context(Subscription(server, "readings", filters={"kind": kind})))
            for kind in range(10)
        ]
        for _, live in lives:
            live.began()
        assert mosquitto.log().count("New client connected") == before + 1
        with publisher(mosquitto) as client:
            for number in range(100):
                line = b'{"id":"%d","kind":%d}' % (number, number % 10)
                client.publish("readings", line, qos=1).wait_for_publish(60)
        for kind, live in lives:
            assert live.ids(10) == [str(each) for each in range(kind, 100, 10)]
            assert live.missed == []
