"""Acknowledgements of clients: exactly the unacknowledged records are redelivered."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from redis import Redis

from forstcore import ForstStreamingClient, RetryConfig, StreamingConfig
from tests.server.raw import RawStream
from tests.servers import Server, StartServer, wait_until
from tests.sources.brokers import RedisServer
from tests.sources.brokers import redis_client as client
from tests.sources.live import Subscription, consumer, numbers

KEY = "jobs"
GROUP = "workers"


def start(start_one: StartServer, broker: RedisServer, options: str = "", *more: str) -> Server:
    url = f"redis://127.0.0.1:{broker.port}/0?stream={KEY}&group={GROUP}{options}"
    return start_one("--source", f"jobs={url}", *more)


def add(redis: Redis, first: int, end: int) -> None:
    with redis.pipeline(transaction=False) as pipe:
        for number in range(first, end):
            pipe.xadd(KEY, {"data": json.dumps({"id": str(number), "data": "x"})})
        pipe.execute()


def pending(redis: Redis) -> int:
    found: Any = redis.xpending(KEY, GROUP)
    return int(found["pending"])


def consumers(redis: Redis) -> list[str]:
    return [str(each["name"]) for each in redis.xinfo_consumers(KEY, GROUP)]


# The wire.


def test_records_are_pending_until_they_are_acknowledged(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server)
    with client(redis_server) as redis, Subscription(server, "jobs", acks=True) as live:
        live.began()
        assert live.headers["forst-delivery"] == "at-least-once"
        assert live.delivery == "at-least-once"
        add(redis, 0, 10)
        assert live.ids(10) == numbers(0, 10)
        time.sleep(0.5)
        assert pending(redis) == 10
        live.acknowledge(live.acked)
        wait_until(lambda: pending(redis) == 0)


def test_acknowledgements_in_any_pieces(
    each_server: Server, start_server: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_server, redis_server)
    with client(redis_server) as redis, Subscription(server, "jobs", acks=True) as live:
        live.began()
        for number in range(20):
            add(redis, number, number + 1)
            assert live.ids(1) == [str(number)]
        for byte in b":ack 3\n:ack 3\r\n:ack 2\n:ack 17\n:ac":
            live.send(bytes([byte]))
        wait_until(lambda: pending(redis) == 3)
        live.send(b"k 20\n")
        wait_until(lambda: pending(redis) == 0)


def test_what_may_be_sent_ahead_is_bounded(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server, "", "--buffer-size", "300")
    with client(redis_server) as redis, Subscription(server, "jobs", acks=True) as live:
        live.began()
        add(redis, 0, 2000)
        found = live.ids(300)
        time.sleep(0.5)
        ahead = pending(redis)
        assert 300 <= ahead < 600
        while len(found) < 2000:
            live.acknowledge(live.acked)
            found += live.ids(1)
            assert pending(redis) < 600
        assert found == numbers(0, 2000)


def test_bytes_that_may_be_sent_ahead_are_bounded(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server, "", "--queue-size", "100000")
    with client(redis_server) as redis:
        for number in range(50):
            redis.xadd(KEY, {"id": str(number), "data": "x" * 30_000})
        with Subscription(server, "jobs", acks=True) as live:
            found = live.ids(1)
            time.sleep(0.5)
            assert pending(redis) <= 40
            while len(found) < 50:
                live.acknowledge(max(0, live.acked))
                found += live.ids(1)
        assert found == numbers(0, 50)


def test_lines_without_results_are_reported_at_once(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    """Otherwise a filter that few records match would progress only with heartbeats."""
    server = start(start_one, redis_server, "", "--heartbeat", "60", "--buffer-size", "100")
    wanted = {"id": "1999"}
    with (
        client(redis_server) as redis,
        Subscription(server, "jobs", acks=True, filters=wanted) as live,
    ):
        live.began()
        add(redis, 0, 2000)
        found: list[str] = []
        while live.acked < 2000:
            if (line := live.next_line()) is not None:
                found.append(json.loads(line)["id"])
            live.acknowledge(max(0, live.acked))
        assert found == ["1999"]
        wait_until(lambda: pending(redis) == 0)


def test_a_request_that_ends_ends_the_subscription(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server)
    with client(redis_server) as redis:
        with Subscription(server, "jobs", acks=True) as live:
            live.began()
            add(redis, 0, 5)
            assert live.ids(5) == numbers(0, 5)
            live.send(b":ack 5\n")
            live.end()
            assert live.read_rest().splitlines()[-1].startswith(b":end {")
        assert pending(redis) == 0


def test_what_is_no_acknowledgement(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start(start_one, redis_server)
    for line, reason in (
        (b":ack 1\n", ":ack 1 came when 0 lines had been sent"),
        (b"ack 1\n", "not b'ack 1'"),
        (b":ack -1\n", "not b':ack -1'"),
        (b":ack\n", "not b':ack'"),
        (b":ack 1 2\n", "not b':ack 1 2'"),
        (b":ack " + b"9" * 30 + b"\n", "expected a line such as"),
        (b"x" * 100, "expected a line such as"),
        (b"\n", "expected a line such as"),
    ):
        with Subscription(server, "jobs", acks=True) as live:
            live.began()
            live.send(line)
            error = json.loads(live.read_rest().splitlines()[-1].removeprefix(b":error "))
            assert error["code"] == "bad_ack", line
            assert reason in error["detail"]


def ask(server: Server, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    with RawStream((server.host, server.port), "/real-time-process", headers) as request:
        request.send_and_end(body)
        return request.read_head(), json.loads(request.read_rest())["detail"]


def test_requests_that_cannot_acknowledge(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server)
    wanted = b'{"source":"jobs"}'
    frames = {"Forst-Frames": "1"}
    status, detail = ask(server, {**frames, "Forst-Ack": "1"}, wanted)
    assert (status, "needs a request that stays open" in detail) == (400, True)
    status, detail = ask(server, {"Forst-Ack": "1"}, wanted + b"\n")
    assert (status, "needs Forst-Frames: 1" in detail) == (400, True)
    status, detail = ask(server, {**frames, "Forst-Ack": "yes"}, wanted)
    assert (status, "must be 1, 0 or if-needed" in detail) == (400, True)
    status, detail = ask(server, {**frames, "Forst-Ack": "if-needed"}, wanted)
    assert (status, "send Forst-Ack: 1 and acknowledge" in detail) == (428, True)
    wanted = b'{"source":"jobs","filters":{"id":"%b"}}\n' % (b"x" * 100_000)
    status, detail = ask(server, {**frames, "Forst-Ack": "1"}, wanted)
    assert (status, "the request is longer than" in detail) == (413, True)
    status, detail = ask(server, {**frames, "Forst-Ack": "1"}, b'{"source":"none"}\n')
    assert (status, "there is no source 'none'" in detail) == (404, True)


def test_who_does_not_acknowledge_gets_at_most_once(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server)
    with client(redis_server) as redis:
        with Subscription(server, "jobs") as live:
            live.began()
            assert live.headers["forst-delivery"] == "at-most-once"
            assert live.delivery == "at-most-once"
            add(redis, 0, 1)
            assert live.ids(1) == ["0"]
            wait_until(lambda: pending(redis) == 0)
        address = (server.host, server.port)
        with RawStream(address, "/real-time-process") as plain:
            plain.send_and_end(b'{"source":"jobs"}')
            assert plain.read_head() == 200
            assert plain.headers["forst-delivery"] == "at-most-once"


def test_sources_with_offsets_take_acknowledgements_and_need_none(server: Server) -> None:
    with Subscription(server, "events", "start", acks=True) as live:
        assert live.start()
        assert "forst-delivery" not in live.headers
        assert live.delivery == ""
        live.acknowledge(0)
        live.end()
        assert live.read_rest().splitlines()[-1].startswith(b":end {")


# Redelivered records, and who receives them.


def test_a_consumer_that_takes_one_and_dies_loses_none(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server, "&claim=60")
    with client(redis_server) as redis:
        add(redis, 0, 1000)
        with consumer(server, pause=60) as first:
            assert first.stdout is not None
            assert first.stdout.readline() == "0\n"
            first.kill()
        with consumer(server) as second:
            assert second.stdout is not None
            found = {second.stdout.readline().strip() for _ in range(1000)}
            second.kill()
    # None of them was acknowledged, because the first was still being processed.
    assert found == set(numbers(0, 1000))


def test_a_consumer_acknowledges_while_it_works_through_what_it_has(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    """Even one that blocks its event loop, and has read far ahead."""
    server = start(start_one, redis_server)
    with client(redis_server) as redis:
        add(redis, 0, 1000)
        with consumer(server, pause=0.005) as process:
            assert process.stdout is not None
            for _ in range(500):
                process.stdout.readline()
            wait_until(lambda: pending(redis) <= 700)
            process.kill()


def test_what_a_client_leaves_behind_goes_to_another_at_once(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    servers = [start(start_one, redis_server, "&claim=60") for _ in range(2)]
    with client(redis_server) as redis, ExitStack() as stack:
        one = stack.enter_context(Subscription(servers[0], "jobs", acks=True))
        one.began()
        add(redis, 0, 50)
        assert one.ids(50) == numbers(0, 50)
        first = one.acked
        two = stack.enter_context(Subscription(servers[1], "jobs", acks=True))
        two.began()
        add(redis, 50, 60)
        one.acknowledge(first)
        wait_until(lambda: pending(redis) <= 10)
        one.socket.close()
        started = time.monotonic()
        found = set(two.ids(10))
        assert found == set(numbers(50, 60))
        assert time.monotonic() - started < 50  # Later, the other server would claim them.


def test_what_is_in_work_is_nobody_elses(start_one: StartServer, redis_server: RedisServer) -> None:
    """However long processing takes, as long as the connection is open."""
    server = start(start_one, redis_server, "&claim=0.5")
    with client(redis_server) as redis, ExitStack() as stack:
        one = stack.enter_context(Subscription(server, "jobs", acks=True))
        one.began()
        add(redis, 0, 5)
        assert one.ids(5) == numbers(0, 5)
        two = stack.enter_context(Subscription(server, "jobs", acks=True))
        two.began()
        time.sleep(3)
        add(redis, 5, 6)
        found = one.results(1) if one_gets(redis, "5") else two.results(1)
        assert found[0]["id"] == "5"
        times = redis.xpending_range(KEY, GROUP, "-", "+", 10)
        assert [each["times_delivered"] for each in times] == [1] * 6


def one_gets(redis: Redis, number: str) -> bool:
    """Return whether the first consumer was given the last record."""
    wait_until(lambda: pending(redis) == 6)
    last = redis.xpending_range(KEY, GROUP, "-", "+", 10)[-1]
    return str(last["consumer"]).endswith("-1")


def test_what_is_acknowledged_when_a_client_leaves_does_not_come_again(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server)

    async def take(count: int) -> list[str]:
        async with ForstStreamingClient(server.url) as forst:
            wanted = {"source": "jobs"}
            async with forst.follow_forst("/real-time-process", wanted) as results:
                return [str((await anext(results))["id"]) for _ in range(count)]

    with client(redis_server) as redis:
        add(redis, 0, 1)
        taken = asyncio.run(take(1))
        for number in range(1, 20):
            # Taking a record shows that those before it are done, but not that it is.
            add(redis, number, number + 1)
            taken += asyncio.run(take(2))
    assert set(taken) == set(numbers(0, 20))
    assert max(Counter(taken).values()) == 2


@pytest.mark.long
def test_consumers_that_are_left_behind_are_removed(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start(start_one, redis_server, "&claim=0.5")
    with client(redis_server) as redis:
        with Subscription(server, "jobs", acks=True) as live:
            live.began()
            wait_until(lambda: len(consumers(redis)) == 1)
        wait_until(lambda: consumers(redis) == [])
        # Consumers of other programs stay, and so do those with pending records.
        add(redis, 0, 1)
        redis.xgroup_createconsumer(KEY, GROUP, "somebody")
        redis.xgroup_createconsumer(KEY, GROUP, "host-17-1")
        redis.xreadgroup(GROUP, "host-17-2", {KEY: ">"})
        with Subscription(server, "jobs", acks=True) as live:
            assert live.ids(1) == ["0"]
            wait_until(lambda: "host-17-1" not in consumers(redis))
            # Other consumers have taken over its pending records by now.
            wait_until(lambda: "host-17-2" not in consumers(redis))
            server.stop(signal.SIGKILL)
        assert "somebody" in consumers(redis)
        server = start(start_one, redis_server, "&claim=0.5")
        with Subscription(server, "jobs", acks=True) as live:
            assert live.ids(1) == ["0"]
            live.acknowledge(1)
            wait_until(lambda: len(consumers(redis)) == 2)


def test_a_server_that_is_killed_and_its_successor_of_the_same_name(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    options = "&claim=600&consumer=me"
    server = start(start_one, redis_server, options)
    with client(redis_server) as redis:
        with Subscription(server, "jobs", acks=True) as live:
            live.began()
            add(redis, 0, 5)
            live.ids(5)
            server.stop(signal.SIGKILL)
        server = start(start_one, redis_server, options)
        with Subscription(server, "jobs", acks=True) as live:
            assert live.ids(5) == numbers(0, 5)


# All faults at once.


CONFIG = StreamingConfig(retry=RetryConfig(attempts=200, delay=0.02, max_delay=0.2))


async def consume(
    servers: list[str], name: int, log: list[tuple[int, str]], stop: asyncio.Event
) -> None:
    """Take records, from one server after the other, a random number at a time."""
    turn = name
    wanted: Mapping[str, object] = {"source": "jobs"}
    while not stop.is_set():
        turn += 1
        async with ForstStreamingClient(servers[turn % len(servers)], CONFIG) as forst:
            results = forst.follow_forst("/real-time-process", wanted)
            async with results:
                for _ in range(50 + 37 * (turn % 7)):
                    taking = asyncio.ensure_future(anext(results))
                    stopping = asyncio.ensure_future(stop.wait())
                    await asyncio.wait(
                        [taking, stopping], return_when=asyncio.FIRST_COMPLETED, timeout=60
                    )
                    stopping.cancel()
                    if not taking.done():
                        taking.cancel()
                        await asyncio.wait([taking])
                        break
                    log.append((name, str(taking.result()["id"])))


@pytest.mark.long
def test_nothing_is_lost_while_everything_is_killed(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    """Servers and broker are killed, consumers leave: unacknowledged records are redelivered."""
    total = 4000
    everything = set(numbers(0, total))
    ports = [str(19_851), str(19_852)]
    options = "&claim=1"
    processes = [start(start_one, redis_server, options, "--port", port) for port in ports]
    killed: list[subprocess.Popen[str]] = []

    async def scenario() -> set[str]:
        log: list[tuple[int, str]] = []
        stop = asyncio.Event()
        urls = [server.url for server in processes]
        consuming = [asyncio.create_task(consume(urls, name, log, stop)) for name in range(4)]
        # Processes that are killed while they are processing records.
        killed.extend(consumer(processes[place], 0.001) for place in range(2))
        for turn in range(8):
            if turn % 4 == 1:
                place = (turn // 4) % 2
                await asyncio.to_thread(processes[place].stop, signal.SIGKILL)
                processes[place] = await asyncio.to_thread(
                    start, start_one, redis_server, options, "--port", ports[place]
                )
            if turn % 4 == 3:
                await asyncio.to_thread(redis_server.stop)
                await asyncio.sleep(0.2)
                await asyncio.to_thread(redis_server.start)
            if turn in (2, 5):
                killed[turn // 3].kill()
            with client(redis_server) as redis:
                await asyncio.to_thread(add, redis, turn * 500, turn * 500 + 500)
            await asyncio.sleep(0.3)
        taken = set().union(*[await asyncio.to_thread(output, process) for process in killed])
        await asyncio.to_thread(
            wait_until, lambda: taken | {each for _, each in log} == everything, 60
        )
        stop.set()
        await asyncio.gather(*consuming)
        return taken | {each for _, each in log}

    taken = asyncio.run(asyncio.wait_for(scenario(), 150))
    with client(redis_server) as redis:
        assert taken == everything, (len(taken), redis.xinfo_groups(KEY))


def output(process: subprocess.Popen[str]) -> set[str]:
    """Return the records that a killed consumer has received."""
    with process:
        process.kill()
        assert process.stdout is not None
        return {line.strip() for line in process.stdout}
