"""Random pipelines, regressions, and tests of the strict reader."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Iterator

import pytest

from tests.hostile.replies import Reply, replies_in
from tests.pipelines.reader import read_requests
from tests.pipelines.run import Tally, fill, run, served
from tests.server.raw import chunk
from tests.servers import Server

GET = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
STREAM = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
RECORD = b'{"id":"%06d","data":"x"}\n'
END = b"0\r\n\r\n"
# Sizes of the buffers that a body goes through, and the most that is held.
EDGES = [1 << 16, 1 << 17, 1 << 18]


def filled(size: int) -> bytes:
    """Write a chunk of that size, framing included, that contains a blank line."""
    for digits in range(1, 8):
        data = b" " * (size - digits - 5) + b"\n"
        if len(b"%x" % len(data)) == digits:
            return chunk(data)
    raise AssertionError(size)


@pytest.fixture(scope="module", params=["on", "off"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with each of the two ways to read bodies."""
    with served(request.param) as server:
        asyncio.run(fill(server))
        yield server


def talk(server: Server, *pieces: bytes) -> list[Reply]:
    """Send pieces and half-close the connection; return the answers."""
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        got = []
        while data := connection.recv(1 << 16):
            got.append(data)
    return replies_in(b"".join(got))


@pytest.mark.long
@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_random_pipelines(server: Server, seed: str) -> None:
    tally = Tally()
    asyncio.run(run(server, seed, range(6), math.inf, tally))
    assert not tally.differences, "\n".join(tally.differences)
    assert tally.pipelines == 72
    assert tally.answers > 200


@pytest.mark.one_in(2)
@pytest.mark.parametrize("edge", EDGES)
def test_a_stream_behind_a_stream_that_ended_is_read_to_its_end(server: Server, edge: int) -> None:
    """The bytes held after the end of a body belong to the next requests, in order."""
    lines = [RECORD % number for number in range(2000)]
    first = STREAM + b"\r\n" + chunk(b"%b" % lines[0]) + END + GET
    last = STREAM + b"Forst-Frames: 1\r\n\r\n"
    for room in range(-2, 3):
        # The third body continues in the next buffer.
        begin = filled(edge + room - len(first) - len(last))
        rest = b"".join(chunk(b"".join(lines[at : at + 100])) for at in range(0, 2000, 100))
        replies = talk(server, first + last + begin + rest + END)
        assert [reply.status for reply in replies] == [200] * 3
        assert all(reply.is_whole for reply in replies)
        assert replies[2].body.count(b"processed_") == 2000, (edge, room)
        assert b'"lines":2001,' in replies[2].body


@pytest.mark.parametrize("edge", EDGES)
def test_a_request_within_a_body_is_not_run(server: Server, edge: int) -> None:
    """A chunk that ends at a buffer boundary contains a request that would publish."""
    hidden = b"POST /sources/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 25\r\n\r\n"
    hidden += b'{"id":"smuggled"}\n'
    held = chunk(RECORD % 1) + END + GET + STREAM + b"\r\n"
    size = edge - len(held) - 7 + 10
    data = b" " * (size - 10) + b"12345\r\nFFF"
    tail = b"\r\n0\r\n\r\n" + hidden
    inner = next(
        b" " * pad + tail
        for pad in range(0xFF0, 0x1000)
        if len(b"%x\r\n" % (pad + len(tail))) + pad == 0xFFF
    )
    wire = STREAM + b"\r\n" + held + chunk(data) + chunk(inner) + END
    assert len(read_requests(wire).requests) == 3
    replies = talk(server, wire)
    assert [reply.status for reply in replies] == [200] * 3
    assert not any(b'"offset"' in reply.body for reply in replies)


def test_half_closed_pipelines_are_answered_to_the_end(server: Server) -> None:
    """Everything sent before a half-close is answered, however long that takes."""
    body = b"".join(RECORD % number for number in range(50_000))
    sized = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    wire = (sized % len(body) + body + GET) * 3
    replies = talk(server, wire)
    assert [reply.status for reply in replies] == [200] * 6
    assert [reply.body.count(b"\n") for reply in replies[::2]] == [50_000] * 3
    assert all(reply.is_whole for reply in replies)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("way", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_half_closed_body_without_its_end_is_not_waited_for(server: Server, way: bytes) -> None:
    """Nor if the request before it is still being answered when the client half-closes."""
    records = b"".join(RECORD % number for number in range(200_000))
    slow = b"POST /twin-async HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    cut = b"POST /same HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n1" % way
    started = time.monotonic()
    replies = talk(server, slow % len(records) + records + cut)
    assert time.monotonic() - started < 25  # Otherwise it has waited for `timeout`.
    assert replies[0].is_whole
    assert not replies[-1].is_whole


def test_a_body_of_more_chunks_than_aiohttp_counts(server: Server) -> None:
    """The parser pauses within the body, and must not get the next head before it resumes."""
    get = b"GET /version HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire = (get + chunk(b"x") * 40_000 + END + GET) * 2
    for _ in range(3):
        assert [reply.status for reply in talk(server, wire)] == [200] * 4


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("wire", "bodies", "rest"),
    [
        (b"", [], b""),
        (b"\r\n\r\n", [], b""),
        (GET + b"\r\n" + GET, [b"", b""], b""),
        (GET + b"G", [b""], b"G"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + GET, [b"abc", b""], b""),
        (CHUNKED + b'3;a;b=c;d="\\"e"\r\nabc\r\n0\r\nX: y\r\n\r\n', [b"abc"], b""),
        (CHUNKED + b"3\r\nabc\r\n", [], CHUNKED + b"3\r\nabc\r\n"),
        (CHUNKED + b"3\nabc\r\n0\r\n\r\n", [], CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
        (CHUNKED + b"0\r\nX : y\r\n\r\n", [], CHUNKED + b"0\r\nX : y\r\n\r\n"),
        (GET.replace(b"1.1", b"1.0") + GET, [b""], b""),
        (GET.replace(b"Host", b"Connection: close\r\nHost") + GET, [b""], b""),
        (GET.replace(b"Host: localhost\r\n", b""), [], GET.replace(b"Host: localhost\r\n", b"")),
    ],
)
def test_the_reader(wire: bytes, bodies: list[bytes], rest: bytes) -> None:
    reading = read_requests(wire)
    assert [request.body for request in reading.requests] == bodies
    assert reading.rest == rest


LAST = {
    "refused": (b"GET /version HTTP/1.1\r\nHost: other.test\r\n\r\n", 403),
    # The response starts before the body turns out to be malformed.
    "malformed": (b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n".replace(
        b"Host: a", b"Host: localhost\r\nTransfer-Encoding: chunked"
    ) + b"zz\r\n", 200),
}  # fmt: skip


@pytest.mark.parametrize("end", LAST)
def test_an_answer_on_its_way_is_not_lost_with_what_is_behind_the_last(
    server: Server, end: str
) -> None:
    """Closing a connection with unread input would drop data that its client has not read yet."""
    get = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last, status = LAST[end]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect((server.host, server.port))
        connection.sendall(get * 5 + last + GET * 100)
        for _ in range(5):
            time.sleep(0.05)
            try:
                connection.sendall(GET * 100)
            except OSError:
                break  # All responses must have been sent nevertheless.
        got = []
        while data := connection.recv(1 << 16):
            got.append(data)
    replies = replies_in(b"".join(got))
    assert [reply.status for reply in replies] == [200] * 5 + [status]
    assert all(reply.is_whole for reply in replies)
