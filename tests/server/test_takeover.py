"""HTTP around a body that the body protocol reads: bytes before it, in pieces, and after it."""

from __future__ import annotations

import re
import socket
import time

import pytest

from server.http.body_protocol import is_supported
from tests.server.raw import chunk
from tests.servers import Server

pytestmark = pytest.mark.both_ways

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'
HEAD = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
PLAIN = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
SIZED = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def answers(connection: socket.socket, count: int) -> list[bytes]:
    """Read `count` responses; return their bodies."""
    connection.settimeout(10)
    unread = b""
    bodies: list[bytes] = []
    while len(bodies) < count:
        head, mark, rest = unread.partition(b"\r\n\r\n")
        if mark:
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if length:
                size = int(length[1])
                if len(rest) >= size:
                    bodies.append(rest[:size])
                    unread = rest[size:]
                    continue
            elif b"0\r\n\r\n" in rest:
                body, _, unread = rest.partition(b"0\r\n\r\n")
                parts = re.split(rb"[0-9a-f]+\r\n", body)
                bodies.append(b"".join(part.removesuffix(b"\r\n") for part in parts))
                continue
        data = connection.recv(65536)
        assert data, "the connection was closed"
        unread += data
    return bodies


def connect(server: Server) -> socket.socket:
    connection = socket.create_connection((server.host, server.port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def test_aiohttp_behaves_as_the_body_protocol_requires() -> None:
    assert is_supported()


def test_requests_of_all_kinds_follow_each_other(server: Server) -> None:
    with connect(server) as connection:
        for number in range(3):
            connection.sendall(HEAD + chunk(RECORD % number) + END)
            assert answers(connection, 1) == [RESULT % number]
            connection.sendall(PLAIN)
            assert b"ok" in answers(connection, 1)[0]
            body = RECORD % (number + 10)
            connection.sendall(SIZED % (len(body), body))
            assert answers(connection, 1) == [RESULT % (number + 10)]


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    body = RECORD % 2
    with connect(server) as connection:
        connection.sendall(
            HEAD + chunk(RECORD % 1) + END + PLAIN + SIZED % (len(body), body) + HEAD
            + chunk(RECORD % 3) + END + PLAIN
        )  # fmt: skip
        first, second, third, fourth, fifth = answers(connection, 5)
    assert (first, third, fourth) == (RESULT % 1, RESULT % 2, RESULT % 3)
    assert b"ok" in second
    assert b"ok" in fifth


def test_every_cut_of_two_requests(server: Server) -> None:
    both = (HEAD + chunk(RECORD % 1) + chunk(RECORD % 2) + END) * 2
    with connect(server) as connection:
        for place in range(1, len(both), 3):
            connection.sendall(both[:place])
            time.sleep(0.001)
            connection.sendall(both[place:])
            assert answers(connection, 2) == [RESULT % 1 + RESULT % 2] * 2


def test_one_byte_at_a_time(server: Server) -> None:
    with connect(server) as connection:
        for byte in HEAD + chunk(RECORD % 1) + END:
            connection.sendall(bytes([byte]))
            time.sleep(0.0005)
        assert answers(connection, 1) == [RESULT % 1]


def test_a_large_body_right_behind_its_head(server: Server) -> None:
    records = range(20_000)
    body = b"".join(chunk(RECORD % number) for number in records)
    with connect(server) as connection:
        connection.sendall(HEAD + body[:400_000])
        connection.sendall(body[400_000:] + END + PLAIN)
        streamed, plain = answers(connection, 2)
    assert streamed == b"".join(RESULT % number for number in records)
    assert b"ok" in plain


@pytest.mark.parametrize("trailer", [b"", b"Digest: abc\r\n"])
def test_a_trailer_is_passed_over(server: Server, trailer: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(HEAD + chunk(RECORD % 1) + b"0\r\n" + trailer + b"\r\n" + PLAIN)
        streamed, plain = answers(connection, 2)
    assert streamed == RESULT % 1
    assert b"ok" in plain


def test_a_body_nobody_reads_does_not_stop_the_next_request(server: Server) -> None:
    get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(get + chunk(b"x" * 100) + END + PLAIN)
        assert all(b"ok" in body for body in answers(connection, 2))


def test_smuggled_lengths_are_refused(server: Server) -> None:
    both = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n")
    with connect(server) as connection:
        connection.sendall(both + END + PLAIN)
        assert b" 400 " in connection.recv(65536).splitlines()[0]
