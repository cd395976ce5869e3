"""Streams inside an application: datasets, live sources, forwarded requests."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from forstcore import (
    ForstStreamingClient,
    RequestRefusedError,
    StreamFailedError,
    StreamingIntegration,
    StreamingRecord,
    StreamOptions,
)
from tests import children
from tests.server.raw import Cut, RawStream
from tests.servers import ROOT, Server, StartServer

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'
SERVE_AIOHTTP = """
import sys
from aiohttp import web
from xxhash import xxh3_64_hexdigest
from forstcore import ForstStreamingClient, StreamingIntegration

async def app():
    client = ForstStreamingClient(sys.argv[1])
    app = web.Application()
    app.router.add_post("/stream", StreamingIntegration(client).handle_streaming_request)
    async def close(app):
        await client.aclose()
    app.on_cleanup.append(close)
    return app

web.run_app(app(), host="127.0.0.1", port=0, print=lambda text: print(text, flush=True))
"""


@contextlib.contextmanager
def application(kind: str, url: str) -> Iterator[tuple[str, int]]:
    """Run an application that forwards /stream to a server; yield its address."""
    command = [sys.executable, "-c", SERVE_AIOHTTP, url]
    if kind != "aiohttp":
        # As a sub-application would see it, `bare` takes every path.
        command = [sys.executable, "-m", "uvicorn", "--port", "0", f"tests.client.asgi_app:{kind}"]
    process = children.start(
        command,
        cwd=ROOT,
        env={**os.environ, "FORST_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while not (match := re.search(r"http://127\.0\.0\.1:(\d+)", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield "127.0.0.1", int(match[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    finally:
        children.end(process)


@pytest.fixture(scope="module", params=["aiohttp", "starlette", "fastapi", "bare"])
def piped(request: pytest.FixtureRequest, server: Server) -> Iterator[tuple[str, int]]:
    """The address of an application before the server."""
    with application(request.param, server.url) as address:
        yield address


def stream(address: tuple[str, int], **headers: str) -> RawStream:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawStream(address, "/stream", headers=named)


def test_both_directions_at_once(piped: tuple[str, int]) -> None:
    with stream(piped, Forst_Frames="1") as request:
        for number in range(1, 30):
            request.send(RECORD % number)
            assert request.read_line() == RESULT % number
            assert request.read_line() == b":ack %d\n" % number
        request.end()
        assert request.read_rest().startswith(b":end ")


def test_a_client_of_ours_through_it(piped: tuple[str, int]) -> None:
    async def run() -> None:
        records = [{"id": str(number), "data": "x"} for number in range(50_000)]
        async with ForstStreamingClient(f"http://{piped[0]}:{piped[1]}") as client:
            results = client.stream_to_forst("/stream", records, StreamOptions(resume=True))
            assert [each["id"] async for each in results] == [each["id"] for each in records]
            assert results.connections == 1

    asyncio.run(run())


def test_headers_and_the_response_are_passed_on(piped: tuple[str, int]) -> None:
    with stream(piped, Accept="application/x-ndjson", Forst_On_Error="emit") as request:
        request.send(b"junk\n")
        request.end()
        assert json.loads(request.read_line())["line"] == 1
        assert request.status == 200
        assert request.headers["content-type"] == "application/x-ndjson"
        assert request.headers["cache-control"] == "no-cache"
        assert request.headers["x-accel-buffering"] == "no"


def test_problems_are_passed_on(piped: tuple[str, int]) -> None:
    with stream(piped, Forst_On_Error="explode") as request:
        assert request.read_head() == 400
        assert request.headers["content-type"].startswith("application/problem+json")
        request.end()
        assert "skip, emit or fail" in json.loads(request.read_rest())["detail"]


def test_codings_are_passed_through(piped: tuple[str, int]) -> None:
    with stream(piped, Content_Encoding="gzip", Accept_Encoding="gzip") as request:
        request.send(gzip.compress(RECORD % 1 + RECORD % 2))
        request.end()
        assert request.read_head() == 200
        assert request.headers["content-encoding"] == "gzip"
        assert gzip.decompress(request.read_rest()) == RESULT % 1 + RESULT % 2


def test_a_client_that_goes_away_ends_the_stream(piped: tuple[str, int], server: Server) -> None:
    assert server.open_streams() == 0
    with stream(piped) as request:
        request.send(RECORD % 1)
        assert request.read_line() == RESULT % 1
        assert server.open_streams() == 1
    deadline = time.monotonic() + 10
    while server.open_streams():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["aiohttp", "starlette"])
def test_a_client_that_only_listened_and_goes_away(kind: str) -> None:
    async def run() -> None:
        ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"0\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n")
            ended.set_result(await reader.read())
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as upstream:
            url = f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}"
            with contextlib.ExitStack() as stack:
                address = await asyncio.to_thread(stack.enter_context, application(kind, url))
                with stream(address) as request:
                    request.end()
                    assert await asyncio.to_thread(request.read_line) == b"{}\n"
                assert await asyncio.wait_for(ended, 10) == b""

    asyncio.run(run())


def test_a_reader_that_stops_stops_the_sender(start_server: StartServer) -> None:
    # The server's spool, which is not the subject of this test, would accept everything.
    server = start_server("--stall", "60")
    for kind in ("aiohttp", "starlette"):
        with application(kind, server.url) as address, stream(address) as request:
            request.socket.settimeout(1)
            chunk = b"".join(RECORD % number for number in range(40_000))
            with pytest.raises(TimeoutError):
                request.send_many(chunk, times=200)


@pytest.mark.parametrize("kind", ["aiohttp", "starlette"])
def test_a_server_that_dies_cuts_the_response(start_server: StartServer, kind: str) -> None:
    server = start_server()
    with application(kind, server.url) as address:
        with stream(address) as request:
            request.send(RECORD % 1)
            assert request.read_line() == RESULT % 1
            server.stop(signal.SIGKILL)
            with pytest.raises(Cut):
                request.read_rest()
        with stream(address) as request:
            assert request.read_head() == 502
            request.end()
            assert "cannot be reached" in json.loads(request.read_rest())["detail"]


HOP_BY_HOP = {
    "Connection": "x-mine",
    "X-Mine": "1",
    "Keep-Alive": "timeout=5",
    "Proxy-Connection": "close",
    "TE": "trailers",
    "Upgrade": "h2c",
    "Authorization": "Bearer for-the-application",
    "Cookie": "session=1",
    "Origin": "http://page.test",
    "Forst-On-Error": "emit",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


@pytest.mark.parametrize("kind", ["aiohttp", "starlette"])
def test_what_concerns_one_connection_is_not_passed_on(kind: str) -> None:
    async def run() -> None:
        heads: list[str] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
            writer.write(
                b"HTTP/1.1 200 OK\r\nConnection: close, x-theirs\r\nX-Theirs: 1\r\n"
                b"Keep-Alive: timeout=5\r\nSet-Cookie: a=b\r\nForst-Note: 7\r\n"
                b"Content-Length: 0\r\n\r\n"
            )
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as upstream:
            url = f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}"
            with contextlib.ExitStack() as stack:
                host, port = await asyncio.to_thread(stack.enter_context, application(kind, url))
                async with aiohttp.ClientSession() as session:
                    response = await session.post(
                        f"http://{host}:{port}/stream", data=b"", headers=HOP_BY_HOP
                    )
                    await response.read()
        (head,) = heads
        names = {line.partition(":")[0] for line in head.splitlines()[1:] if line}
        assert {"forst-on-error", "traceparent", "host"} <= names
        gone = {"x-mine", "keep-alive", "proxy-connection", "te", "upgrade"}
        assert not names & (gone | {"authorization", "cookie", "origin"})
        assert "x-mine" not in head
        assert response.headers["Forst-Note"] == "7"
        assert not {"X-Theirs", "Keep-Alive", "Set-Cookie"} & set(response.headers)
        assert "x-theirs" not in response.headers.get("Connection", "")

    asyncio.run(run())


def test_the_token_of_the_server_is_added(start_server: StartServer) -> None:
    server = start_server(env={"FORSTCORE_TOKEN": "hush"})

    async def run() -> None:
        async with ForstStreamingClient(server.url, token="hush") as client:
            app = web.Application()
            handler = StreamingIntegration(client).handle_streaming_request
            app.router.add_post("/stream", handler)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            try:
                async with (
                    aiohttp.ClientSession() as session,
                    session.post(
                        f"http://127.0.0.1:{runner.addresses[0][1]}/stream", data=RECORD % 1
                    ) as response,
                ):
                    assert await response.read() == RESULT % 1
            finally:
                await runner.cleanup()

    asyncio.run(run())


def test_only_http_is_taken() -> None:
    asgi = StreamingIntegration(ForstStreamingClient("http://127.0.0.1:1")).asgi

    async def never(*_: Any) -> Any:
        raise AssertionError("it asked")

    with pytest.raises(RuntimeError, match="'websocket'"):
        asyncio.run(asgi({"type": "websocket"}, never, never))


# Datasets and sources.


def test_a_dataset(server: Server) -> None:
    async def produce() -> AsyncIterator[StreamingRecord]:
        for number in range(5_000):
            yield {"id": str(number), "data": "x"}

    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            results = StreamingIntegration(client).process_large_dataset(produce())
            assert [int(each["id"]) async for each in results] == list(range(5_000))

    asyncio.run(run())


def test_a_dataset_without_resume_if_that_is_wanted() -> None:
    async def run() -> None:
        async with ForstStreamingClient("http://127.0.0.1:1") as client:
            options = StreamOptions(resume=False)
            results = StreamingIntegration(client).process_large_dataset([], options)
            with pytest.raises(StreamFailedError):
                await anext(results)

    asyncio.run(run())


def test_a_source_that_is_not_there(server: Server) -> None:
    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            integration = StreamingIntegration(client)
            results = integration.process_real_time_data({"source": "nowhere", "filters": {}})
            with pytest.raises(RequestRefusedError) as caught:
                await anext(results)
            assert caught.value.detail

    asyncio.run(run())
