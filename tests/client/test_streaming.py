"""Streaming records: every kind of input, grouping, the synchronous interface."""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forstcore import (
    ErrorLine,
    ForstStreamingClient,
    ProcessedRecord,
    StreamingConfig,
    StreamingRecord,
    StreamOptions,
    is_error,
)
from forstcore.client import Input
from tests.servers import Server, StartServer

ENDPOINT = "/streaming-process"


def record(number: int, data: str = "x") -> StreamingRecord:
    return {"id": str(number), "data": data}


def result(number: int, data: str = "x") -> ProcessedRecord:
    return {"id": str(number), "result": f"processed_{data}", "status": "success"}


def line(number: int) -> bytes:
    return json.dumps(record(number)).encode() + b"\n"


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


async def slowly(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item


async def results(url: str, records: Input, **options: Any) -> list[ProcessedRecord]:
    async with ForstStreamingClient(url) as client:
        stream = client.stream_to_forst(ENDPOINT, records, StreamOptions(**options))
        return [each async for each in stream]


def a_stream(body: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(body)
    stream.feed_eof()
    return stream


BODY = b"".join(line(number) for number in range(300))
RECORDS = [record(number) for number in range(300)]
INPUTS: dict[str, Callable[[], Input]] = {
    "dicts": lambda: RECORDS,
    "a generator of dicts": lambda: (each for each in RECORDS),
    "an async generator of dicts": lambda: slowly(RECORDS),
    "lines": lambda: BODY.splitlines(keepends=True),
    "chunks cut anywhere": lambda: cut(BODY, 1000),
    "single bytes": lambda: cut(BODY, 1),
    "async chunks": lambda: slowly(cut(BODY, 77)),
    "one chunk": lambda: [BODY],
    "bytes": lambda: BODY,
    "a bytearray": lambda: bytearray(BODY),
    "memoryviews": lambda: [memoryview(BODY)[:100], memoryview(BODY)[100:]],
    "a file in memory": lambda: io.BytesIO(BODY),
    "a stream": lambda: a_stream(BODY),
}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("chunk_size", [1, 100, 1 << 20])
@pytest.mark.parametrize("kind", INPUTS)
def test_every_kind_of_input(server: Server, kind: str, chunk_size: int, resume: bool) -> None:
    async def run() -> list[ProcessedRecord]:
        return await results(server.url, INPUTS[kind](), chunk_size=chunk_size, resume=resume)

    assert asyncio.run(run()) == [result(number) for number in range(300)]


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n"])
def test_the_last_line_needs_no_lf(server: Server, end: bytes, resume: bool) -> None:
    body = BODY.rstrip() + end
    got = asyncio.run(results(server.url, cut(body, 999), resume=resume))
    assert got == [result(number) for number in range(300)]


@pytest.mark.parametrize("resume", [False, True])
def test_a_byte_order_mark_is_skipped(server: Server, resume: bool) -> None:
    got = asyncio.run(results(server.url, b"\xef\xbb\xbf" + BODY, resume=resume))
    assert got == [result(number) for number in range(300)]


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("records", [[], b"", [b""], [b"", b""]])
def test_nothing_gives_nothing(server: Server, records: Input, resume: bool) -> None:
    assert asyncio.run(results(server.url, records, resume=resume)) == []


def test_a_file(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "records.ndjson"
    path.write_bytes(BODY * 20)
    with path.open("rb") as file:
        got = asyncio.run(results(server.url, file))
        assert not file.closed
    assert got == [result(number) for number in range(300)] * 20


def test_a_pipe_is_read_as_it_fills(server: Server) -> None:
    async def run() -> None:
        receiving, sending = os.pipe()
        async with ForstStreamingClient(server.url) as client:
            with os.fdopen(receiving, "rb") as file, os.fdopen(sending, "wb", 0) as writer:
                stream = client.stream_to_forst(ENDPOINT, file)
                for number in range(5):
                    writer.write(line(number))
                    assert await anext(stream) == result(number)
                writer.close()
                assert [each async for each in stream] == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("records", "hint"),
    [
        ("text", "not one str"),
        (record(1), "not one dict"),
        (7, "not int"),
    ],
)
def test_what_is_no_input_is_refused_at_once(records: Any, hint: str) -> None:
    client = ForstStreamingClient("http://127.0.0.1:1")
    with pytest.raises(TypeError, match=hint):
        client.stream_to_forst(ENDPOINT, records)


@pytest.mark.parametrize(
    ("records", "hint"),
    [
        (["text"], "not str"),
        ([b"bytes\n", record(1)], "followed by dict"),
        ([record(1), b"bytes"], "bytes"),
        ([{"id": object()}], "object"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_is_no_record_is_refused(
    server: Server, records: Any, hint: str, asynchronous: bool
) -> None:
    async def run() -> None:
        given: Any = slowly(records) if asynchronous else records
        with pytest.raises(TypeError, match=hint):
            await results(server.url, given)

    asyncio.run(run())


def test_a_file_that_is_open_as_text_is_refused(server: Server) -> None:
    text: Any = io.StringIO('{"id":"1","data":"x"}')
    with pytest.raises(TypeError, match="opened as text"):
        asyncio.run(results(server.url, text))


def test_the_first_result_comes_before_the_producer_ends(server: Server) -> None:
    async def run() -> None:
        go_on = asyncio.Event()

        async def producer() -> AsyncIterator[StreamingRecord]:
            yield record(1)
            yield record(2)
            await go_on.wait()
            yield record(3)

        async with ForstStreamingClient(server.url) as client:
            stream = client.stream_to_forst(ENDPOINT, producer())
            assert await anext(stream) == result(1)
            assert await anext(stream) == result(2)
            go_on.set()
            assert await anext(stream) == result(3)
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    asyncio.run(run())


@pytest.mark.parametrize("resume", [False, True])
def test_a_round_for_each_record(server: Server, resume: bool) -> None:
    async def run() -> None:
        wanted: asyncio.Queue[int] = asyncio.Queue()

        async def producer() -> AsyncIterator[StreamingRecord]:
            while number := await wanted.get():
                yield record(number)

        async with ForstStreamingClient(server.url) as client:
            stream = client.stream_to_forst(ENDPOINT, producer(), StreamOptions(resume=resume))
            for number in range(1, 50):
                wanted.put_nowait(number)
                assert await anext(stream) == result(number)
                assert stream.lines == number
            wanted.put_nowait(0)
            assert [each async for each in stream] == []

    asyncio.run(run())


def test_a_slow_generator_is_not_waited_for(server: Server) -> None:
    seen: list[int] = []

    def producer() -> Iterator[StreamingRecord]:
        for number in range(6):
            time.sleep(0.05)
            seen.append(len(got))
            yield record(number)

    got: list[ProcessedRecord] = []

    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            async for each in client.stream_to_forst(ENDPOINT, producer()):
                got.append(each)

    asyncio.run(run())
    assert got == [result(number) for number in range(6)]
    assert seen[-1] > 0


def test_raw_chunks_are_whole_lines(server: Server) -> None:
    async def run() -> list[bytes]:
        async with ForstStreamingClient(server.url) as client:
            stream = client.process_streaming_data(ENDPOINT, slowly(cut(BODY, 5000)))
            return [each async for each in stream]

    chunks = asyncio.run(run())
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    got = [json.loads(each) for each in b"".join(chunks).splitlines()]
    assert got == [result(number) for number in range(300)]


def test_a_dict_that_is_used_again_is_sent_as_it_was(server: Server) -> None:
    def producer() -> Iterator[StreamingRecord]:
        same = record(0)
        for number in range(1000):
            same["id"] = str(number)
            yield same

    got = asyncio.run(results(server.url, producer()))
    assert got == [result(number) for number in range(1000)]


def test_many_records_keep_their_order(server: Server) -> None:
    async def run() -> int:
        number = 0
        async with ForstStreamingClient(server.url) as client:
            stream = client.stream_to_forst(ENDPOINT, (record(each) for each in range(50_000)))
            async for each in stream:
                assert each["id"] == str(number)
                number += 1
            assert stream.summary is not None
            assert stream.summary["results"] == number
            assert stream.lines == number
            assert stream.connections == 1
        return number

    assert asyncio.run(run()) == 50_000


def test_several_streams_of_a_client_at_once(server: Server) -> None:
    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:

            async def one(start: int) -> list[str]:
                records = slowly([record(start + each) for each in range(200)])
                return [each["id"] async for each in client.stream_to_forst(ENDPOINT, records)]

            done = await asyncio.gather(*(one(start * 1000) for start in range(20)))
        assert done == [[str(start * 1000 + each) for each in range(200)] for start in range(20)]

    asyncio.run(run())


def test_text_survives(server: Server) -> None:
    data = 'Grüße\n"\\\t\x00\x7f 🌲 \u2028'
    assert asyncio.run(results(server.url, [record(1, data)])) == [result(1, data)]


def test_what_is_no_record_can_be_reported(server: Server) -> None:
    async def run() -> None:
        lines = [line(1), b"junk\n", line(3)]
        async with ForstStreamingClient(server.url) as client:
            options = StreamOptions(on_error="emit")
            got: list[Any] = [
                each async for each in client.stream_to_forst(ENDPOINT, lines, options)
            ]
        assert (got[0], got[2]) == (result(1), result(3))
        assert (got[1]["status"], got[1]["line"], got[1]["code"]) == ("error", 2, "invalid_json")

    asyncio.run(run())


@pytest.mark.parametrize("resume", [False, True])
def test_compression(server: Server, resume: bool) -> None:
    async def run() -> None:
        go_on = asyncio.Event()

        async def producer() -> AsyncIterator[bytes]:
            yield line(0)
            await go_on.wait()
            yield BODY

        async with ForstStreamingClient(server.url, StreamingConfig(compression=True)) as client:
            options = StreamOptions(resume=resume)
            stream = client.stream_to_forst(ENDPOINT, producer(), options)
            # A lone record is not held back by the compressor.
            assert await anext(stream) == result(0)
            go_on.set()
            assert [each async for each in stream] == [result(number) for number in range(300)]

    asyncio.run(run())


# The synchronous interface.


@pytest.mark.parametrize("kind", [kind for kind in INPUTS if kind != "a stream"])
def test_every_kind_of_input_without_a_loop(server: Server, kind: str) -> None:
    client = ForstStreamingClient(server.url)
    got = list(client.stream_to_forst(ENDPOINT, INPUTS[kind]()))
    assert got == [result(number) for number in range(300)]


def test_leaving_a_loop_ends_the_stream(server: Server) -> None:
    closed: list[int] = []

    def producer() -> Iterator[StreamingRecord]:
        number = 0
        try:
            while True:
                yield record(number)
                number += 1
        finally:
            closed.append(number)

    client = ForstStreamingClient(server.url)
    for each in client.stream_to_forst(ENDPOINT, producer()):
        assert each == result(0)
        break
    assert len(closed) == 1
    with client.stream_to_forst(ENDPOINT, producer()) as stream:
        assert next(iter(stream)) == result(0)
    assert len(closed) == 2
    assert list(stream) == []


def test_two_streams_in_turns_without_a_loop(server: Server) -> None:
    client = ForstStreamingClient(server.url)
    one = client.stream_to_forst(ENDPOINT, (record(each) for each in range(5000)))
    two = client.stream_to_forst(ENDPOINT, (record(each) for each in range(5000)))
    for number, (first, second) in enumerate(zip(one, two, strict=True)):
        assert first == second == result(number)


def test_a_loop_within_a_loop_is_refused(server: Server) -> None:
    async def run() -> None:
        client = ForstStreamingClient(server.url)
        with pytest.raises(TypeError, match="async for"):
            list(client.stream_to_forst(ENDPOINT, [record(1)]))

    asyncio.run(run())


def test_the_producers_error_without_a_loop(server: Server) -> None:
    def producer() -> Iterator[StreamingRecord]:
        yield record(1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(ForstStreamingClient(server.url).stream_to_forst(ENDPOINT, producer()))


@pytest.mark.parametrize("resume", [False, True])
def test_errors_are_distinguished_from_results_that_look_like_them(
    start_one: StartServer, tmp_path: Path, resume: bool
) -> None:
    (tmp_path / "routes.py").write_text(
        "from forstcore import processor\n\n"
        "@processor('echo')\n"
        "def echo(record: dict):\n    return record\n"
    )
    server = start_one("--no-access-log", "--processors", str(tmp_path / "routes.py"))
    alike = b'{"status":"error","line":2,"offset":0,"code":"a","message":"b"}\n'
    options = StreamOptions(on_error="emit", resume=resume)
    client = ForstStreamingClient(server.url)
    body = (alike + b"nope\n") * 1000
    found = list(client.stream_to_forst("/echo", body, options))
    assert [is_error(each) for each in found] == [False, True] * 1000
    assert [each["line"] for each in found if is_error(each)] == list(range(2, 2001, 2))
    pieces = list(client.process_streaming_data("/echo", body, options))
    assert sum(isinstance(piece, ErrorLine) for piece in pieces) == 1000
    kept = b"".join(piece for piece in pieces if not isinstance(piece, ErrorLine))
    assert kept == alike * 1000
    assert not is_error(json.loads(alike))
