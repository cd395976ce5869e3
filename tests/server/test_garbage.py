"""Ended streams free their memory at once, without the garbage collector."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import urllib.request
from pathlib import Path

import pytest

from server.http.body_protocol import BodyProtocol
from server.streams.core import CoreStreamHandler
from server.streams.engine import EngineStreamHandler
from server.streams.response_writer import ResponseWriter
from tests.server.raw import Cut, RawStream
from tests.servers import Server, StartServer, wait_until

pytestmark = pytest.mark.both_ways

RECORD = b'{"id":"1","data":"x"}\n'

PROCESSORS = '''
"""Count the objects that only the garbage collector can free, by type, while it is disabled."""

import gc
from collections import Counter

from forstcore import processor


@processor("garbage")
async def garbage(record: dict) -> dict:
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    found = Counter(type(each).__name__ for each in gc.garbage)
    gc.set_debug(0)
    gc.garbage.clear()
    gc.collect()
    return dict(found)
'''


def garbage(server: Server) -> dict[str, int]:
    request = urllib.request.Request(f"{server.url}/garbage", b"{}\n", method="POST")
    with urllib.request.urlopen(request, timeout=60) as response:
        found: dict[str, int] = json.loads(response.read())
        return found


def stream(server: Server, *pieces: bytes, path: str = "/streaming-process") -> None:
    """Have a stream of these pieces of HTTP, and read until it ends or is cut."""
    with RawStream((server.host, server.port), path) as request:
        request.send(RECORD)
        assert request.read_line()
        for piece in pieces:
            request.socket.sendall(piece)
        with contextlib.suppress(Cut):
            request.read_rest()


def abandon(server: Server) -> None:
    """Have a stream whose client closes the connection in the middle of a chunk."""
    with RawStream((server.host, server.port), "/streaming-process") as request:
        request.send(RECORD)
        assert request.read_line()
        request.socket.sendall(b"5\r\nab")
        request.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_streams_leave_nothing_to_the_garbage_collector(
    start_server: StartServer, tmp_path: Path
) -> None:
    module = tmp_path / "collecting.py"
    module.write_text(PROCESSORS)
    server = start_server("--processors", str(module))
    garbage(server)
    for _ in range(3):
        stream(server, b"0\r\n\r\n")
        stream(server, b"5\r\nnever\r\n0\r\n\r\n", path="/large-dataset-stream")
        stream(server, b"malformed\r\n")
        abandon(server)
    wait_until(lambda: not server.open_streams())
    left = garbage(server)
    kept = (CoreStreamHandler, EngineStreamHandler, BodyProtocol, ResponseWriter, memoryview)
    assert {each.__name__ for each in kept} & left.keys() == set()
