"""Heads and requests that are sent ahead, by many connections that read no answers."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.hostile.replies import Reply, replies_in
from tests.hostile.target import head
from tests.servers import Server, launch

_CONNECTIONS = 60
_MOST_GROWTH = 120 << 20  # Bytes; what they send is several times that.
_FIELDS = [b"X-%03d: " % number + b"a" * 8000 for number in range(120)]  # A megabyte.


@pytest.fixture
def server() -> Iterator[Server]:
    """A server whose pages need no token, and whose other answers do."""
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
    """Send the same over many connections that read nothing."""
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
            # Whoever sends what is usual is served meanwhile.
            assert ask(server, *_FIELDS[:1]).status == 200
    assert grown < _MOST_GROWTH, f"{grown >> 20} MiB"
    # As soon as those connections are gone there is room again.
    deadline = time.monotonic() + 20
    while (status := ask(server, *_FIELDS).status) == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status == 200


def test_a_head_for_which_there_is_no_room_is_answered_503(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(40):
            connection = socket.create_connection((server.host, server.port), timeout=60)
            connections.append(stack.enter_context(connection))
            with contextlib.suppress(OSError):
                connection.sendall(head(*_FIELDS)[:-2])
        assert ask(server, *_FIELDS[:1]).status == 200
        refused = 0
        for connection in connections:
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError, ConnectionError):
                (reply,) = replies_in(connection.recv(1 << 16))
                assert reply.status == 503
                assert b"\r\nretry-after: " in reply.head.lower()
                reply.problem()
                refused += 1
        # There is room for a few.
        assert 10 < refused < 40
