"""Results arrive once and in order, despite lost connections and killed servers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from forstcore import (
    ForstStreamingClient,
    RetryConfig,
    StreamFailedError,
    StreamingConfig,
    StreamingIntegration,
    StreamingRecord,
    StreamOptions,
)
from tests.faults import ENDING, Fault, FaultProxy, Plan
from tests.servers import Server, StartServer

ENDPOINT = "/streaming-process"
PATIENT = StreamingConfig(retry=RetryConfig(attempts=100, delay=0.01, max_delay=0.1))
RESUME = StreamOptions(resume=True)


def record(number: int) -> StreamingRecord:
    return {"id": str(number), "data": "x"}


def records(count: int) -> Iterator[StreamingRecord]:
    return map(record, range(count))


def lines(count: int) -> bytes:
    return b"".join(b'{"id":"%d","data":"x"}\n' % number for number in range(count))


async def ids(stream: Any) -> list[int]:
    return [int(each["id"]) async for each in stream]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("place", range(150, 450, 7))
def test_a_cut_at_each_byte_of_the_first_results(server: Server, place: int) -> None:
    async def run() -> None:
        faults = [Fault("cut", place), Fault("reset", place + 3)]
        async with (
            FaultProxy(server.port, faults) as proxy,
            ForstStreamingClient(proxy.url, PATIENT) as client,
        ):

            async def produce() -> AsyncIterator[StreamingRecord]:
                for each in records(20):
                    yield each
                    await asyncio.sleep(0)

            stream = client.stream_to_forst(ENDPOINT, produce(), RESUME)
            assert await ids(stream) == list(range(20))
            assert proxy.done == 2

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 7, 1000, 30_000])
def test_bytes_that_are_cut_anywhere(server: Server, size: int) -> None:
    count = 300 if size < 100 else 30_000
    body = lines(count)
    chunks = [body[at : at + size] for at in range(0, len(body), size)]

    async def run() -> None:
        async with (
            FaultProxy(server.port, Plan.draw(size, 6, len(body), kinds=ENDING)) as proxy,
            ForstStreamingClient(proxy.url, PATIENT) as client,
        ):
            stream = client.stream_to_forst(ENDPOINT, chunks, RESUME)
            assert await ids(stream) == list(range(count))
            raw = client.process_streaming_data(ENDPOINT, [body], RESUME)
            assert (b"".join([piece async for piece in raw])).count(b"\n") == count

    asyncio.run(run())


def test_a_dataset_resumes_by_itself_and_without_a_loop(start_server: StartServer) -> None:
    server = start_server("--no-access-log")

    def produce() -> Iterator[StreamingRecord]:
        nonlocal server
        for number in range(40_000):
            if number in (10_000, 25_000):
                server.stop(signal.SIGKILL)
                server = start_server("--no-access-log", "--port", str(server.port))
            yield record(number)

    integration = StreamingIntegration(ForstStreamingClient(server.url, PATIENT))
    with integration.process_large_dataset(produce()) as stream:
        assert [int(each["id"]) for each in stream] == list(range(40_000))
        assert stream.connections >= 3


def test_a_server_that_goes_down_in_good_order(start_server: StartServer) -> None:
    server = start_server("--no-access-log")

    async def run() -> None:
        async def produce() -> AsyncIterator[StreamingRecord]:
            nonlocal server
            for number in range(2_000):
                if number == 1_000:
                    await asyncio.to_thread(server.stop)
                    server = await asyncio.to_thread(
                        start_server, "--no-access-log", "--port", str(server.port)
                    )
                yield record(number)
                if number % 100 == 0:
                    await asyncio.sleep(0.001)

        async with ForstStreamingClient(server.url, PATIENT) as client:
            stream = client.stream_to_forst(ENDPOINT, produce(), RESUME)
            assert await ids(stream) == list(range(2_000))
            assert stream.connections >= 2

    asyncio.run(run())


def test_a_proxy_that_is_restarted(server: Server) -> None:
    async def run() -> None:
        async with (
            FaultProxy(server.port) as proxy,
            ForstStreamingClient(proxy.url, PATIENT) as client,
        ):
            stream = client.stream_to_forst(ENDPOINT, records(50_000), RESUME)
            number = 0
            async for each in stream:
                assert each["id"] == str(number)
                if number in (1_000, 30_000):
                    await proxy.stop()
                    await proxy.start()
                number += 1
            assert number == 50_000
            assert stream.connections == 3

    asyncio.run(run())


def test_a_server_that_comes_back_with_another_token(start_server: StartServer) -> None:
    server = start_server("--no-access-log", env={"FORSTCORE_TOKEN": "one"})

    async def run() -> None:
        async with ForstStreamingClient(server.url, PATIENT, token="one") as client:
            go_on = asyncio.Event()

            async def produce() -> AsyncIterator[StreamingRecord]:
                yield record(0)
                await go_on.wait()
                await asyncio.to_thread(server.stop, signal.SIGKILL)
                options = ("--no-access-log", "--port", str(server.port))
                env = {"FORSTCORE_TOKEN": "another"}
                await asyncio.to_thread(lambda: start_server(*options, env=env))
                yield record(1)

            stream = client.stream_to_forst(ENDPOINT, produce(), RESUME)
            assert (await anext(stream))["id"] == "0"
            go_on.set()
            with pytest.raises(StreamFailedError, match="status 401") as caught:
                await anext(stream)
            assert (caught.value.code, caught.value.lines) == ("refused", 1)

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_the_error_says_how_far_it_came(server: Server, kind: Any) -> None:
    async def run() -> None:
        got: list[Any] = []
        # The second and third connections fail before the response begins.
        faults = [Fault(kind, 300_000), Fault(kind, 10), Fault(kind, 20)]
        retry = RetryConfig(attempts=3, delay=0.01)
        async with (
            FaultProxy(server.port, faults) as proxy,
            ForstStreamingClient(proxy.url, StreamingConfig(retry=retry)) as client,
        ):

            async def run_on() -> None:
                async for each in client.stream_to_forst(ENDPOINT, records(50_000), RESUME):
                    got.append(each)

            with pytest.raises(StreamFailedError) as caught:
                await run_on()
            assert proxy.connections == 3
        assert [int(each["id"]) for each in got] == list(range(caught.value.lines))
        assert 0 < caught.value.lines < 50_000
        assert caught.value.__cause__ is not None

    asyncio.run(run())


def test_without_resume_a_lost_connection_is_an_error(server: Server) -> None:
    async def run() -> None:
        async with (
            FaultProxy(server.port, [Fault("cut", 300_000)]) as proxy,
            ForstStreamingClient(proxy.url, PATIENT) as client,
        ):
            with pytest.raises(StreamFailedError, match="lost") as caught:
                await ids(client.stream_to_forst(ENDPOINT, records(50_000)))
            assert caught.value.code == "disconnected"
            assert proxy.connections == 1

    asyncio.run(run())


@pytest.mark.parametrize("first", [1, 1_000_001])
def test_error_lines_are_numbered_from_the_start(server: Server, first: int) -> None:
    async def run() -> None:
        body = [b'{"id":"1","data":"x"}\n', b"junk\n"] * 10_000
        # The rest of an input whose start was processed in another stream.
        headers = {"Forst-First-Line": str(first)} if first > 1 else {}
        options = StreamOptions(resume=True, on_error="emit", headers=headers)
        async with (
            FaultProxy(server.port, Plan.draw(3, 4, 200_000, kinds=ENDING)) as proxy,
            ForstStreamingClient(proxy.url, PATIENT) as client,
        ):
            results: list[Any] = [
                each async for each in client.stream_to_forst(ENDPOINT, body, options)
            ]
            assert [each["line"] for each in results[1::2]] == list(
                range(first + 1, first + 20_000, 2)
            )
            assert proxy.done == 4

    asyncio.run(run())


def test_a_pause_longer_than_the_servers_patience(start_server: StartServer) -> None:
    server = start_server("--timeout", "0.3")

    async def run() -> None:
        async def produce() -> AsyncIterator[StreamingRecord]:
            yield record(0)
            await asyncio.sleep(1.5)
            yield record(1)

        retry = RetryConfig(attempts=1)
        async with ForstStreamingClient(server.url, StreamingConfig(retry=retry)) as client:
            stream = client.stream_to_forst(ENDPOINT, produce(), RESUME)
            assert await ids(stream) == [0, 1]
            # The client reconnected once, and did not repeat records to keep a connection open.
            assert stream.connections == 2

    asyncio.run(run())


@pytest.mark.parametrize("size", [100, 10_000])
def test_what_waits_to_be_acknowledged_is_bounded(server: Server, size: int) -> None:
    asked = 0

    def produce() -> Iterator[StreamingRecord]:
        nonlocal asked
        for number in range(1_000_000):
            asked += 1
            yield {"id": str(number), "data": "x" * size}

    async def run() -> None:
        config = StreamingConfig(chunk_size=1 << 16, buffer_size=50, timeout=0.5)
        # No more results arrive, so records that are sent from then on are not acknowledged.
        async with (
            FaultProxy(server.port, [Fault("stall", 20_000)]) as proxy,
            ForstStreamingClient(proxy.url, config) as client,
        ):
            stream = client.stream_to_forst(ENDPOINT, produce(), RESUME)
            await anext(stream)
            waiting = asyncio.ensure_future(anext(stream))
            for _ in range(3):
                if not waiting.done():
                    await asyncio.wait([waiting], timeout=0.1)
                else:
                    waiting = asyncio.ensure_future(anext(stream))
            in_flight = (asked - stream.lines) * size
            assert in_flight < 4 * (1 << 16) + 64 * size
            waiting.cancel()
            await asyncio.wait([waiting])

    asyncio.run(run())


def test_a_line_that_cannot_be_kept(server: Server) -> None:
    async def run() -> None:
        def produce() -> Iterator[bytes]:
            yield b'{"id":"1","data":"x"}\n'
            while True:
                yield b"x" * (1 << 20)

        async with ForstStreamingClient(server.url) as client:
            with pytest.raises(StreamFailedError, match="line 2 has more than") as caught:
                await ids(client.stream_to_forst(ENDPOINT, produce(), RESUME))
            assert caught.value.code == "line_too_long"

    asyncio.run(run())
