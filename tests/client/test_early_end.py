"""Streams that the caller or its producer ends: which error is raised, and that nothing remains."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from forstcore import (
    ForstStreamingClient,
    RequestRefusedError,
    StreamFailedError,
    StreamingRecord,
    StreamOptions,
)
from tests import children
from tests.client.streams import ENDPOINT, QUICK, collect, endless, nothing_is_left, record, silent
from tests.servers import ROOT, Server


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("after", [0, 1, 1000])
@pytest.mark.parametrize(
    "error",
    [
        KeyError("mine"),
        OSError(5, "mine"),
        StreamFailedError("timeout", "another stream's", 7, retriable=True),
        # None of them may pass for the end of the input.
        asyncio.CancelledError("mine"),
        GeneratorExit("mine"),
        BaseException("mine"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_producers_error_is_the_callers(
    server: Server, error: BaseException, after: int, asynchronous: bool, resume: bool
) -> None:
    cause = ValueError("why")

    def produce() -> Iterator[StreamingRecord]:
        yield from map(record, range(after))
        raise error from cause

    async def produce_async() -> AsyncIterator[StreamingRecord]:
        for number in range(after):
            yield record(number)
        await asyncio.sleep(0.01)
        raise error from cause

    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            producer: Any = produce_async() if asynchronous else produce()
            with pytest.raises(type(error)) as caught:
                await collect(
                    client.stream_to_forst(ENDPOINT, producer, StreamOptions(resume=resume))
                )
            assert caught.value is error
            assert caught.value.__cause__ is cause
            assert caught.value.__context__ is None
        await nothing_is_left()

    asyncio.run(run())
    if isinstance(error, StreamFailedError):
        assert error.lines == 7


def test_a_producer_that_is_cancelled(server: Server) -> None:
    async def produce() -> AsyncIterator[StreamingRecord]:
        yield record(1)
        raise asyncio.CancelledError

    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            with pytest.raises(asyncio.CancelledError):
                async for _ in client.stream_to_forst(ENDPOINT, produce()):
                    pass
        await nothing_is_left()

    asyncio.run(run())


@pytest.mark.parametrize("way", ["break", "aclose", "async with", "cancel", "client"])
@pytest.mark.parametrize("resume", [False, True])
def test_an_early_end(server: Server, way: str, resume: bool) -> None:
    ended: list[str] = []

    async def produce() -> AsyncIterator[StreamingRecord]:
        try:
            async for each in silent():
                yield each
        finally:
            await asyncio.sleep(0)
            ended.append("producer")

    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            options = StreamOptions(resume=resume)

            def open_stream() -> Any:
                return client.stream_to_forst(ENDPOINT, produce(), options)

            if way == "break":
                async for each in open_stream():
                    assert each["id"] == "0"
                    break
            elif way == "async with":
                async with open_stream() as stream:
                    await anext(stream)
            elif way == "aclose":
                stream = open_stream()
                await anext(stream)
                await stream.aclose()
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)
            elif way == "cancel":
                waiting = asyncio.create_task(collect(open_stream()))
                await asyncio.sleep(0.1)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            else:
                waiting = asyncio.create_task(collect(open_stream()))
                await asyncio.sleep(0.1)
                await client.aclose()
                with pytest.raises(StreamFailedError, match="the client was closed"):
                    await waiting
            await nothing_is_left()
        assert ended == ["producer"]

    asyncio.run(run())


ENDLESS = """
import asyncio, itertools, sys
from forstcore import ForstStreamingClient, StreamOptions

def produce():
    for number in itertools.count():
        yield {"id": str(number), "data": "x"}

async def silent():
    yield {"id": "0", "data": "x"}
    await asyncio.Event().wait()

async def run(client, stream):
    async with client:
        async for result in stream:
            print(result["id"], flush=True)

way, url = sys.argv[1:]
client = ForstStreamingClient(url)
records = silent() if "silent" in way else produce()
stream = client.stream_to_forst("/streaming-process", records, StreamOptions(resume=True))
if "async" in way:
    asyncio.run(run(client, stream))
for result in stream:
    print(result["id"], flush=True)
"""


@pytest.mark.parametrize("way", ["async", "sync", "async, silent", "sync, silent"])
def test_ctrl_c(server: Server, way: str) -> None:
    process = children.start(
        [sys.executable, "-X", "dev", "-c", ENDLESS, way, server.url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        if "silent" in way:
            time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        children.end(process)
    assert process.returncode == -signal.SIGINT, errors
    assert "KeyboardInterrupt" in errors
    if way != "sync":
        # The synchronous client may be interrupted between two steps, before the coroutine of
        # the next one has started.
        assert "never" not in errors
    for word in ("ignored", "destroyed", "unclosed", "Unclosed"):
        assert word not in errors


ANY_MOMENT = """
import itertools, os, random, signal, sys
from forstcore import ForstStreamingClient, StreamOptions

url, times, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
random.seed(seed)

def produce():
    for number in itertools.count():
        yield {"id": str(number), "data": "x"}

def press(_signal, _frame):
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGALRM, press)
for _ in range(times):
    client = ForstStreamingClient(url)
    options = StreamOptions(resume=random.random() < 0.5)
    stream = client.stream_to_forst("/streaming-process", produce(), options)
    try:
        try:
            next(iter(stream))
            # Again after a second: Python drops an exception that is raised in a finalizer.
            signal.setitimer(signal.ITIMER_REAL, random.random() ** 2 * 0.02 + 0.00001, 1)
            for _ in stream:
                pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        continue
    sys.exit("the stream ended")
print("interrupted", times)
"""


@pytest.mark.long
def test_ctrl_c_at_any_moment(server: Server) -> None:
    seed = str(time.time_ns())
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", ANY_MOMENT, server.url, "60", seed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "interrupted 60\n", (seed, done.stderr)
    assert done.returncode == 0
    for word in ("destroyed", "unclosed", "Unclosed"):
        assert word not in done.stderr, seed


def test_a_closed_client_opens_nothing(server: Server) -> None:
    async def run() -> None:
        client = ForstStreamingClient(server.url)
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await anext(client.stream_to_forst(ENDPOINT, [record(1)]))

    asyncio.run(run())


def test_a_client_belongs_to_one_loop(server: Server) -> None:
    client = ForstStreamingClient(server.url)

    async def run() -> None:
        async for _ in client.stream_to_forst(ENDPOINT, [record(1)]):
            pass
        session = client.session()
        await session.close()

    asyncio.run(run())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(run())


def open_files() -> int:
    gc.collect()
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("needs /proc")
    return len(list(fds.iterdir()))


def test_many_streams_leave_nothing(server: Server) -> None:
    async def run() -> None:
        async with ForstStreamingClient(server.url, QUICK) as client:

            async def each_kind(number: int) -> None:
                options = StreamOptions(resume=bool(number % 2))
                async for _ in client.stream_to_forst(ENDPOINT, [record(1)], options):
                    pass
                async for _ in client.stream_to_forst(ENDPOINT, endless(), options):
                    break
                with pytest.raises(RequestRefusedError):
                    await anext(client.stream_to_forst("/nowhere", endless(), options))
                reading = asyncio.ensure_future(
                    anext(client.stream_to_forst(ENDPOINT, silent(), options))
                )
                await asyncio.sleep(0.001 * (number % 5))
                reading.cancel()
                await asyncio.wait([reading])

            await each_kind(0)
            await nothing_is_left()
            before = open_files()
            for number in range(40):
                await each_kind(number)
            await nothing_is_left()
            assert open_files() <= before + 1

    asyncio.run(run())


def test_a_server_that_stops_reading_leaves_nothing() -> None:
    accepted: list[asyncio.StreamWriter] = []

    async def answer_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def produce() -> Iterator[bytes]:
        while True:
            yield b" " * (1 << 20)

    async def run() -> None:
        before = open_files()
        server = await asyncio.start_server(answer_only, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with ForstStreamingClient(url) as client:
            stream = client.stream_to_forst(ENDPOINT, produce())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 1)
            await stream.aclose()
            await asyncio.sleep(0.1)
            # What is left: the listening socket, and the server's side of the connection.
            assert open_files() <= before + 2
        server.close()
        for writer in accepted:
            writer.transport.abort()
        await nothing_is_left()

    asyncio.run(run())
