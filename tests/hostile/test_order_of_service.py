"""Slow connections are served after new ones, and none starves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import selectors
import signal
import socket
import sys
import time
from typing import Any

import pytest

from server.process.event_loop import CROWD, run
from tests.hostile.target import RECORD, RESULT, head
from tests.server.raw import chunk
from tests.servers import StartServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs epoll")

NUMBER = 5 * CROWD


@pytest.fixture(scope="module", autouse=True)
def enough_descriptors() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))


def test_a_new_client_is_served_before_a_crowd(start_one: StartServer) -> None:
    """The order of arrival does not count while the server was busy."""
    server = start_one("--no-access-log")
    address = (server.host, server.port)
    request = head(start="GET /healthz HTTP/1.1")
    number = 1000
    with contextlib.ExitStack() as stack:
        crowd = []
        for _ in range(number):
            connection = stack.enter_context(socket.create_connection(address, timeout=60))
            connection.sendall(request[:-1])
            crowd.append(connection)
        time.sleep(2)
        server.process.send_signal(signal.SIGSTOP)
        try:
            for connection in crowd:
                connection.sendall(request[-1:])
            client = stack.enter_context(socket.create_connection(address, timeout=60))
            client.sendall(head("Transfer-Encoding: chunked", "Connection: close"))
            client.sendall(chunk(RECORD % 1) + b"0\r\n\r\n")
        finally:
            server.process.send_signal(signal.SIGCONT)
        got = b""
        while data := client.recv(1 << 16):
            got += data
        ready = select.poll()  # Descriptors may be too high for select.select.
        for each in crowd:
            ready.register(each, select.POLLIN)
        answered = len(ready.poll(0))
        assert RESULT % 1 in got
        assert answered < number
        for connection in crowd:
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


@pytest.fixture
def pairs() -> list[tuple[socket.socket, socket.socket]]:
    return [socket.socketpair() for _ in range(NUMBER)]


async def selector_of_loop() -> Any:
    loop: Any = asyncio.get_running_loop()
    return type(loop.selector)()


def look_with(pairs: list[tuple[socket.socket, socket.socket]], idle: set[int]) -> None:
    """Query a selector like the server's, with all pairs registered."""
    selector = run(selector_of_loop())
    selector.is_idle = idle.__contains__
    try:
        look(selector, pairs, idle)
    finally:
        selector.close()
        for pair in pairs:
            for end in pair:
                end.close()


def look(
    selector: selectors.BaseSelector,
    pairs: list[tuple[socket.socket, socket.socket]],
    idle: set[int],
) -> None:
    for near, far in pairs:
        selector.register(near, selectors.EVENT_READ)
        far.send(b"x")
    busy = {near.fileno() for near, _ in pairs} - idle
    served: set[int] = set()
    turns = 0
    while not turns or len(served) < len(idle):
        turns += 1
        ready = {key.fd for key, _ in selector.select(0)}
        assert busy <= ready
        assert len(ready - busy) <= CROWD
        for descriptor in ready & idle:
            assert descriptor not in served
            os.read(descriptor, 1)
            served.add(descriptor)
    assert turns <= len(idle) // CROWD + 1
    for descriptor in busy:
        os.read(descriptor, 1)
    assert not selector.select(0)

    # Alone, each is reported as ever, also after its interest has changed.
    near, far = pairs[0]
    for events in (selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE):
        selector.modify(near, events)
        far.send(b"x")
        ((key, found),) = selector.select(5)
        assert key.fd == near.fileno()
        assert found == events
        near.recv(1)
    selector.unregister(near)
    far.send(b"x")
    assert not selector.select(0)
    with pytest.raises(KeyError):
        selector.unregister(near)


def test_all_of_a_crowd_have_their_turn(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    look_with(pairs, {near.fileno() for near, _ in pairs[:-3]})


def test_those_that_are_not_idle_are_not_deferred(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    look_with(pairs, set())


def test_a_deferred_connection_may_be_closed(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    """A reused descriptor does not belong to an earlier connection."""

    selector = run(selector_of_loop())
    selector.is_idle = lambda _: True
    for near, far in pairs:
        selector.register(near, selectors.EVENT_READ)
        far.send(b"x")
    assert len(selector.select(0)) == CROWD
    for near, far in pairs:
        selector.unregister(near)
        near.close()
        far.close()
    assert not selector.select(0)
    near, far = socket.socketpair()
    with near, far:
        selector.register(near, selectors.EVENT_READ)
        far.send(b"x")
        assert [key.fileobj for key, _ in selector.select(5)] == [near]
    selector.close()
