"""Whether a connection can be used again after a request that was refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.hostile.replies import replies_in
from tests.server.raw import RawStream
from tests.server.requests import RECORD, RESULT, answer_on, connect
from tests.servers import Server, launch

BODY = b"x" * (1 << 16)
NEXT = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (
    len(RECORD % 7),
    RECORD % 7,
)
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def head(start: bytes, *fields: bytes) -> bytes:
    return b"".join([start, b" HTTP/1.1\r\nHost: localhost\r\n", *fields, b"\r\n"])


def sized(start: bytes, *fields: bytes, body: bytes = b"{}") -> bytes:
    return head(start, b"Content-Length: %d\r\n" % len(body), *fields) + body


@pytest.fixture(scope="module", params=["aiohttp", "takeover"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = launch(
        "--takeover", "off" if request.param == "aiohttp" else "on", "--max-stream-bytes", "200000"
    )
    yield server
    server.kill()


def ends(connection: socket.socket) -> bool:
    """Return whether the server closes the connection, and sends nothing before that."""
    return connection.recv(1) == b""


HARMLESS = {
    "no such path": (head(b"GET /nowhere"), 404),
    "another path with a body": (sized(b"POST /nowhere"), 404),
    "the longest body that is received": (sized(b"POST /nowhere", body=BODY), 404),
    "another method": (sized(b"DELETE /version"), 405),
    "another coding": (sized(b"POST /streaming-process", b"Content-Encoding: lzw\r\n"), 415),
    "a header with another value": (
        sized(b"POST /streaming-process", b"Forst-On-Error: x\r\n"),
        400,
    ),
    "a filter that is none": (sized(b"POST /streaming-process", b"Forst-Filter: {\r\n"), 400),
    "no such source": (
        sized(b"POST /real-time-process", body=b'{"source":"none"}'),
        404,
    ),
    "no expectation is met without a body": (
        head(b"GET /nowhere", b"Expect: 100-continue\r\n"),
        404,
    ),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_connection_outlives_a_refused_request(server: Server, name: str) -> None:
    request, status = HARMLESS[name]
    with connect(server) as connection:
        for _ in range(3):
            connection.sendall(request)
            refused = answer_on(connection)
            assert refused.status == status
            assert "connection" not in refused.headers
            connection.sendall(NEXT)
            answer = answer_on(connection)
            assert (answer.status, answer.body) == (200, RESULT % 7)


@pytest.mark.parametrize("name", HARMLESS)
def test_requests_behind_a_refused_one_are_answered(server: Server, name: str) -> None:
    request, status = HARMLESS[name]
    with connect(server) as connection:
        connection.sendall(3 * (request + NEXT) + head(b"GET /healthz", b"Connection: close\r\n"))
        with connection.makefile("rb") as received:
            replies = [reply for reply in replies_in(received.read()) if reply.status >= 200]
    assert [reply.status for reply in replies] == [status, 200, status, 200, status, 200, 200]
    assert [reply.body for reply in replies[1:6:2]] == 3 * [RESULT % 7]


@pytest.mark.parametrize("size", [1, 60_000])
def test_the_rest_of_a_small_body_is_not_the_next_request(server: Server, size: int) -> None:
    body = (NEXT * (size // len(NEXT) + 1))[:size]
    with connect(server) as connection:
        connection.sendall(head(b"POST /nowhere", b"Content-Length: %d\r\n" % size))
        assert answer_on(connection).status == 404
        connection.sendall(body + NEXT)
        answer = answer_on(connection)
        assert (answer.status, answer.body) == (200, RESULT % 7)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


ENDS = {
    "another origin": (head(b"GET /version", b"Origin: http://other.test\r\n"), 403),
    "another host": (b"GET /version HTTP/1.1\r\nHost: other.test\r\n\r\n", 403),
    "chunks of HTTP/1.0": (
        b"POST /streaming-process HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a chunked body that goes on": (head(b"POST /nowhere", CHUNKED), 404),
    "a chunked body that is complete": (
        head(b"POST /nowhere", CHUNKED) + b"1\r\nx\r\n0\r\n\r\n",
        404,
    ),
    "a body too long to receive": (head(b"POST /nowhere", b"Content-Length: 65537\r\n"), 404),
    "a stream that is too large": (
        head(b"POST /streaming-process", b"Content-Length: 200001\r\n"),
        413,
    ),
    "a client that waits for permission": (
        head(b"POST /nowhere", b"Content-Length: 2\r\n", b"Expect: 100-continue\r\n"),
        404,
    ),
    "HTTP/1.0": (b"GET /nowhere HTTP/1.0\r\nHost: localhost\r\n\r\n", 404),
    "a head that is none": (b"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "an ambiguous length": (
        head(b"POST /nowhere", b"Content-Length: 2\r\n", b"Content-Length: 3\r\n"),
        400,
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_connection_ends_if_the_next_request_cannot_be_found(server: Server, name: str) -> None:
    request, status = ENDS[name]
    with connect(server) as connection:
        connection.sendall(request)
        answer = answer_on(connection)
        assert answer.status == status
        assert answer.headers.get("connection", "close") == "close"
        assert ends(connection)


def test_a_full_server_ends_the_connection() -> None:
    """Another connection may reach a process with room."""
    server = launch("--max-streams", "1")
    try:
        address = server.host, server.port
        with RawStream(address, first=RECORD % 1) as stream, connect(server) as connection:
            assert stream.read_line() == RESULT % 1
            connection.sendall(NEXT)
            answer = answer_on(connection)
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            assert ends(connection)
    finally:
        server.kill()
