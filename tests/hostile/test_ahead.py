"""Pipelined heads and requests on many connections that read no responses."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.hostile.replies import Reply, replies_in
from tests.hostile.target import head
from tests.servers import Server, launch, wait_until

_CONNECTIONS = 60
_MOST_GROWTH = 120 << 20  # Bytes; the clients send several times as much.
_FIELDS = [b"X-%03d: " % number + b"a" * 8000 for number in range(120)]  # A megabyte.


@pytest.fixture
def server() -> Iterator[Server]:
    """A server whose dashboard needs no token, unlike its other responses."""
    server = launch("--header-timeout", "20", env={"FORSTCORE_TOKEN": "secret"})
    try:
        yield server
        assert server.stop() == 0
    finally:
        server.kill()


def ask(server: Server, *fields: bytes, path: str = "/healthz") -> Reply:
    request = head(b"Connection: close", *fields, start=f"GET {path} HTTP/1.1")
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(request)
        got = []
        while data := connection.recv(1 << 16):
            got.append(data)
    (reply,) = replies_in(b"".join(got))
    return reply


@contextlib.contextmanager
def senders(server: Server, sent: bytes) -> Iterator[None]:
    """Send the same data over many connections that read nothing."""
    connections: list[socket.socket] = []

    def send() -> None:
        connection = socket.socket()
        connections.append(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(3)
        with contextlib.suppress(OSError):
            connection.connect((server.host, server.port))
            connection.sendall(sent)

    threads = [threading.Thread(target=send) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()


@pytest.mark.parametrize("kind", ["requests", "heads", "half a head", "heads behind requests"])
def test_what_is_sent_ahead_is_bounded_for_all_together(server: Server, kind: str) -> None:
    page = ask(server, path="/").body
    found = re.search(rb"dashboard/static/[0-9a-f]+/[a-z]+\.js", page)
    assert found is not None
    path = found[0].decode()
    small = head(start=f"GET /{path} HTTP/1.1")
    large = head(*_FIELDS, start=f"GET /{path} HTTP/1.1")
    sent = {
        "requests": small * 100_000,
        "heads": large * 10,
        "half a head": large[:-2],
        "heads behind requests": small * 600 + large * 10,
    }[kind]
    before = server.rss()
    grown = 0
    with senders(server, sent):
        for _ in range(8):
            time.sleep(0.25)
            grown = max(grown, server.rss() - before)
            # Meanwhile, normal requests are served.
            assert ask(server, *_FIELDS[:1]).status == 200
    assert grown < _MOST_GROWTH, f"{grown >> 20} MiB"
    # As soon as those connections are gone there is room again.
    deadline = time.monotonic() + 20
    while (status := ask(server, *_FIELDS).status) == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status == 200


def test_heads_for_which_there_is_no_room_are_answered_503() -> None:
    server = launch("--header-timeout", "600")
    try:
        _fill_with_heads(server)
        assert server.stop() == 0
    finally:
        server.kill()


def _fill_with_heads(server: Server) -> None:
    """Send heads of 40 MB in turns, of which about 16 MiB may wait for their ends."""
    large = head(*_FIELDS)[:-2]
    part = len(large) // 8
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection((server.host, server.port), timeout=60))
            for _ in range(40)
        ]
        for at in range(0, len(large), part):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.sendall(large[at : at + part])
        wait_until(lambda: len(select.select(connections, [], [], 1)[0]) >= 20)
        assert ask(server, *_FIELDS[:1]).status == 200
        statuses = []
        for connection in connections:
            # Connections that were not refused get the page as soon as the head is complete.
            with contextlib.suppress(OSError):
                connection.sendall(b"\r\n")
            (reply,) = replies_in(_first_reply(connection))
            statuses.append(reply.status)
            if reply.status == 503:
                assert b"\r\nretry-after: " in reply.head.lower()
                reply.problem()
        assert set(statuses) == {200, 503}
        assert statuses.count(200) >= 10


def _first_reply(connection: socket.socket) -> bytes:
    """Read until the reply that was received is whole."""
    got = b""
    while not (got and replies_in(got)[0].is_whole):
        data = connection.recv(1 << 16)
        assert data, got
        got += data
    return got
