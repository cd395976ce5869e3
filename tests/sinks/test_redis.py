"""Redis Streams as a sink, with a real Redis that is killed, full or taken over."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits, open_sink
from forstcore.sources import open_source
from tests.sinks.writing import opened, outputs, run, until, write
from tests.sources.brokers import RedisServer, redis_client

STATE = "results:forstcore:out"


def url(port: int, options: str = "") -> str:
    return f"redis://127.0.0.1:{port}/0?stream=results{options}"


def added(broker: RedisServer, field: str = "data") -> list[int]:
    """Return the results in the stream."""
    with redis_client(broker) as redis:
        entries: Any = redis.xrange("results")
        return [json.loads(fields[field])["n"] for _, fields in entries]


def test_a_redis_that_is_killed(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with opened(url(redis_server.port)) as (sink, writer):
            assert await sink.offset() == ""
            for first in range(0, 3000, 1000):
                confirmed = await write(writer, *outputs(first, first + 1000))
                await confirmed[10]
                await asyncio.to_thread(redis_server.stop)
                await asyncio.to_thread(redis_server.start)
                await asyncio.gather(*confirmed)
            assert await sink.offset() == "3000"

    run(scenario)
    assert added(redis_server) == list(range(3000))


@contextlib.asynccontextmanager
async def swallowing_proxy(port: int, count: int) -> AsyncIterator[int]:
    """Drop the connection instead of the answer to the first few transactions."""
    left = count

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        swallows = asyncio.Event()

        async def answer() -> None:
            while data := await there_reader.read(1 << 16):
                if swallows.is_set():
                    writer.transport.abort()
                    return
                writer.write(data)

        answering = asyncio.create_task(answer())
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                if b"EVALSHA\r\n" in data and left:
                    left -= 1
                    swallows.set()
                there_writer.write(data)
        await answering if swallows.is_set() else answering.cancel()
        there_writer.transport.abort()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    assert left == 0


def test_a_redis_that_is_not_there_yet(redis_server: RedisServer) -> None:
    redis_server.stop()

    async def scenario() -> None:
        async with opened(url(redis_server.port)) as (sink, writer):
            asking = asyncio.create_task(sink.offset())
            await until(sink.trouble)
            await asyncio.to_thread(redis_server.start)
            assert await asking == ""
            assert sink.trouble() is None
            await asyncio.gather(*await write(writer, *outputs(0, 20)))

    run(scenario)
    assert added(redis_server) == list(range(20))


def test_a_transaction_whose_answer_is_lost_is_not_repeated(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with (
            swallowing_proxy(redis_server.port, 3) as port,
            opened(url(port)) as (sink, writer),
        ):
            await sink.offset()
            for first in range(0, 400, 100):
                await asyncio.gather(*await write(writer, *outputs(first, first + 100)))

    run(scenario)
    assert added(redis_server) == list(range(400))


def test_the_next_process_continues_at_the_offset(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with opened(url(redis_server.port)) as (sink, writer):
            assert await sink.offset() == ""
            await asyncio.gather(*await write(writer, *outputs(0, 25)))
            async with opened(url(redis_server.port)) as (other, its_writer):
                assert await other.offset() == "25"
                # From here on, the first one cannot write any more.
                (late,) = await write(writer, *outputs(25, 30))
                with pytest.raises(SinkError, match="is written by another process"):
                    await late
                await asyncio.gather(*await write(its_writer, *outputs(25, 40)))

    run(scenario)
    assert added(redis_server) == list(range(40))


@pytest.mark.parametrize("asks", [True, False])
def test_a_second_writer_of_a_sink(redis_server: RedisServer, asks: bool) -> None:
    async def scenario() -> None:
        source = open_source("in", "memory:")
        reader = source.open("now")
        sink = open_sink("out", url(redis_server.port))
        assert await sink.offset() == ""
        for first in (0, 30):
            if first and asks:
                assert await sink.offset() == "30"
            writer = await sink.open(None)
            await asyncio.gather(*await write(writer, *outputs(first, first + 30)))
            await writer.close()
        await sink.close()
        await reader.close()
        await source.close()

    run(scenario)
    assert added(redis_server) == list(range(60))


def test_a_redis_whose_memory_is_full(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        with redis_client(redis_server) as redis:
            async with opened(url(redis_server.port)) as (sink, writer):
                await sink.offset()
                await asyncio.gather(*await write(writer, *outputs(0, 20)))
                redis.config_set("maxmemory", "1mb")
                confirmed = await write(writer, *outputs(20, 60))
                await until(sink.trouble)
                trouble = sink.trouble()
                assert trouble is not None
                assert "OutOfMemoryError" in trouble.detail
                redis.config_set("maxmemory", "0")
                await asyncio.gather(*confirmed)
                assert sink.trouble() is None

    run(scenario)
    assert added(redis_server) == list(range(60))


def test_results_without_offsets(redis_server: RedisServer) -> None:
    """As from a source that has none: the entries are all there is."""

    async def scenario() -> None:
        async with opened(url(redis_server.port, "&field=json&maxlen=100000")) as (_, writer):
            (confirmed,) = await write(writer, Output(b'{"n":1}\n{"n":2}\r\n'))
            await confirmed

    run(scenario)
    assert added(redis_server, "json") == [1, 2]
    with redis_client(redis_server) as redis:
        assert not redis.exists(STATE)


def test_a_stream_has_about_maxlen_entries(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with opened(url(redis_server.port, "&maxlen=200")) as (_, writer):
            await asyncio.gather(*await write(writer, *outputs(0, 3000, 100)))

    run(scenario)
    assert 200 <= len(added(redis_server)) < 1000


def test_a_key_that_is_no_stream(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with opened(url(redis_server.port)) as (sink, writer):
            await sink.offset()
            (confirmed,) = await write(writer, *outputs(0, 3))
            with pytest.raises(SinkError, match="results is a string, not a stream"):
                await confirmed

    with redis_client(redis_server) as redis:
        redis.set("results", "text")
        run(scenario)
        assert redis.hget(STATE, "offset") is None


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("h/0", "names no stream"),
        ("h/0?stream=a&maxlen=0", "maxlen=0"),
        ("h/0?stream=a&group=b", "does not know: group"),
        ("u:secret@h/0?stream=a&x=y", "does not know: x"),
    ],
)
def test_bad_urls(rest: str, reason: str) -> None:
    with pytest.raises(SinkError, match=reason) as raised:
        open_sink("out", f"redis://{rest}")
    assert "secret" not in str(raised.value)


def test_the_hash_belongs_to_a_source(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        for source, reason in (("file:a", ""), ("file:b", "an offset of file:a, not of file:b")):
            sink = open_sink("out", url(redis_server.port), SinkLimits(source=source))
            if reason:
                with pytest.raises(SinkError, match=reason):
                    await sink.offset()
            else:
                assert await sink.offset() == ""
            await sink.close()

    run(scenario)
