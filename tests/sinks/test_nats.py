"""NATS JetStream as a sink, with a real server that is killed, and streams that refuse."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from nats.js.api import DiscardPolicy

from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputRefusedError, open_sink
from tests.sinks.writing import opened, outputs, run, until, write
from tests.sources.brokers import NatsServer
from tests.sources.jetstream import STREAM, add_stream, ask


def url(broker: NatsServer, options: str = "") -> str:
    return f"nats://127.0.0.1:{broker.port}?subject=readings.out{options}"


def stored(broker: NatsServer) -> list[int]:
    """Return the results in the stream."""

    async def read(it: Any) -> list[int]:
        found: list[int] = []
        subscription = await it.subscribe("readings.>", ordered_consumer=True)
        wanted = (await it.stream_info(STREAM)).state.messages
        while len(found) < wanted:
            found.append(json.loads((await subscription.next_msg(timeout=60)).data)["n"])
        return found

    return ask(broker, read)


def test_a_server_that_is_killed(nats_server: NatsServer) -> None:
    add_stream(nats_server)

    async def scenario() -> None:
        async with opened(url(nats_server)) as (sink, writer):
            assert await sink.offset() == ""
            for first in range(0, 6000, 2000):
                confirmed = await write(writer, *outputs(first, first + 2000))
                await confirmed[10]
                await asyncio.to_thread(nats_server.stop)
                await asyncio.to_thread(nats_server.start)
                await asyncio.gather(*confirmed)

    run(scenario)
    # The stream recognizes messages that are sent again.
    assert stored(nats_server) == list(range(6000))


def test_a_stream_that_is_missing_or_deleted(nats_server: NatsServer) -> None:
    async def scenario() -> None:
        async with opened(url(nats_server)) as (sink, writer):
            (confirmed,) = await write(writer, *outputs(0, 5))
            await until(sink.trouble)
            trouble = sink.trouble()
            assert trouble is not None
            assert "no stream stores messages of the subject" in trouble.detail
            await asyncio.to_thread(add_stream, nats_server)
            await confirmed
            assert sink.trouble() is None
            await asyncio.to_thread(ask, nats_server, lambda it: it.delete_stream(STREAM))
            (confirmed,) = await write(writer, *outputs(5, 10))
            await until(sink.trouble)
            await asyncio.to_thread(add_stream, nats_server)
            await confirmed

    run(scenario)
    assert stored(nats_server) == list(range(5, 10))


def test_a_stream_that_is_full(nats_server: NatsServer) -> None:
    add_stream(nats_server, max_msgs=30, discard=DiscardPolicy.NEW)

    async def scenario() -> None:
        async with opened(url(nats_server)) as (sink, writer):
            await asyncio.gather(*await write(writer, *outputs(0, 30)))
            confirmed = await write(writer, *outputs(30, 50))
            await until(sink.trouble)
            trouble = sink.trouble()
            assert trouble is not None
            assert "maximum messages exceeded" in trouble.detail
            await asyncio.to_thread(ask, nats_server, lambda it: it.purge_stream(STREAM))
            await asyncio.gather(*confirmed)

    run(scenario)
    assert stored(nats_server) == list(range(30, 50))


@pytest.mark.parametrize("size", [2000, 3_000_000])
def test_results_that_are_too_large(nats_server: NatsServer, size: int) -> None:
    """For the stream, and for the server."""
    add_stream(nats_server, max_msg_size=1000)

    async def scenario() -> None:
        async with opened(url(nats_server)) as (_, writer):
            large = b'{"n":"%b"}\n' % (b"x" * size)
            (refused,) = await write(writer, Output(b'{"n":1}\n' + large + b'{"n":2}\n' + large))
            with pytest.raises(OutputRefusedError) as raised:
                await refused
            assert set(raised.value.lines) == {1, 3}
            await asyncio.gather(*await write(writer, *outputs(3, 5)))

    run(scenario)
    assert stored(nats_server) == [1, 2, 3, 4]


def test_another_stream_than_expected(nats_server: NatsServer) -> None:
    add_stream(nats_server)

    async def scenario() -> None:
        async with opened(url(nats_server, "&stream=OTHER")) as (_, writer):
            (confirmed,) = await write(writer, *outputs(0, 5))
            with pytest.raises(SinkError, match="expected stream does not match"):
                await confirmed

    run(scenario)
    assert stored(nats_server) == []


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("h", "names no subject"),
        ("h/s?subject=a", "has the path /s"),
        ("h?subject=a.*", r"subject=a\.\*, which is not a single subject"),
        ("h?subject=a&stream=b.c", r"stream=b\.c"),
        ("secret@h?subject=a", "user without a password"),
    ],
)
def test_bad_urls(rest: str, reason: str) -> None:
    with pytest.raises(SinkError, match=reason) as raised:
        open_sink("out", f"nats://{rest}")
    assert "secret" not in str(raised.value)
