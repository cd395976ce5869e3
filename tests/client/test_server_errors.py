"""Failures of a server: no connection, refusals, malformed responses, silence."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterator
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
from tests.client.streams import ENDPOINT, QUICK, collect, endless, nothing_is_left, record, silent
from tests.faults import Fault, FaultProxy
from tests.servers import Server, StartServer, free_port


@contextlib.asynccontextmanager
async def canned(*responses: bytes) -> AsyncIterator[str]:
    """Serve fixed bytes to each connection in turn; the last ones to all further connections."""
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


def test_messages_do_not_contain_the_password_of_a_url() -> None:
    error = asyncio.run(failure(f"http://user:secret@127.0.0.1:{free_port()}"))
    assert "127.0.0.1" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@host:port",
        "http://user:secret@",
        "http://user:se/cret@host",
        "http://user:secret@@:80",
        "http://user:secret",
        "http://secret@host:port",
        "http://user:secret@[::1",
        "http://user:secret@host:99999",
        "ftp://user:secret@host",
        "user:secret@host",
        "ftp://host/?token=secret",
    ],
)
def test_a_url_that_is_none_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="the base URL") as caught:
        ForstStreamingClient(url)
    text = "".join(traceback.format_exception_only(caught.value))
    assert "secret" not in text
    assert "se'" not in text
    assert caught.value.__context__ is None or caught.value.__suppress_context__


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
            # Options of the client take precedence over headers.
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
                # Results are parsed once they are acknowledged, which never happens here.
                assert error.code == "disconnected"
            else:
                assert error.code == code

    asyncio.run(run())


@pytest.mark.long
def test_they_are_refused_without_the_compiled_parser_too() -> None:
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


def test_the_error_of_the_server_is_reported() -> None:
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
