"""Durable consumers of NATS JetStream, with readers and servers that are killed."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from contextlib import ExitStack
from itertools import chain
from typing import Any

import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo

from forstcore.errors import SourceError
from forstcore.sources import open_source
from tests.server.raw import Cut
from tests.servers import Server, StartServer, wait_until
from tests.sources.brokers import NatsServer
from tests.sources.jetstream import STREAM, add, add_all, add_stream, ask, url, with_jetstream
from tests.sources.live import Subscription, numbers
from tests.sources.test_nats import batch, ids, run

DURABLE = "&durable=workers&ack_wait=5"


def start(start_one: StartServer, broker: NatsServer, options: str = DURABLE) -> Server:
    return start_one("--source", f"readings={url(broker, options)}")


def state(broker: NatsServer) -> ConsumerInfo:
    async def look(it: Any) -> ConsumerInfo:
        info: ConsumerInfo = await it.consumer_info(STREAM, "workers")
        return info

    return ask(broker, look)


def is_done(broker: NatsServer) -> bool:
    """Return whether everything is acknowledged."""
    info = state(broker)
    return info.num_pending == info.num_ack_pending == 0


def read_all(stream: Subscription, found: list[str]) -> None:
    """Read until the stream ends, however it ends."""
    try:
        while True:
            if (line := stream.next_line()) is not None:
                found.append(json.loads(line)["id"])
    except (Cut, OSError, AssertionError):
        return


def test_readers_share_the_messages(start_one: StartServer, nats_server: NatsServer) -> None:
    add_stream(nats_server)
    add(nats_server, 0, 10)
    servers = [start(start_one, nats_server) for _ in range(2)]
    with ExitStack() as stack:
        streams = [
            stack.enter_context(Subscription(server, "readings"))
            for server in servers
            for _ in range(2)
        ]
        found: list[list[str]] = [[] for _ in streams]
        threads = [
            threading.Thread(target=read_all, args=pair)
            for pair in zip(streams, found, strict=True)
        ]
        for stream in streams:
            stream.socket.settimeout(60)
        for thread in threads:
            thread.start()

        async def fill(it: Any) -> None:
            for first in range(10, 2000, 10):
                await add_all(it, first, first + 10)

        ask(nats_server, fill)
        wait_until(lambda: sum(map(len, found)) >= 2000 and is_done(nats_server))
        for server in servers:
            server.stop()
        for thread in threads:
            thread.join()
    assert set(chain.from_iterable(found)) == set(numbers(0, 2000))


def test_a_server_that_is_killed_loses_nothing(
    start_one: StartServer, nats_server: NatsServer
) -> None:
    """Records that it had delivered but not acknowledged may be duplicated, but are not lost."""
    total = 4000
    add_stream(nats_server)
    add(nats_server, 0, total)
    options = "&durable=workers&ack_wait=1"
    first = start(start_one, nats_server, options)
    with Subscription(first, "readings", receive_buffer=8192) as one:
        found = one.ids(500)
        first.process.kill()
        read_all(one, found)
    second = start(start_one, nats_server, options)
    with Subscription(second, "readings") as two:
        missing = set(numbers(0, total)) - set(found)
        while missing:
            missing -= set(two.ids(1))
        while not is_done(nats_server):
            two.next_line()


def test_what_a_client_has_not_taken_goes_to_the_next(
    start_one: StartServer, nats_server: NatsServer
) -> None:
    add_stream(nats_server)

    async def fill(it: Any) -> None:
        for number in range(200):
            await it.publish(
                "readings.a", json.dumps({"id": str(number), "data": "x" * 100_000}).encode()
            )

    ask(nats_server, fill)
    # They come back at once, although the server would wait longer than this test.
    server = start(start_one, nats_server, "&durable=workers&ack_wait=600")
    with Subscription(server, "readings", receive_buffer=4096) as stopped:
        stopped.began()
        wait_until(lambda: bool(state(nats_server).num_ack_pending))
    with Subscription(server, "readings") as live:
        found: list[str] = []
        while "199" not in found or not is_done(nats_server):
            if (line := live.next_line()) is not None:
                found.append(json.loads(line)["id"])


def test_a_nats_server_that_is_killed(start_one: StartServer, nats_server: NatsServer) -> None:
    add_stream(nats_server)
    server = start(start_one, nats_server)
    found: list[str] = []
    with Subscription(server, "readings") as live:
        for done in range(0, 400, 200):
            add(nats_server, done, done + 200)
            found += live.ids(50)
            nats_server.stop()
            nats_server.start()
        while len(set(found)) < 400:
            found += live.ids(1)
        while not is_done(nats_server):
            live.next_line()
    assert set(found) == set(numbers(0, 400))


def test_a_consumer_that_somebody_deletes(nats_server: NatsServer) -> None:
    add_stream(nats_server)

    async def scenario() -> None:
        source = open_source("a", url(nats_server, DURABLE))
        reader = source.open("now")
        await batch(reader)
        await asyncio.to_thread(add, nats_server, 0, 2)
        assert await ids(reader, 2) == numbers(0, 2)
        reading = asyncio.create_task(ids(reader, 3))
        await asyncio.to_thread(ask, nats_server, lambda it: it.delete_consumer(STREAM, "workers"))
        await asyncio.to_thread(add, nats_server, 2, 3)
        # The new consumer begins at the start.
        assert await reading == numbers(0, 3)
        await reader.close()
        await source.close()

    run(scenario)


def test_acknowledgements_over_a_lost_connection(nats_server: NatsServer) -> None:
    add_stream(nats_server)
    add(nats_server, 0, 1200)

    async def scenario() -> None:
        source = open_source("a", url(nats_server, "&durable=workers&ack_wait=600"))
        reader = source.open("now")
        assert (await batch(reader)).lines == b""
        receipts: list[Any] = []
        found: list[str] = []
        while len(found) < 1200:
            item = await batch(reader)
            found += [json.loads(line)["id"] for line in item.lines.splitlines()]
            receipts.append(item.receipt)
        assert found == numbers(0, 1200)
        reading = asyncio.create_task(batch(reader))
        # A server that is killed may forget deliveries.
        await asyncio.to_thread(nats_server.stop, signal.SIGTERM)
        for receipt in receipts[1:]:
            await reader.acknowledge(receipt)
        await asyncio.to_thread(nats_server.start)
        # They are sent as soon as there is a connection again.
        while True:
            info = await asyncio.to_thread(state, nats_server)
            if info.num_ack_pending == len(receipts[0]):
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(add, nats_server, 1200, 1201)
        assert json.loads((await reading).lines)["id"] == "1200"
        await reader.acknowledge(receipts[0])
        await reader.close()
        # Only the last one, which was not acknowledged, is delivered again.
        again = source.open("now")
        await batch(again)
        assert json.loads((await batch(again)).lines)["id"] == "1200"
        await again.close()
        await source.close()

    run(scenario)


def test_what_is_being_processed_is_not_redelivered(nats_server: NatsServer) -> None:
    add_stream(nats_server)
    add(nats_server, 0, 3)

    async def scenario() -> None:
        source = open_source("a", url(nats_server, "&durable=workers&ack_wait=2"))
        reader = source.open("now")
        await batch(reader)
        held = await batch(reader)
        said: asyncio.Queue[bytes] = asyncio.Queue()

        async def hear(message: Any) -> None:
            await said.put(message.data)

        connection = await nats.connect(f"nats://127.0.0.1:{nats_server.port}")
        await connection.subscribe(f"$JS.ACK.{STREAM}.workers.>", cb=hear)
        await connection.flush()
        # Without a reader.
        assert [await said.get() for _ in range(6)] == [b"+WPI"] * 6
        await reader.acknowledge(held.receipt)
        while (word := await said.get()) == b"+WPI":
            continue
        assert [word, await said.get(), await said.get()] == [b"+ACK"] * 3
        await connection.close()
        await reader.close()
        await source.close()

    run(scenario)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"deliver_subject": "somewhere"}, "pushes its messages"),
        ({"ack_policy": AckPolicy.ALL}, "policy 'explicit'"),
        ({"filter_subject": "readings.b"}, "selects readings.b, not readings.a"),
    ],
)
def test_a_consumer_that_does_not_fit(
    nats_server: NatsServer, config: dict[str, Any], reason: str
) -> None:
    add_stream(nats_server)

    async def scenario() -> None:
        await with_jetstream(
            nats_server,
            lambda _, it: it.add_consumer(
                STREAM,
                ConsumerConfig(
                    **{"durable_name": "workers", "ack_policy": AckPolicy.EXPLICIT, **config}
                ),
            ),
        )
        source = open_source("a", url(nats_server, "&durable=workers&subject=readings.a"))
        reader = source.open("now")
        with pytest.raises(SourceError, match=reason):
            await reader.read()
        await reader.close()
        await source.close()

    run(scenario)


def test_a_work_queue_needs_a_durable_consumer(nats_server: NatsServer) -> None:
    add_stream(nats_server, retention="workqueue")
    add(nats_server, 0, 3)

    async def scenario() -> None:
        source = open_source("a", url(nats_server))
        reader = source.open("start")
        with pytest.raises(SourceError, match="cannot be read"):
            await reader.read()
        await reader.close()
        source = open_source("a", url(nats_server, DURABLE))
        reader = source.open("now")
        assert await ids(reader, 3) == numbers(0, 3)
        await reader.close()
        info = await asyncio.to_thread(ask, nats_server, lambda it: it.stream_info(STREAM))
        assert info.state.messages == 0
        await source.close()

    run(scenario)
