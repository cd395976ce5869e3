"""HTTP as a sink, with a server that refuses, fails, and drops connections."""

from __future__ import annotations

import asyncio
import base64
import json
import logging

import pytest

from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputRefusedError, SinkLimits, open_sink
from forstcore.sources import without_password
from tests.sinks.http_target import Answer, HttpTarget, Request
from tests.sinks.writing import opened, outputs, run, until, write


def url(target: HttpTarget, rest: str = "/in") -> str:
    return f"http://127.0.0.1:{target.port}{rest}"


def test_batches_with_headers_and_query() -> None:
    with HttpTarget() as target:

        async def scenario() -> None:
            rest = "/a%2Fb?kind=x%20y&batch=100&header.X-Team=blue&token=t0ken"
            async with opened(url(target, rest)) as (sink, writer):
                assert await sink.offset() == ""
                await asyncio.gather(*await write(writer, *outputs(0, 100)))

        run(scenario)
    assert target.taken == list(range(100))
    for request in target.requests:
        assert len(request.body) <= 100
        assert request.path == "/a%2Fb?kind=x+y"
        assert request.headers["Content-Type"] == "application/x-ndjson"
        assert request.headers["X-Team"] == "blue"
        assert request.headers["Authorization"] == "Bearer t0ken"


def test_user_and_password() -> None:
    with HttpTarget() as target:

        async def scenario() -> None:
            async with opened(url(target).replace("127", "me:s3cr%26t@127", 1)) as (_, writer):
                await asyncio.gather(*await write(writer, *outputs(0, 3)))

        run(scenario)
        login = base64.b64encode(b"me:s3cr&t").decode()
        assert target.requests[0].headers["Authorization"] == f"Basic {login}"


def test_a_server_that_ends_and_comes_back() -> None:
    with HttpTarget() as target:

        async def scenario() -> None:
            async with opened(url(target, "/in?batch=200")) as (sink, writer):
                for first in range(0, 600, 200):
                    await asyncio.gather(*await write(writer, *outputs(first, first + 100)))
                    await asyncio.to_thread(target.stop)
                    confirmed = await write(writer, *outputs(first + 100, first + 200))
                    await until(sink.trouble)
                    await asyncio.to_thread(target.start)
                    await asyncio.gather(*confirmed)
                assert sink.trouble() is None

        run(scenario)
    found = target.taken
    assert list(dict.fromkeys(found)) == list(range(600))


@pytest.mark.parametrize("status", [0, 408, 425, 429, 500, 503])
def test_answers_after_which_it_is_tried_again(status: int) -> None:
    left = [3]

    def answer(request: Request) -> Answer:
        if request not in target.requests and left[0]:
            left[0] -= 1
            failed.append(request)
        return Answer(status) if request in failed else Answer()

    failed: list[Request] = []
    with HttpTarget(answer) as target:

        async def scenario() -> None:
            async with opened(url(target)) as (sink, writer):
                await asyncio.gather(*await write(writer, *outputs(0, 20)))
                assert sink.trouble() is None

        run(scenario)
    assert target.taken == list(range(20))
    assert left == [0]


def test_retry_after_is_honoured(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request) -> Answer:
        is_first = not target.requests or request is target.requests[0]
        return Answer(503, {"Retry-After": "2"}) if is_first else Answer()

    caplog.set_level(logging.INFO, "forstcore")
    with HttpTarget(answer) as target:

        async def scenario() -> None:
            async with opened(url(target, "/in?token=hidden")) as (sink, writer):
                (confirmed,) = await write(writer, *outputs(0, 3))
                await until(sink.trouble)
                trouble = sink.trouble()
                assert trouble is not None
                assert trouble.detail.endswith("HTTP 503 Service Unavailable: no thanks")
                await confirmed

        run(scenario)
        first, second = target.requests
        assert second.at - first.at >= 2
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "hidden" not in "".join(said)


def test_lines_that_are_refused_are_found() -> None:
    bad = {3, 17, 18, 64}

    def answer(request: Request) -> Answer:
        return Answer(422 if bad & set(request.numbers) else 204)

    with HttpTarget(answer) as target:

        async def scenario() -> None:
            async with opened(url(target), SinkLimits(tries=2)) as (sink, writer):
                confirmed = await write(writer, *outputs(0, 100, 20))
                done = await asyncio.gather(*confirmed, return_exceptions=True)
                refused = {
                    20 * number + line: reason
                    for number, each in enumerate(done)
                    if isinstance(each, OutputRefusedError)
                    for line, reason in each.lines.items()
                }
                assert set(refused) == bad
                assert set(refused.values()) == {"HTTP 422 Unprocessable Entity: no thanks"}
                assert sink.trouble() is None

        run(scenario)
    assert target.taken == [number for number in range(100) if number not in bad]
    alone = [each for each in target.requests if each.numbers == [17]]
    assert len(alone) == 2


def test_a_server_that_refuses_some_requests_all_the_time() -> None:
    """Accepted results are not sent again, and each success resets the pauses."""
    answers: list[int] = []
    accepted: list[int] = []

    def answer(request: Request) -> Answer:
        numbers = request.numbers
        answers.append(429 if len(answers) % 3 == 2 else 422 if 70 in numbers else 204)
        if answers[-1] == 204:
            accepted.extend(numbers)
        return Answer(answers[-1])

    with HttpTarget(answer) as target:

        async def scenario() -> None:
            async with opened(url(target, "/in?batch=100"), SinkLimits(tries=2)) as (_, writer):
                # The first one is larger than the server accepts without an error.
                confirmed = await write(writer, *outputs(0, 200, 150), *outputs(200, 300))
                done = await asyncio.gather(*confirmed, return_exceptions=True)
                assert isinstance(done[0], OutputRefusedError)
                assert done[0].lines == {70: "HTTP 422 Unprocessable Entity: no thanks"}
                assert done[1:] == [None] * 11

        run(scenario)
    assert accepted == [number for number in range(300) if number != 70]


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 405, 415])
def test_answers_after_which_nothing_else_would_help(status: int) -> None:
    with HttpTarget(lambda _: Answer(status, {"Location": "/elsewhere"})) as target:

        async def scenario() -> None:
            async with opened(url(target)) as (_, writer):
                (confirmed,) = await write(writer, *outputs(0, 3))
                with pytest.raises(SinkError, match=f"HTTP {status}") as caught:
                    await confirmed
                assert ("give the URL /elsewhere" in str(caught.value)) == (status < 400)

        run(scenario)
        assert len(target.requests) == 1


def test_an_idle_connection_that_the_server_closes() -> None:
    with HttpTarget(lambda _: Answer(closes=True)) as target:

        async def scenario() -> None:
            async with opened(url(target)) as (sink, writer):
                for number in range(10):
                    (confirmed,) = await write(writer, *outputs(number, number + 1))
                    await confirmed
                    assert sink.trouble() is None

        run(scenario)
    assert list(dict.fromkeys(target.taken)) == list(range(10))


def test_a_server_that_does_not_answer_in_time() -> None:
    async def scenario() -> None:
        calls = 0
        received: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal calls
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            body = await reader.readexactly(size)
            calls += 1
            if calls > 1:
                received.append(body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            async with opened(f"http://127.0.0.1:{port}/?timeout=2") as (sink, writer):
                (confirmed,) = await write(writer, *outputs(0, 3))
                while (trouble := sink.trouble()) is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                assert trouble.detail == "it does not answer in time"
                await confirmed
        assert set(received) == {outputs(0, 3)[0].results}

    run(scenario)


def test_what_is_not_a_json_line_is_sent_as_it_is() -> None:
    with HttpTarget() as target:

        async def scenario() -> None:
            async with opened(url(target)) as (_, writer):
                await asyncio.gather(*await write(writer, Output(b'{"a":"\xc3\xa4"}\r\n{}\n')))

        run(scenario)
        assert [each.body for each in target.requests] == [b'{"a":"\xc3\xa4"}\r\n{}\n']
        assert json.loads(target.requests[0].body.splitlines()[0]) == {"a": "ä"}


def test_a_line_that_is_larger_than_a_batch() -> None:
    large = b'{"n":"%b"}\n' % (b"x" * 3_000_000)
    with HttpTarget() as target:

        async def scenario() -> None:
            async with opened(url(target)) as (_, writer):
                await asyncio.gather(*await write(writer, Output(b"{}\n" + large + b"{}\n")))

        run(scenario)
        assert [each.body for each in target.requests] == [b"{}\n", large, b"{}\n"]


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("h/?timeout=0", "timeout=0"),
        ("h/?batch=none", "batch=none"),
        ("me:secret@h/?token=secret", "only one can be sent"),
        ("h/?header.X=secret%0D%0AY:1", "control character"),
    ],
)
def test_bad_urls(rest: str, reason: str) -> None:
    with pytest.raises(SinkError, match=reason) as raised:
        open_sink("out", f"http://{rest}")
    assert "secret" not in str(raised.value)
    assert "secret" not in without_password(f"http://{rest}")
