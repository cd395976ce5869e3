"""The client with other servers than forstcore, with ``frames="auto"``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from forstcore import (
    ForstStreamingClient,
    RetryConfig,
    StreamFailedError,
    StreamingConfig,
    StreamingIntegration,
    StreamOptions,
)
from tests import children
from tests.client.streams import ENDPOINT, QUICK, collect, nothing_is_left, record
from tests.client.test_server_errors import END, canned, ok
from tests.servers import StartServer

AUTO = StreamOptions(frames="auto")
SHORT = StreamingConfig(retry=RetryConfig(attempts=1), timeout=0.4)
Handler = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Run an aiohttp server that answers every POST with NDJSON."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await handler(request, response)
        return response

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def echo(request: web.Request, response: web.StreamResponse) -> None:
    """Respond immediately, and echo the request."""
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)


async def late(request: web.Request, response: web.StreamResponse) -> None:
    """Read the whole request before responding, as most frameworks do."""
    body = await request.read()
    await response.prepare(request)
    await response.write(body)


async def untidy(request: web.Request, response: web.StreamResponse) -> None:
    """Send blank lines as heartbeats, CR before LF, comments, and no LF at the end."""
    await response.prepare(request)
    await response.write(b"\n\r\n")
    async for piece in request.content.iter_any():
        await response.write(piece.replace(b"\n", b"\r\n") + b"\n: still here\n \n")
    await response.write(b'{"id":"last"}')


async def compressing(request: web.Request, response: web.StreamResponse) -> None:
    response.enable_compression()
    await late(request, response)


async def results(url: str, records: Any, options: StreamOptions = AUTO) -> list[Any]:
    async with ForstStreamingClient(url, QUICK) as client:
        return await collect(client.stream_to_forst(ENDPOINT, records, options))


async def failure(url: str, records: Any, config: StreamingConfig = QUICK) -> StreamFailedError:
    async with ForstStreamingClient(url, config) as client:
        with pytest.raises(StreamFailedError) as caught:
            await collect(client.stream_to_forst(ENDPOINT, records, AUTO))
    return caught.value


@pytest.mark.parametrize("handler", [echo, late, compressing])
def test_results_arrive_and_the_stream_ends_well(handler: Handler) -> None:
    async def run() -> None:
        records = [record(number) for number in range(20_000)]
        async with serving(handler) as url:
            assert await results(url, records) == records
            assert await results(url, []) == []

    asyncio.run(run())


def test_each_result_comes_before_the_next_record_is_sent() -> None:
    async def run() -> None:
        answered = asyncio.Semaphore()

        async def produce() -> AsyncIterator[Any]:
            for number in range(5):
                await answered.acquire()
                yield record(number)

        async with serving(echo) as url, ForstStreamingClient(url, QUICK) as client:
            due = 0
            stream = client.stream_to_forst(ENDPOINT, produce(), AUTO)
            async for result in stream:
                assert result["id"] == str(due)
                due += 1
                answered.release()
            assert (due, stream.lines, stream.summary) == (5, 0, None)

    asyncio.run(run())


def test_lines_that_are_not_quite_ndjson() -> None:
    async def run() -> None:
        async with serving(untidy) as url:
            got = await results(url, [record(1), record(2)])
            assert got == [record(1), record(2), {"id": "last"}]
            async with ForstStreamingClient(url) as client:
                chunks = await collect(client.process_streaming_data("/", b'{"id":"1"}\n', AUTO))
                assert b"".join(chunks) == b'{"id":"1"}\r\n{"id":"last"}\n'
                answer = client.stream_from_forst("/", {"a": 1}, AUTO)
                assert await collect(answer) == [{"a": 1}, {"id": "last"}]

    asyncio.run(run())


SERVER_OF_NODE = """
const late = process.argv[1] === "late";
const server = require("http").createServer(async (request, response) => {
  if (!late) return request.pipe(response);
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  response.end(Buffer.concat(pieces));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


@pytest.fixture(params=["piping", "late"])
def node(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server of Node's http, which sends its head with the first piece of the body."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    process = children.start(
        ["node", "-e", SERVER_OF_NODE, request.param], text=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    children.end(process)


def test_a_server_in_node(node: str) -> None:
    async def run() -> None:
        records = [record(number) for number in range(20_000)]
        assert await results(node, records) == records
        async with ForstStreamingClient(node, QUICK) as client:
            integration = StreamingIntegration(client)
            assert await collect(integration.process_large_dataset(records, AUTO)) == records

    asyncio.run(run())


# Truncation.


def headed(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"", body])


CHUNKED = b"Transfer-Encoding: chunked"
ONE = b'{"id":"1"}\n'
DIGEST = b"xxh3:2d06800538d394c2"


@pytest.mark.parametrize(
    ("response", "due"),
    [
        (ok(), []),
        (ok(b'{"id":"1"}'), [{"id": "1"}]),
        (headed(ONE, b"Content-Length: 11"), [{"id": "1"}]),
        (headed(ONE, b"Content-Length: 12"), "disconnected"),
        (headed(b"b\r\n" + ONE + b"\r\n", CHUNKED), "disconnected"),
        (headed(b"c\r\n" + ONE, CHUNKED), "disconnected"),
        (headed(b"b\r\n" + ONE + b"\r\nzz", CHUNKED), "disconnected"),
        (ok(b"no json"), "protocol"),
        # The end of such a response is the end of its connection, so it cannot be checked.
        (headed(ONE, b"Connection: close"), [{"id": "1"}]),
        # Servers with control lines have to end with one, even if the HTTP response is complete.
        (ok(b":ack 0"), "disconnected"),
        (ok(b'{"id":"1"}', b":ack 1"), "disconnected"),
        (ok().replace(b"\r\n\r\n", b"\r\nForst-Frames: 1\r\n\r\n", 1), "disconnected"),
        (ok(END % (0, DIGEST)), []),
    ],
)
def test_what_is_complete(response: bytes, due: Any) -> None:
    async def run() -> None:
        async with canned(response) as url:
            if isinstance(due, str):
                assert (await failure(url, [])).code == due
            else:
                assert await results(url, []) == due
        await nothing_is_left()

    asyncio.run(run())


def test_a_response_that_ends_before_the_request() -> None:
    async def early(request: web.Request, response: web.StreamResponse) -> None:
        await response.prepare(request)
        await response.write(await request.content.readline())

    async def produce() -> AsyncIterator[Any]:
        yield record(1)
        await asyncio.Event().wait()

    async def run() -> None:
        async with serving(early) as url:
            error = await failure(url, produce())
            assert "the response ended before the request" in error.detail

    asyncio.run(run())


def test_a_lost_connection_is_not_resumed() -> None:
    async def cut(request: web.Request, response: web.StreamResponse) -> None:
        await response.prepare(request)
        await response.write(await request.content.readline())
        assert request.transport is not None
        request.transport.abort()

    async def run() -> None:
        async with serving(cut) as url, ForstStreamingClient(url, QUICK) as client:
            for stream in (
                client.stream_to_forst(ENDPOINT, map(record, range(9)), AUTO),
                StreamingIntegration(client).process_large_dataset(map(record, range(9)), AUTO),
            ):
                with pytest.raises(StreamFailedError, match="lost"):
                    await collect(stream)
                assert stream.connections == 1

    asyncio.run(run())


# Before the response.


def test_the_error_of_the_producer_is_raised_before_there_is_a_response() -> None:
    async def produce() -> AsyncIterator[Any]:
        yield record(1)
        raise LookupError("mine")

    async def run() -> None:
        async with serving(late) as url:
            with pytest.raises(LookupError, match="mine"):
                await results(url, produce())
        await nothing_is_left()

    asyncio.run(run())


def test_a_client_that_is_closed_before_there_is_a_response() -> None:
    async def produce() -> AsyncIterator[Any]:
        yield record(1)
        await asyncio.Event().wait()

    async def run() -> None:
        async with serving(late) as url:
            client = ForstStreamingClient(url, QUICK)
            stream = client.stream_to_forst(ENDPOINT, produce(), AUTO)
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.2)
            await client.aclose()
            with pytest.raises(StreamFailedError) as caught:
                await waiting
            assert caught.value.code == "closed"
        await nothing_is_left()

    asyncio.run(run())


def test_a_server_that_hangs() -> None:
    async def hanging(request: web.Request, response: web.StreamResponse) -> None:
        await request.read()
        await asyncio.Event().wait()

    async def run() -> None:
        async with serving(hanging) as url:
            error = await failure(url, [record(1)], SHORT)
            assert (error.code, error.detail[:23]) == ("timeout", "nothing was received fr")

    asyncio.run(run())


@pytest.mark.parametrize("handler", [echo, late])
def test_a_pause_of_the_producer_is_no_silence_of_the_server(handler: Handler) -> None:
    """Other servers send no heartbeats."""

    async def produce() -> AsyncIterator[Any]:
        for number in range(3):
            await asyncio.sleep(1)
            yield record(number)

    async def run() -> None:
        async with serving(handler) as url, ForstStreamingClient(url, SHORT) as client:
            got = await collect(client.stream_to_forst(ENDPOINT, produce(), AUTO))
            assert got == [record(number) for number in range(3)]

    asyncio.run(run())


# A forstcore server, and options.


def test_a_server_of_ours_has_to_end_with_a_frame(start_server: StartServer) -> None:
    server = start_server()

    async def run() -> None:
        async with ForstStreamingClient(server.url, QUICK) as client:
            stream = client.stream_to_forst(ENDPOINT, map(record, range(1000)), AUTO)
            assert len(await collect(stream)) == 1000
            assert stream.summary is not None
            assert (stream.lines, stream.summary["records"]) == (1000, 1000)

            async def produce() -> AsyncIterator[Any]:
                yield record(1)
                await asyncio.Event().wait()

            stream = client.stream_to_forst(ENDPOINT, produce(), AUTO)
            await anext(stream)
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(StreamFailedError) as caught:
                await collect(stream)
            assert caught.value.code == "draining"

    asyncio.run(run())


def test_without_auto_the_error_names_it() -> None:
    async def run() -> None:
        async with canned(ok(json.dumps(record(1)).encode())) as url:
            with pytest.raises(StreamFailedError, match="frames='auto'"):
                await results(url, [record(1)], StreamOptions())
        async with serving(late) as url, ForstStreamingClient(url, SHORT) as client:
            with pytest.raises(StreamFailedError, match="frames='auto'"):
                await collect(client.stream_to_forst(ENDPOINT, [record(1)]))

    asyncio.run(run())


def test_what_needs_frames_says_so() -> None:
    with pytest.raises(ValueError, match="acknowledgements"):
        StreamOptions(frames="auto", resume=True)
    with pytest.raises(ValueError, match="'required' or 'auto'"):
        StreamOptions(frames="none")  # type: ignore[arg-type]
    client = ForstStreamingClient("http://127.0.0.1:1")
    with pytest.raises(ValueError, match="stream_from_forst"):
        client.follow_forst("/real-time-process", {"source": "x"}, AUTO)
