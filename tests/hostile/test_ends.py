"""Connections that end at every stage, gracefully or not."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from tests.hostile.target import RECORD, RESULT, Target, head, reset
from tests.server.raw import chunk

pytestmark = pytest.mark.both_ways

START = head("Transfer-Encoding: chunked")
FRAMES = head("Transfer-Encoding: chunked", "Forst-Frames: 1")
LIVE = b'{"source":"events"}'
SUBSCRIBE = head(f"Content-Length: {len(LIVE)}", start="POST /real-time-process HTTP/1.1") + LIVE
PUBLISH = head("Transfer-Encoding: chunked", start="POST /sources/events HTTP/1.1")
LARGE = head("Transfer-Encoding: chunked", start="POST /large-dataset-stream HTTP/1.1")
GZIP = head("Transfer-Encoding: chunked", "Content-Encoding: gzip", "Accept-Encoding: gzip")

STAGES: dict[str, bytes] = {
    "nothing": b"",
    "a byte": b"P",
    "half a head": START[:40],
    "a head but one byte": START[:-1],
    "a head": START,
    "half a size": START + b"1",
    "a size": START + b"17\r",
    "half a chunk": START + chunk(RECORD % 1)[:10],
    "a chunk": START + chunk(RECORD % 1),
    "a chunk, with frames": FRAMES + chunk(RECORD % 1),
    "half a record": START + chunk(b'{"id":"1'),
    "much": START + chunk((RECORD % 1) * 20_000),
    "much, sized": head("Content-Length: 100000000") + (RECORD % 1) * 20_000,
    "half an end": START + chunk(RECORD % 1) + b"0\r\n",
    "an end": START + chunk(RECORD % 1) + b"0\r\n\r\n",
    "an end, and a head": START + chunk(RECORD % 1) + b"0\r\n\r\n" + START,
    "an error": START + chunk(RECORD % 1) + b"zz\r\n",
    "a failure": head("Transfer-Encoding: chunked", "Forst-On-Error: fail") + chunk(b"junk\n"),
    "a refusal": head("Transfer-Encoding: chunked", "Origin: https://x.test") + chunk(RECORD % 1),
    "an expectation": head("Transfer-Encoding: chunked", "Expect: 100-continue"),
    "a large stream": LARGE + chunk((RECORD % 1) * 20_000),
    "half a gzip member": GZIP + chunk(b"\x1f\x8b\x08"),
    "half a subscription": SUBSCRIBE[:-5],
    "a subscription": SUBSCRIBE,
    "a publication": PUBLISH + chunk(b'{"id":"1"'),
    "the news": head(start="GET /dashboard/news HTTP/1.1"),
    "a flood": head(start="GET /metrics HTTP/1.1") * 200,
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_ends_at_every_stage(target: Target, how: str, pause: float) -> None:
    """The log must contain only entries of streams, which the target checks at the end."""

    def attack(sent: bytes) -> None:
        connection = target.connect()
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
            time.sleep(pause)
        if how == "reset":
            reset(connection)
        else:
            connection.close()

    target.at_once(attack, list(STAGES.values()) * 3)
    target.check_descriptors()


def test_half_closes_at_every_stage(target: Target) -> None:
    """After a half-close the server waits for nothing more; complete requests are answered."""
    found = target.talk_all({name: [sent] for name, sent in STAGES.items()}, half_close=True)
    for name, replies in found.items():
        assert len(replies) <= (200 if name == "a flood" else 2), name
    assert found["an end"][0].body == RESULT % 1
    assert found["an end"][0].is_whole
    for name in ("a chunk", "half a record", "much", "much, sized", "half an end"):
        assert not any(reply.is_whole for reply in found[name]), name


def test_both_ends_at_once(target: Target) -> None:
    """The server's last bytes meet a client that has just disconnected."""

    def attack(number: int) -> None:
        connection = target.connect()
        with contextlib.suppress(OSError):
            connection.sendall(START + chunk(RECORD % number))
            connection.recv(1000)
            connection.sendall(b"zz\r\n")
            if number % 2:
                connection.shutdown(socket.SHUT_WR)
        reset(connection)

    target.at_once(attack, range(200))
    target.check_descriptors()


def test_connections_that_come_and_go(target: Target) -> None:
    def attack(_: int) -> None:
        for _ in range(25):
            reset(target.connect())

    target.at_once(attack, range(40))
    target.check_descriptors()
