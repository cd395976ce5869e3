"""Redis Streams, with a real Redis that is killed and restarted."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import ExitStack
from itertools import chain
from typing import Any

import pytest
from redis import Redis

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import Notice, Source, open_source
from tests.server.raw import Cut
from tests.servers import Server, StartServer, wait_until
from tests.sources.brokers import RedisServer
from tests.sources.brokers import redis_client as client
from tests.sources.live import Subscription, numbers, refused

KEY = "readings"


def url(broker: RedisServer, options: str = "") -> str:
    return f"redis://127.0.0.1:{broker.port}/0?stream={KEY}{options}"


def start(start_one: StartServer, broker: RedisServer, options: str = "", *more: str) -> Server:
    return start_one("--source", f"sensors={url(broker, options)}", *more)


def add(connection: Redis, first: int, end: int) -> list[str]:
    with connection.pipeline(transaction=False) as pipe:
        for number in range(first, end):
            pipe.xadd(KEY, {"data": json.dumps({"id": str(number), "data": "x"})})
        return [str(each) for each in pipe.execute()]


def test_live_and_from_an_id(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start(start_one, redis_server)
    with client(redis_server) as redis:
        add(redis, 0, 10)
        with Subscription(server, "sensors") as live:
            start_id = live.start()
            ids = add(redis, 10, 20)
            assert live.results(1)[0] == {
                "id": "10",
                "result": "processed_x",
                "status": "success",
            }
            assert live.ids(9) == numbers(11, 20)
            assert live.offset == ids[-1]
        ids = add(redis, 20, 1500)
        for begin, expected in [
            (start_id, numbers(10, 1500)),
            (ids[99], numbers(120, 1500)),
            ("start", numbers(0, 1500)),
        ]:
            with Subscription(server, "sensors", begin) as live:
                assert live.ids(len(expected)) == expected
                assert live.missed == []


def test_entries_become_records(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start(start_one, redis_server, "", "--max-line-size", "2000")
    with (
        client(redis_server) as redis,
        Subscription(server, "sensors", processor="pass") as live,
    ):
        live.start()
        redis.xadd(KEY, {"id": "1", "data": "hot", "ü": "\n\x00"})
        redis.xadd(KEY, {"json": '{"id":\n"2"}\r\n'})
        redis.xadd(KEY, {"data": "not JSON"})
        redis.xadd(KEY, {"data": "{broken"})
        redis.xadd(KEY, {"data": '{"id":"%s"}' % ("x" * 3000)})
        redis.xadd(KEY, {b"\xff": b"\xfe"})
        assert live.results(4) == [
            {"id": "1", "data": "hot", "ü": "\n\x00"},
            {"id": "2"},
            {"data": "not JSON"},
            {"\ufffd": "\ufffd"},
        ]
        assert live.acked == 6


def test_one_reading_serves_all(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start(start_one, redis_server)
    with client(redis_server) as redis, ExitStack() as stack:
        streams = [stack.enter_context(Subscription(server, "sensors")) for _ in range(20)]
        for stream in streams:
            stream.start()
        add(redis, 0, 100)
        for stream in streams:
            assert stream.ids(100) == numbers(0, 100)
        readers = [each for each in redis.client_list() if each["cmd"] == "xread"]
        assert len(readers) == 1


def test_a_redis_that_is_killed_and_comes_back(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server)
    with Subscription(server, "sensors") as live:
        live.start()
        done = 0
        found: list[str] = []
        for round_number in range(3):
            with client(redis_server) as redis:
                add(redis, done, done + 200)
            done += 200
            redis_server.stop()
            live.states.clear()
            while "down" not in live.states:
                line = live.next_line()
                if line is not None:
                    found.append(json.loads(line)["id"])
            redis_server.start()
            with client(redis_server) as redis:
                add(redis, done, done + 50)
            done += 50
            while len(found) < done:
                line = live.next_line()
                if line is not None:
                    found.append(json.loads(line)["id"])
            assert live.states == ["down", "up"], round_number
        assert found == numbers(0, done)


def test_a_redis_that_is_not_there_yet(start_one: StartServer, redis_server: RedisServer) -> None:
    redis_server.stop()
    server = start(start_one, redis_server)
    with Subscription(server, "sensors") as live, Subscription(server, "sensors") as late:
        live.until_state("down")
        late.until_state("down")
        redis_server.start()
        live.start()
        late.start()
        with client(redis_server) as redis:
            add(redis, 0, 3)
        assert live.ids(3) == late.ids(3) == numbers(0, 3)


def test_what_redis_has_trimmed_is_missed(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server)
    with client(redis_server) as redis:
        ids = add(redis, 0, 100)
        redis.xtrim(KEY, maxlen=10, approximate=False)
        with Subscription(server, "sensors", ids[5]) as live:
            assert live.ids(10) == numbers(90, 100)
            assert live.missed == ["?"]
        with Subscription(server, "sensors", ids[95]) as live:
            assert live.ids(4) == numbers(96, 100)
            assert live.missed == []


def test_a_key_that_is_no_stream(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start(start_one, redis_server)
    with client(redis_server) as redis:
        redis.set(KEY, "text")
    with Subscription(server, "sensors") as live:
        error = json.loads(live.read_rest().removeprefix(b":error "))
        assert error["code"] == "source"
        assert "source 'sensors' cannot be read: WRONGTYPE" in error["detail"]


# Consumer groups.

GROUP = "&group=workers&claim=1"


def pending(redis: Redis) -> int:
    found: Any = redis.xpending(KEY, "workers")
    return int(found["pending"])


def read_until_acknowledged(live: Subscription, redis: Redis) -> None:
    """Read twice, and heartbeats: unread records are not acknowledged."""
    while pending(redis):
        live.next_line()


def test_a_group_shares_the_records_out(start_one: StartServer, redis_server: RedisServer) -> None:
    with client(redis_server) as redis:
        add(redis, 0, 10)
        servers = [start(start_one, redis_server, GROUP) for _ in range(2)]
        with ExitStack() as stack:
            streams = [
                stack.enter_context(Subscription(server, "sensors"))
                for server in servers
                for _ in range(2)
            ]
            found: list[list[str]] = [[] for _ in streams]

            def read(stream: Subscription, mine: list[str]) -> None:
                stream.socket.settimeout(60)
                try:
                    while True:
                        line = stream.next_line()
                        if line is not None:
                            mine.append(json.loads(line)["id"])
                except (Cut, OSError, AssertionError):
                    return

            threads = [
                threading.Thread(target=read, args=pair)
                for pair in zip(streams, found, strict=True)
            ]
            for thread in threads:
                thread.start()
            for first in range(10, 5000, 10):
                add(redis, first, first + 10)
            wait_until(lambda: sum(map(len, found)) >= 5000 and pending(redis) == 0)
            for server in servers:
                server.stop()
            for thread in threads:
                thread.join()
        assert sorted(chain.from_iterable(found), key=int) == numbers(0, 5000)
        assert all(found)


def test_a_consumer_that_is_killed_loses_nothing(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    """Records that it had delivered but not acknowledged may be duplicated, not lost."""
    total = 20_000
    found: list[str] = []
    with client(redis_server) as redis:
        first = start(start_one, redis_server, GROUP + "&consumer=a")
        second = start(start_one, redis_server, GROUP + "&consumer=b")
        with (
            Subscription(first, "sensors", receive_buffer=8192) as one,
            Subscription(second, "sensors") as two,
        ):
            writer = threading.Thread(target=add_all, args=(redis_server, total))
            writer.start()
            found += one.ids(1000)
            found += two.ids(1000)
            first.process.kill()
            # The client is responsible for records that were sent before the server died.
            try:
                while True:
                    line = one.next_line()
                    if line is not None:
                        found.append(json.loads(line)["id"])
            except (Cut, OSError, AssertionError):
                pass
            writer.join()
            missing = set(numbers(0, total)) - set(found)
            while missing:
                missing -= set(two.ids(1))
            read_until_acknowledged(two, redis)


def add_all(broker: RedisServer, total: int) -> None:
    with client(broker) as redis:
        for first in range(0, total, 500):
            add(redis, first, first + 500)


def test_nothing_is_acknowledged_that_the_client_has_not_taken(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server, "&group=workers&claim=60&consumer=a")
    with client(redis_server) as redis:
        with Subscription(server, "sensors", receive_buffer=4096) as stopped:
            while not stopped.headers:
                stopped.read_head()
            payload = "x" * 100_000
            for number in range(200):
                redis.xadd(KEY, {"id": str(number), "data": payload})
            wait_until(lambda: pending(redis) > 0)
            time.sleep(0.5)
            assert pending(redis) > 0
        # The same consumer returns, and receives its unacknowledged records again.
        with Subscription(server, "sensors") as live:
            found: list[str] = []
            while "199" not in found:
                found += live.ids(1)
            assert found == sorted(found, key=int)
            read_until_acknowledged(live, redis)


def test_a_group_over_a_redis_that_is_killed(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server, GROUP)
    found: list[str] = []
    with Subscription(server, "sensors") as live:
        done = 0
        for _ in range(3):
            with client(redis_server) as redis:
                add(redis, done, done + 300)
            done += 300
            found += live.ids(50)
            redis_server.stop()
            redis_server.start()
        while len(set(found)) < done:
            found += live.ids(1)
        with client(redis_server) as redis:
            read_until_acknowledged(live, redis)
    assert set(found) == set(numbers(0, done))


def test_a_group_that_somebody_deletes(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start(start_one, redis_server, GROUP)
    with client(redis_server) as redis, Subscription(server, "sensors") as live:
        add(redis, 0, 1)
        assert live.ids(1) == ["0"]
        redis.delete(KEY)
        live.until_state("up")
        add(redis, 1, 2)
        assert live.ids(1) == ["1"]


def test_a_group_has_no_offsets(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start(start_one, redis_server, GROUP)
    status, detail = refused(server, {"source": "sensors", "from": "start"})
    assert status == 400
    assert "from: source 'sensors' is read as group 'workers'" in detail


@pytest.mark.parametrize("offset", ["x", "17", "1-", "-1-0", "1-0-0"])
def test_what_is_no_id_is_refused(offset: str) -> None:
    with pytest.raises(OffsetError, match="has ids such as"):
        open_source("a", "redis://localhost/0").check(offset)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("?claim=1", "does not know: claim"),
        ("?group=a&claim=0", "claim=0, which must be seconds above 0"),
        ("?group=a&claim=soon", "claim=soon"),
    ],
)
def test_bad_options(options: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        open_source("a", f"redis://localhost/0{options}")


def test_in_process(redis_server: RedisServer) -> None:
    async def scenario() -> list[str]:
        source = open_source("a", url(redis_server))
        reader = source.open("start")
        found: list[str] = []
        try:
            async with asyncio.timeout(60):
                while len(found) < 3:
                    batch = await reader.read()
                    assert batch is not None
                    assert not isinstance(batch, Notice)
                    found += [json.loads(line)["id"] for line in batch.lines.splitlines()]
        finally:
            await reader.close()
            await source.close()
        return found

    with client(redis_server) as redis:
        add(redis, 0, 3)
    assert asyncio.run(scenario()) == numbers(0, 3)


def test_two_sources_of_one_group_in_a_process(redis_server: RedisServer) -> None:
    """Two consumers, as of two pipelines: neither receives records that the other is processing."""

    async def scenario(redis: Redis) -> list[list[str]]:
        sources = [open_source(name, url(redis_server, GROUP)) for name in ("a", "b")]
        readers = [source.open("start") for source in sources]
        found: list[list[str]] = []
        try:
            async with asyncio.timeout(60):
                for number, reader in enumerate(readers):
                    add(redis, number, number + 1)
                    lines = b""
                    while not lines:
                        batch = await reader.read()
                        assert batch is not None
                        assert not isinstance(batch, Notice)
                        lines = batch.lines
                    found.append([json.loads(line)["id"] for line in lines.splitlines()])
        finally:
            for reader, source in zip(readers, sources, strict=True):
                await reader.close()
                await source.close()
        return found

    with client(redis_server) as redis:
        redis.xgroup_create(KEY, "workers", mkstream=True)
        assert asyncio.run(scenario(redis)) == [["0"], ["1"]]


def test_a_reader_that_closes_disturbs_no_other(redis_server: RedisServer) -> None:
    """Each has a connection of its own, although they come from one pool."""

    async def read(source: Source, end: str) -> list[Notice]:
        notices: list[Notice] = []
        for _ in range(30):
            reader = source.open("start")
            while True:
                batch = await reader.read()
                if isinstance(batch, Notice):
                    notices.append(batch)
                elif batch is None or batch.offset == end:
                    break
            await reader.close()
        return notices

    async def run(end: str) -> None:
        source = open_source("sensors", url(redis_server))
        assert await asyncio.gather(*(read(source, end) for _ in range(10))) == [[]] * 10
        await source.close()

    with client(redis_server) as redis:
        asyncio.run(run(add(redis, 0, 300)[-1]))
        wait_until(lambda: redis.info("clients")["connected_clients"] == 1)
