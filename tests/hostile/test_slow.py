"""Slow clients: in sending the head or the body, and in reading the response."""

from __future__ import annotations

import contextlib
import select
import socket
import time

from tests.certificates import Certificates, tls_options
from tests.hostile.target import RECORD, Target, head
from tests.servers import StartServer

GET = head(start="GET /version HTTP/1.1")


def test_heads_that_dribble(target: Target) -> None:
    """Each byte is progress, but does not extend the deadline."""

    def dribble(before: bytes, piece: bytes) -> None:
        with target.connect() as connection:
            connection.sendall(before)
            deadline = time.monotonic() + 10
            with contextlib.suppress(ConnectionError):
                while time.monotonic() < deadline:
                    connection.sendall(piece)
                    time.sleep(0.02)
                raise AssertionError(f"{before[-20:]!r} and pieces of {piece!r} were waited for")

    start = b"GET /version HTTP/1.1\r\n"
    attacks = [
        (b"", b"G"),
        (b"", b"\r\n"),
        (start, b"A"),
        (start, b"A: b\r\n"),
        (start + b"A: ", b"b"),
        (GET, b"G"),
        (GET, b"\r\n"),
        (GET + start, b"A: b\r\n"),
    ]
    target.at_once(lambda attack: dribble(*attack), attacks * 4)


def test_many_that_send_nothing(target: Target) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(target.connect()) for _ in range(200)]
        assert {target.rest_of(connection) for connection in silent} == {b""}


def test_bodies_that_never_end(target: Target) -> None:
    """On every endpoint, including those that do not exist."""
    chunked = ("Transfer-Encoding: chunked", b"5\r\n{}\n")
    sized = ("Content-Length: 1000", b"{}\n")
    requests = [
        "POST /streaming-process",
        "POST /large-dataset-stream",
        "POST /real-time-process",
        "POST /sources/events",
        "POST /nowhere",
        "PUT /streaming-process",
        "OPTIONS /streaming-process",
    ]
    attacks = {
        f"{request}, {field}": head(field, start=f"{request} HTTP/1.1") + body
        for request in requests
        for field, body in (chunked, sized)
    }
    # The server does not allocate memory for an announced size.
    before = target.server.rss()
    for size in (1 << 31, 1 << 40, (1 << 59) - 1):
        attacks[f"a chunk of {size}"] = head("Transfer-Encoding: chunked") + b"%x\r\n{}\n" % size
    for size in (1 << 31, 1 << 63, (1 << 64) - 2):
        attacks[f"a length of {size}"] = head(f"Content-Length: {size}") + b"{}\n"
    for name, replies in target.talk_all(attacks).items():
        assert len(replies) <= 1, name
        assert all(reply.status in (200, 204, 404, 405, 408) for reply in replies), name
        assert not any(reply.is_whole for reply in replies if reply.status == 200), name
    assert target.server.rss() - before < 16 << 20


def test_a_subscription_that_dribbles(target: Target) -> None:
    """A subscription's request must end in time; further bytes do not extend the deadline."""
    start = head("Transfer-Encoding: chunked", start="POST /real-time-process HTTP/1.1")
    with target.connect() as connection:
        connection.sendall(start)
        deadline = time.monotonic() + 15
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < deadline:
                connection.sendall(b"1\r\n \r\n")
                time.sleep(0.05)
                if select.select([connection], [], [], 0)[0]:
                    break
            else:
                raise AssertionError("the subscription was waited for")
        assert b" 408 " in connection.recv(1000).splitlines()[0]


def reading_nothing(target: Target) -> socket.socket:
    """Open a connection with small buffers."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(15)
    connection.connect((target.server.host, target.server.port))
    return connection


def test_nobody_is_waited_for_who_reads_nothing(target: Target) -> None:
    """They requested more than the buffers hold, and stay connected without reading."""
    with contextlib.ExitStack() as stack:

        def ask_on(request: bytes) -> None:
            connection = stack.enter_context(reading_nothing(target))
            with contextlib.suppress(ConnectionError):
                # Blocks when the server has stopped reading, and fails when it gives up.
                while True:
                    connection.sendall(request * 100)

        def stream(end: bytes) -> None:
            connection = stack.enter_context(reading_nothing(target))
            body = (RECORD % 1) * 100_000
            with contextlib.suppress(ConnectionError):
                connection.sendall(head("Transfer-Encoding: chunked", "Accept-Encoding: identity"))
                for _ in range(2):
                    connection.sendall(b"%x\r\n%b\r\n" % (len(body), body))
                connection.sendall(end)

        requests = [head(start=f"GET {path} HTTP/1.1") for path in ("/", "/metrics")]
        target.at_once(ask_on, requests * 2)
        target.at_once(stream, [b"", b"zz\r\n", b"0\r\n\r\n"])
        target.check_descriptors()


def test_a_handshake_that_never_comes(
    start_server: StartServer, certificates: Certificates
) -> None:
    server = start_server(*tls_options(certificates), "--header-timeout", "0.5")
    for sent in (b"", b"\x16\x03\x01\x02\x00\x01"):
        with socket.create_connection((server.host, server.port), timeout=60) as connection:
            connection.sendall(sent)
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1000) == b""
