"""Misbehaving clients: disconnects, resets, invalid JSON, invalid HTTP."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import socket
import struct

from tests.server.raw import Cut, RawStream
from tests.soak.corpus import Batch
from tests.soak.load import Client, Load

__all__ = ["HOSTILE"]

FRAMES = {"Forst-Frames": "1"}


def leaver(load: Load, chance: random.Random) -> None:
    """Disconnect in the middle of an HTTP chunk, in one of several ways."""
    with load.open("/streaming-process", chance.choice((FRAMES, {}))) as request:
        batch = chance.choice(load.corpus)
        for _ in range(chance.randrange(3)):
            request.send(batch.lines)
            assert request.read_some()
        request.socket.sendall(b"ffff\r\n" + batch.lines[: chance.randrange(1000)])
        how = chance.choice(("close", "reset", "half close"))
        if how == "reset":
            _reset(request)
        elif how == "half close":
            request.socket.shutdown(socket.SHUT_WR)
            _until_it_ends(request)
    load.pause(chance.uniform(0.1, 0.5))


def vanisher(load: Load, chance: random.Random) -> None:
    """Send without reading until the server accepts no more, and disconnect."""
    with load.open("/streaming-process", receive_buffer=65536) as request:
        request.socket.settimeout(1)
        try:
            for batch in load.batches(chance, 300):
                request.send(batch.lines)
        except TimeoutError:
            load.pause(chance.uniform(0, 2))
        _reset(request)


def bad_records(load: Load, chance: random.Random) -> None:
    """Request error lines for invalid lines; each error must name its line."""
    batch = chance.choice(load.corpus)
    mode = chance.choice(("emit", "fail"))
    headers = {"Forst-On-Error": mode, **FRAMES}
    with load.open("/streaming-process", headers) as request:
        request.send_and_end(batch.lines)
        lines = request.read_rest().splitlines()
    came = [json.loads(line) for line in lines if not line.startswith(b":")]
    errors = [each["line"] for each in came if each["status"] == "error"]
    bad = _bad_lines(batch)
    assert errors == (bad if mode == "emit" else bad[:1])
    assert lines[-1].startswith(b":error " if mode == "fail" and bad else b":end ")
    load.pause(chance.uniform(0.1, 0.5))


def giant(load: Load, chance: random.Random) -> None:
    """Send a line that is too long, followed by a valid one."""
    with load.open("/streaming-process", {"Forst-On-Error": "emit"}) as request:
        with load.sending(lambda: _send_giant(load, chance, request)):
            error, result = request.read_rest().splitlines()
        assert json.loads(error)["code"] == "line_too_long", error
        assert result == b'{"id":"1","result":"processed_x","status":"success"}'
    load.pause(chance.uniform(1, 3))


def malformed(load: Load, chance: random.Random) -> None:
    """Send malformed HTTP chunks after valid ones."""
    with load.open("/streaming-process", FRAMES) as request:
        batch = chance.choice(load.corpus)
        request.send(batch.lines)
        assert request.read_some()
        request.socket.sendall(chance.choice((b"zz\r\n", b"-1\r\n", b"5\r\n{}{}{}{}\r\n")))
        _failed(request, "malformed_body")
    load.pause(chance.uniform(0.1, 0.5))


def bomb(load: Load, chance: random.Random) -> None:
    """Send a body that is small until it is decompressed."""
    body = gzip.compress(b"\n" * (40 << 20))
    with load.open("/streaming-process", {"Content-Encoding": "gzip", **FRAMES}) as request:
        request.send(body)
        _failed(request, "compression_ratio")
    load.pause(chance.uniform(2, 5))


def no_http(load: Load, chance: random.Random) -> None:
    """Send malformed requests, and requests that are refused."""
    head, status = chance.choice(
        (
            (b"NONSENSE\r\n\r\n", b"400"),
            (b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 9000, b"431"),
            (b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", b"404"),
            (b"PUT /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", b"405"),
            (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"403"),
        )
    )
    with socket.create_connection(load.address, 60) as connection:
        connection.sendall(head + (b"" if head.endswith(b"\n") else b"\r\n\r\n"))
        answer = connection.recv(4096)
        assert answer.split()[1] == status, answer
    load.pause(chance.uniform(0.05, 0.3))


def dawdler(load: Load, _chance: random.Random) -> None:
    """Send half a head and wait: the server must not wait for ever."""
    with socket.create_connection(load.address, 60) as connection:
        connection.sendall(b"POST /streaming-process HTTP/1.1\r\nHost: loc")
        while connection.recv(4096):
            pass


def _send_giant(load: Load, chance: random.Random, request: RawStream) -> None:
    for _ in range(chance.randrange(20, 60)):
        request.send(b"x" * (1 << 16))
    request.send_and_end(b'\n{"id":"1","data":"x"}\n')


def _bad_lines(batch: Batch) -> list[int]:
    bad = []
    for number, line in enumerate(batch.lines.splitlines(), 1):
        try:
            if not isinstance(json.loads(line), dict):
                bad.append(number)
        except ValueError:
            bad.append(number)
    return bad


def _failed(request: RawStream, code: str) -> None:
    """Read to the end, which must say that the stream failed and why."""
    last = request.read_rest().splitlines()[-1]
    assert last.startswith(b":error "), last
    assert json.loads(last.removeprefix(b":error "))["code"] == code, last


def _until_it_ends(request: RawStream) -> None:
    with contextlib.suppress(Cut):
        request.read_rest()


def _reset(request: RawStream) -> None:
    """End the connection with RST when it is closed."""
    request.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


HOSTILE: tuple[tuple[Client, int], ...] = (
    (leaver, 2),
    (vanisher, 1),
    (bad_records, 1),
    (giant, 1),
    (malformed, 1),
    (bomb, 1),
    (no_http, 1),
    (dawdler, 1),
)
