"""Failing streams: their errors, and that they leave no tasks or connections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from forstcore import (
    ForstStreamingClient,
    RequestRefusedError,
    RetryConfig,
    StreamFailedError,
    StreamingConfig,
    StreamingRecord,
    StreamOptions,
)
from tests import children
from tests.faults import Fault, FaultProxy
from tests.servers import ROOT, Server, StartServer, free_port

ENDPOINT = "/streaming-process"
QUICK = StreamingConfig(retry=RetryConfig(attempts=3, delay=0.01), timeout=5)


def record(number: int) -> StreamingRecord:
    return {"id": str(number), "data": "x"}


async def endless() -> AsyncIterator[StreamingRecord]:
    number = 0
    while True:
        yield record(number)
        number += 1
        await asyncio.sleep(0)


async def silent() -> AsyncIterator[StreamingRecord]:
    yield record(0)
    await asyncio.Event().wait()


async def collect(stream: Any, into: list[Any] | None = None) -> list[Any]:
    got = [] if into is None else into
    async for each in stream:
        got.append(each)
    return got


async def nothing_is_left() -> None:
    """Wait until no task runs but this one."""
    for _ in range(50):
        if asyncio.all_tasks() == {asyncio.current_task()}:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"tasks are left: {asyncio.all_tasks()}")


@contextlib.asynccontextmanager
async def canned(*responses: bytes) -> AsyncIterator[str]:
    """Serve ready-made bytes to one connection after the other; the last again and again."""
    left = list(responses)
    answering: set[asyncio.Task[Any]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        response = left.pop(0) if len(left) > 1 else left[0]
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            head, _, body = response.partition(b"\r\n\r\n")
            writer.write(head + b"\r\n\r\n")
            await asyncio.sleep(0.01)
            writer.write(body)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.wait(answering)


def ok(*lines: bytes) -> bytes:
    body = b"".join(line + b"\n" for line in lines)
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"


async def failure(url: str, records: Any = (), **options: Any) -> StreamFailedError:
    """Return the error by which a stream ends."""
    async with ForstStreamingClient(url, QUICK) as client:
        stream = client.stream_to_forst(ENDPOINT, records, StreamOptions(**options))
        with pytest.raises(StreamFailedError) as caught:
            await collect(stream)
    await nothing_is_left()
    return caught.value


# Producers.


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("after", [0, 1, 1000])
@pytest.mark.parametrize(
    "error",
    [
        KeyError("mine"),
        OSError(5, "mine"),
        StreamFailedError("timeout", "another stream's", 7, retriable=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_producers_error_is_the_callers(
    server: Server, error: Exception, after: int, asynchronous: bool, resume: bool
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
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors
    if way != "sync":
        # There it may come between two steps, when the next one is only made.
        assert "never" not in errors
    for word in ("ignored", "destroyed", "unclosed", "Unclosed"):
        assert word not in errors


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


# Servers.


@pytest.mark.parametrize("resume", [False, True])
def test_nobody_listens(resume: bool) -> None:
    asked: list[int] = []

    def produce() -> Iterator[StreamingRecord]:
        asked.append(1)
        yield record(1)

    error = asyncio.run(failure(f"http://127.0.0.1:{free_port()}", produce(), resume=resume))
    assert error.code == "unreachable"
    assert error.lines == 0
    assert isinstance(error.__cause__, OSError)
    assert isinstance(error.__cause__.__cause__, ConnectionRefusedError)
    assert asked == []


def test_no_such_name() -> None:
    error = asyncio.run(failure("http://nowhere.invalid"))
    assert error.code == "unreachable"
    assert isinstance(error.__cause__, OSError)
    assert isinstance(error.__cause__.__cause__, socket.gaierror)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://localhost", "http://", "http+unix:x"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        ForstStreamingClient(url)


def test_a_refusal_says_why(server: Server) -> None:
    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            with pytest.raises(RequestRefusedError, match=r"endpoints: .*/streaming-process") as no:
                await anext(client.stream_to_forst("/nowhere", endless()))
            assert (no.value.status, no.value.retriable) == (404, False)
            options = StreamOptions(headers={"Forst-On-Error": "explode"})
            # An option of ours is stronger than a header.
            assert await anext(client.stream_to_forst(ENDPOINT, [record(1)], options))

    asyncio.run(run())


def test_a_redirect_is_not_followed() -> None:
    async def run() -> None:
        moved = (
            b"HTTP/1.1 307 Moved\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n"
        )
        async with canned(moved) as url, ForstStreamingClient(url) as client:
            with pytest.raises(RequestRefusedError, match=r"elsewhere\.test"):
                await anext(client.stream_to_forst(ENDPOINT, [record(1)]))

    asyncio.run(run())


def test_a_busy_server_is_asked_again_when_it_says(start_server: StartServer) -> None:
    server = start_server("--max-streams", "1")

    async def run() -> None:
        async with ForstStreamingClient(server.url, QUICK) as client:
            first = client.stream_to_forst(ENDPOINT, silent())
            await anext(first)
            second = client.stream_to_forst(ENDPOINT, [record(2)])
            waiting = asyncio.ensure_future(anext(second))
            await asyncio.sleep(0.5)
            await first.aclose()
            assert (await waiting)["id"] == "2"
            # Without Retry-After: 1 all attempts would have been made within 0.03 seconds.
            assert second.connections == 2

    asyncio.run(run())


def test_a_bad_record_ends_the_stream(server: Server) -> None:
    async def run() -> None:
        lines = [b'{"id":"1","data":"x"}\n', b"junk\n", b'{"id":"3","data":"x"}\n']
        for resume in (False, True):
            got: list[Any] = []
            async with ForstStreamingClient(server.url) as client:
                options = StreamOptions(on_error="fail", resume=resume)
                stream = client.stream_to_forst(ENDPOINT, lines, options)
                with pytest.raises(StreamFailedError) as caught:
                    await collect(stream, got)
            assert caught.value.code == "bad_record"
            assert caught.value.lines == 2
            assert [each["status"] for each in got] == ["success", "error"]
            assert stream.connections == 1

    asyncio.run(run())


END = (
    b':end {"lines":0,"records":0,"errors":0,"results":0,"bytes_in":0,"bytes_out":%d,"digest":"%b"}'
)
EMPTY = b"xxh3:2d06800538d394c2"


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (b"", "unreachable"),
        (b"SMTP ready\r\n\r\n", "unreachable"),
        (ok(), "disconnected"),
        (ok(b'{"id":"1"}'), "disconnected"),
        (ok(END % (0, EMPTY))[:-5], "disconnected"),
        (ok(END % (0, EMPTY)).replace(b"0\r\n\r\n", b"zz\r\n\r\n"), "disconnected"),
        (ok().replace(b"0\r\n\r\n", b"zz\r\n\r\n"), "disconnected"),
        (ok(END % (1, EMPTY)), "corrupt"),
        (ok(END % (0, b"xxh3:0")), "corrupt"),
        (ok(b"{}", END % (3, EMPTY)), "corrupt"),
        (ok(END % (0, EMPTY), b"{}"), "protocol"),
        (ok(b":ack x"), "protocol"),
        (ok(b":ack -1"), "protocol"),
        (ok(b":ack 2", b":ack 1"), "protocol"),
        (ok(b":end {}"), "protocol"),
        (ok(b":end []"), "protocol"),
        (ok(b":error 5"), "protocol"),
        (ok(b"no json"), "protocol"),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_responses_that_no_server_of_ours_gives(response: bytes, code: str, resume: bool) -> None:
    async def run() -> None:
        async with canned(response) as url:
            error = await failure(url, [record(1)], resume=resume)
            if response == ok(b"no json") and resume:
                # It is never acknowledged, so it is never looked at.
                assert error.code == "disconnected"
            else:
                assert error.code == code

    asyncio.run(run())


def test_they_are_told_without_the_compiled_parser_too() -> None:
    tests = f"{__file__}::{test_responses_that_no_server_of_ours_gives.__name__}"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        env=os.environ | {"AIOHTTP_NO_EXTENSIONS": "1"},
        check=True,
        timeout=120,
    )


def test_more_acknowledged_than_sent() -> None:
    async def run() -> None:
        async with canned(ok(b":ack 1")) as url:
            error = await failure(url, resume=True)
            assert (error.code, error.lines) == ("protocol", 1)

    asyncio.run(run())


def test_unknown_control_lines_are_for_others() -> None:
    async def run() -> None:
        response = ok(b":hello", b": world", END % (0, EMPTY))
        async with canned(response) as url, ForstStreamingClient(url) as client:
            assert [each async for each in client.stream_to_forst(ENDPOINT, [])] == []

    asyncio.run(run())


def test_the_error_of_the_server_is_told() -> None:
    async def run() -> None:
        line = b":error " + json.dumps({"code": "spool", "detail": "disk full"}).encode()
        async with canned(ok(b":ack 0", line)) as url:
            error = await failure(url)
            assert (error.code, error.detail) == ("spool", "disk full")

    asyncio.run(run())


# Time.

SHORT = StreamingConfig(retry=RetryConfig(attempts=1), timeout=0.4)


@pytest.mark.parametrize("resume", [False, True])
def test_a_server_that_never_answers(resume: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def run() -> None:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with ForstStreamingClient(url, SHORT) as client:
                options = StreamOptions(resume=resume)
                with pytest.raises(StreamFailedError, match=r"within 0\.4 seconds") as caught:
                    await anext(client.stream_to_forst(ENDPOINT, endless(), options))
                assert caught.value.code == "timeout"
            await nothing_is_left()

        asyncio.run(run())


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_connection_on_which_nothing_moves(server: Server, direction: Any) -> None:
    async def run() -> None:
        async with (
            FaultProxy(server.port, [Fault("stall", 5_000, direction)]) as proxy,
            ForstStreamingClient(proxy.url, SHORT) as client,
        ):
            with pytest.raises(StreamFailedError, match="nothing was received") as caught:
                await collect(client.stream_to_forst(ENDPOINT, map(record, range(1000))))
            assert caught.value.code == "timeout"
        await nothing_is_left()

    asyncio.run(run())


def test_heartbeats_keep_a_pause_alive(start_server: StartServer) -> None:
    server = start_server("--heartbeat", "0.1")

    async def produce() -> AsyncIterator[StreamingRecord]:
        yield record(1)
        await asyncio.sleep(1.5)
        yield record(2)

    async def run() -> None:
        async with ForstStreamingClient(server.url, SHORT) as client:
            got = [each async for each in client.stream_to_forst(ENDPOINT, produce())]
            assert [each["id"] for each in got] == ["1", "2"]

    asyncio.run(run())


def test_a_slow_consumer_is_no_dead_server(server: Server) -> None:
    async def run() -> None:
        async with ForstStreamingClient(server.url, SHORT) as client:
            seen = 0
            async for _ in client.stream_to_forst(ENDPOINT, map(record, range(30_000))):
                if seen % 15_000 == 0:
                    await asyncio.sleep(1)
                seen += 1
            assert seen == 30_000

    asyncio.run(run())


def test_a_slow_caller_without_a_loop_is_no_dead_server(server: Server) -> None:
    client = ForstStreamingClient(server.url, SHORT)
    for number, each in enumerate(client.stream_to_forst(ENDPOINT, map(record, range(30_000)))):
        assert each["id"] == str(number)
        if number % 15_000 == 0:
            time.sleep(1)
