"""Input that would be lost silently: an error is raised instead, which names the record."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import forstcore
from forstcore import ForstStreamingClient, StreamFailedError, StreamingIntegration, StreamOptions
from tests.servers import Server

ENDPOINT = "/streaming-process"
RECORD = {"id": "1", "data": "x"}
LINE = b'{"id":"1","data":"x"}\n'
RESULT = b'{"id":"1","result":"processed_x","status":"success"}\n'


async def pieces(server: Server, records: Any, **options: Any) -> bytes:
    async with ForstStreamingClient(server.url) as client:
        stream = client.process_streaming_data(ENDPOINT, records, StreamOptions(**options))
        return b"".join([each async for each in stream])


async def each_of(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("records", "reasons"),
    [
        (LINE[:-1] * 2, "invalid_json: 1"),
        (b'[{"id":"1"},{"id":"2"}]', "not_an_object: 1"),
        ([{"id": 7}, {"data": 7}], "wrong_type: 2"),
        (b"x\n[]\n\n", "invalid_json: 1, not_an_object: 1"),
    ],
)
def test_input_without_a_record_is_an_error(
    server: Server, records: Any, reasons: str, resume: bool
) -> None:
    with pytest.raises(StreamFailedError) as caught:
        asyncio.run(pieces(server, records, resume=resume))
    assert caught.value.code == "no_records"
    assert not caught.value.retriable
    assert f"a record ({reasons})" in caught.value.detail
    # With error lines, each record is accounted for.
    assert asyncio.run(pieces(server, records, resume=resume, on_error="emit"))


def test_input_that_is_not_all_rejected_is_none(server: Server) -> None:
    wanted = {"Forst-Filter": '{"id":"2"}'}
    assert asyncio.run(pieces(server, LINE + b"junk\n")) == RESULT
    assert asyncio.run(pieces(server, LINE + b"junk\n", headers=wanted)) == b""
    assert asyncio.run(pieces(server, b"\n \n")) == b""
    assert asyncio.run(pieces(server, [])) == b""


def test_a_document_that_is_no_record(server: Server) -> None:
    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            async for _ in client.stream_from_forst(ENDPOINT, {"id": 7}):
                pytest.fail("there is a result")

    with pytest.raises(StreamFailedError, match="wrong_type: 1"):
        asyncio.run(run())


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("number", [1, 2, 70, 5_000])
def test_a_record_that_cannot_be_sent_is_named(server: Server, how: str, number: int) -> None:
    records: list[Any] = [RECORD] * (number - 1) + [{"id": datetime.timedelta(1)}] + [RECORD]
    with pytest.raises(TypeError) as caught:
        asyncio.run(pieces(server, each_of(records) if how == "async" else records))
    assert caught.value.__notes__ == [f"record {number} of the input, counted from 1"]


def test_what_cannot_follow_bytes_is_named(server: Server) -> None:
    with pytest.raises(TypeError, match=r"bytes cannot be followed by str \(item 3\)"):
        asyncio.run(pieces(server, [LINE, LINE, LINE.decode()]))


def test_a_generator_that_has_ended_is_no_empty_input(server: Server) -> None:
    def records() -> Iterator[Any]:
        yield RECORD

    used = records()
    assert list(used) == [RECORD]
    with pytest.raises(ValueError, match="read before"):
        asyncio.run(pieces(server, used))
    with pytest.raises(ValueError, match="read before"):
        list(forstcore.process(used))

    async def run() -> None:
        used = each_of([RECORD])
        async for _ in used:
            pass
        with pytest.raises(ValueError, match="read before"):
            await pieces(server, used)

    asyncio.run(run())


@pytest.mark.parametrize("read", ["read", "iterate", "not"])
def test_a_request_whose_body_was_read_before(server: Server, read: str) -> None:
    @web.middleware
    async def reads(request: web.Request, handler: Any) -> Any:
        if read == "read":
            await request.text()
        elif read == "iterate":
            async for _ in request.content.iter_any():
                pass
        return await handler(request)

    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            app = web.Application(middlewares=[reads])
            app.router.add_post("/", StreamingIntegration(client).handle_streaming_request)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            async with aiohttp.ClientSession() as session:
                for body in (LINE, LINE * 10_000):
                    async with session.post(url, data=body) as response:
                        if read == "iterate":
                            assert response.status == 500
                            assert "was read before" in (await response.json())["detail"]
                        else:
                            lines = body.count(b"\n")
                            assert (response.status, await response.read()) == (200, RESULT * lines)
                async with session.post(url, data=b"") as response:
                    assert (response.status, await response.read()) == (200, b"")
            await runner.cleanup()

    asyncio.run(run())
