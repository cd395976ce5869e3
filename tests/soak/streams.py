"""Clients that behave: fast and slow ones, compressed, half-duplex, of processors."""

from __future__ import annotations

import http.client
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from server.http.compression import CODINGS, encoder_for
from tests.oracle import Due
from tests.server.raw import RawStream
from tests.soak.load import Client, Load

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from backports import zstd

__all__ = ["STREAMS"]

_SMALL_BUFFER = 1 << 16  # Of a reader whose slowness is to reach the server.

_DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(15),
    "zstd": zstd.ZstdDecompressor,
}


def fast(load: Load, chance: random.Random) -> None:
    """Send as fast as it goes, and read as fast."""
    path = chance.choice(("/streaming-process", "/large-dataset-stream"))
    _exchange(load, chance, path, chance.randrange(50, 400))
    load.pause(chance.uniform(0.2, 1))


def pieces(load: Load, chance: random.Random) -> None:
    """Send pieces of any size, each as an HTTP chunk."""
    due = Due()
    with load.open("/streaming-process") as request:

        def send() -> None:
            for batch in load.batches(chance, 5):
                due.add(batch.results)
                place = 0
                while place < len(batch.lines):
                    size = chance.choice((1, 7, 100, 5000))
                    request.send(batch.lines[place : place + size])
                    place += size
            request.end()

        with load.sending(send):
            _read(request, due)
    due.check()
    load.pause(chance.uniform(0.2, 1))


def slow_reader(load: Load, chance: random.Random) -> None:
    """Read all the time, but slower than results come."""
    pause = chance.uniform(0.005, 0.02)
    _exchange(load, chance, "/streaming-process", 200, lambda: load.pause(pause))


def stopped_reader(load: Load, chance: random.Random) -> None:
    """Stop reading in the middle, for longer than the server takes for a stall."""
    stops = iter((0.0, chance.uniform(2, 5)))
    _exchange(
        load, chance, "/streaming-process", 400, lambda: load.pause(next(stops, 0.0))
    )  # fmt: skip


def half_duplex(load: Load, chance: random.Random) -> None:
    """Send everything before reading anything."""
    due = Due()

    def body() -> Iterator[bytes]:
        for batch in load.batches(chance, chance.randrange(300, 600)):
            due.add(batch.results)
            yield batch.lines

    connection = http.client.HTTPConnection(*load.address, timeout=60)
    try:
        connection.request("POST", "/streaming-process", body(), encode_chunked=True)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        while piece := response.read1(1 << 18):
            due.come(piece)
    finally:
        connection.close()
    due.check()
    load.pause(chance.uniform(1, 5))


def slow_sender(load: Load, chance: random.Random) -> None:
    """Send a record now and then, and wait for its result and its acknowledgement."""
    with load.open("/streaming-process", {"Forst-Frames": "1"}) as request:
        for number in range(1, chance.randrange(20, 200)):
            request.send(b'{"id":"%d","data":"alone"}\n' % number)
            due = b'{"id":"%d","result":"processed_alone","status":"success"}\n' % number
            _expect(request, due, number - 1)
            _expect(request, b":ack %d\n" % number, number - 1)
            if not load.pause(chance.uniform(0.02, 0.2)):
                break
        request.end()
        assert b"\n:end {" in b"\n" + request.read_rest()


def compressed(load: Load, chance: random.Random) -> None:
    """Compress both ways, with flushes."""
    coding = chance.choice(CODINGS)
    due = Due()
    headers = {"Content-Encoding": coding, "Accept-Encoding": coding}
    with load.open("/streaming-process", headers) as request:

        def send() -> None:
            encoder = encoder_for(coding)
            for batch in load.batches(chance, chance.randrange(10, 60)):
                due.add(batch.results)
                request.send(encoder.encode(batch.lines))
                load.pause(0.01)
            request.send(encoder.finish())
            request.end()

        with load.sending(send):
            assert request.read_head() == 200
            assert request.headers["content-encoding"] == coding
            decoder = _DECODERS[coding]()
            while piece := request.read_some():
                due.come(decoder.decompress(piece))
            assert decoder.eof
    due.check()
    load.pause(chance.uniform(0.2, 1))


def enrich(load: Load, chance: random.Random) -> None:
    """Stream through a processor that takes dicts."""
    _exchange(load, chance, "/enrich", chance.randrange(1, 30))
    load.pause(chance.uniform(0.2, 1))


def look_up(load: Load, chance: random.Random) -> None:
    """Stream through an async processor, which waits for each record."""
    _exchange(load, chance, "/look-up", 1)
    load.pause(chance.uniform(0.2, 1))


def _exchange(
    load: Load,
    chance: random.Random,
    path: str,
    count: int,
    before_reading: Callable[[], object] = bool,
) -> None:
    due = Due()
    member = {"/enrich": "enriched", "/look-up": "looked_up"}.get(path, "results")
    with load.open(path, receive_buffer=0 if before_reading is bool else _SMALL_BUFFER) as request:

        def send() -> None:
            for batch in load.batches(chance, count):
                due.add(getattr(batch, member))
                request.send(batch.lines)
            request.end()

        with load.sending(send):
            _read(request, due, before_reading)
    due.check()


def _read(request: RawStream, due: Due, before: Callable[[], object] = bool) -> None:
    assert request.read_head() == 200
    before()
    while piece := request.read_some():
        due.come(piece)
        before()


def _expect(request: RawStream, due: bytes, acked: int) -> None:
    """Read a line that is due; what was acknowledged before may come again as a heartbeat."""
    line = request.read_line()
    while line != due:
        assert line == b":ack %d\n" % acked, f"{line!r} came, {due!r} was due"
        line = request.read_line()


STREAMS: tuple[tuple[Client, int], ...] = (
    (fast, 2),
    (pieces, 1),
    (slow_reader, 2),
    (stopped_reader, 2),
    (half_duplex, 1),
    (slow_sender, 4),
    (compressed, 3),
    (enrich, 2),
    (look_up, 1),
)
