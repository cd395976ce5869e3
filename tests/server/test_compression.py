"""Content codings in both directions, over real sockets."""

from __future__ import annotations

import gzip
import itertools
import os
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from server.http.compression import CODINGS, decoder_for, negotiate
from tests.server.raw import RawStream
from tests.servers import ROOT, Server, StartServer

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from backports import zstd

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
DECODER: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(15),
    "zstd": zstd.ZstdDecompressor,
}


def stream(server: Server, **headers: str) -> RawStream:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawStream((server.host, server.port), headers=named)


def test_each_coding_is_known_in_both_directions() -> None:
    for coding in CODINGS:
        assert decoder_for(coding, 200) is not None
        assert coding in ENCODE
        assert coding in DECODER
        for page in ("docs/server.md", "docs/reference/wire.md"):
            assert coding in (ROOT / page).read_text(), page


@pytest.mark.parametrize("coding", ENCODE)
@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_bodies_are_decoded(server: Server, coding: str, size: int) -> None:
    body = b"".join(RECORD % number for number in range(500))
    encoded = ENCODE[coding](body)
    with stream(server, Content_Encoding=coding) as request:
        for start in range(0, len(encoded), size):
            request.send(encoded[start : start + size])
        request.end()
        assert request.read_rest() == b"".join(RESULT % number for number in range(500))


def test_raw_deflate_is_taken_too(server: Server) -> None:
    with stream(server, Content_Encoding="deflate") as request:
        request.send(raw_deflate(RECORD % 1))
        request.end()
        assert request.read_rest() == RESULT % 1


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_members_may_follow_each_other(server: Server, coding: str) -> None:
    encode = ENCODE[coding]
    with stream(server, Content_Encoding=coding) as request:
        request.send(encode(RECORD % 1 + b'{"id":"2",') + encode(b'"data":"x"}\n'))
        request.end()
        assert request.read_rest() == RESULT % 1 + RESULT % 2


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [100_000, 1 << 17, 1 << 20])
def test_members_may_be_larger_than_what_is_decoded_at_once(coding: str, size: int) -> None:
    body = b"".join(RECORD % number for number in range(200_000))
    encoded = ENCODE[coding](body) * 2 + ENCODE[coding](b"")
    decoder = decoder_for(coding, 200)
    assert decoder is not None
    decoded = b"".join(
        piece
        for start in range(0, len(encoded), size)
        for piece in itertools.islice(decoder.decode(encoded[start : start + size]), 1000)
    )
    decoder.finish()
    assert decoded == body * 2


@pytest.mark.parametrize("coding", CODINGS)
def test_a_lone_record_comes_back_at_once_both_ways_compressed(server: Server, coding: str) -> None:
    if coding == "zstd":
        compressor: Any = zstd.ZstdCompressor()

        def flushed(data: bytes) -> bytes:
            return bytes(compressor.compress(data, mode=compressor.FLUSH_BLOCK))
    else:
        compressor = zlib.compressobj(wbits=31 if coding == "gzip" else 15)

        def flushed(data: bytes) -> bytes:
            return bytes(compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))

    decoder = DECODER[coding]()
    with stream(server, Content_Encoding=coding, Accept_Encoding=coding) as request:
        for number in range(5):
            request.send(flushed(RECORD % number))
            got = b""
            while got != RESULT % number:
                got += decoder.decompress(request.read_some())
        assert request.headers["content-encoding"] == coding
        assert request.headers["vary"] == "Accept-Encoding"
        request.send(compressor.flush())
        request.end()
        decoder.decompress(request.read_rest())
        # One member or frame for the whole response, and nothing behind it.
        assert decoder.eof
        assert decoder.unused_data == b""


@pytest.mark.parametrize("coding", CODINGS)
def test_large_responses_are_right(server: Server, coding: str) -> None:
    body = b"".join(RECORD % number for number in range(100_000))
    with stream(server, Accept_Encoding=coding, Forst_Frames="1") as request:
        sender = threading.Thread(target=request.send_and_end, args=(body,))
        sender.start()
        encoded = request.read_rest()
        sender.join()
    lines = DECODER[coding]().decompress(encoded).splitlines(keepends=True)
    results = [line for line in lines if not line.startswith(b":")]
    assert results == [RESULT % number for number in range(100_000)]
    assert lines[-1].startswith(b":end ")
    assert len(encoded) < len(b"".join(lines)) / 5


def test_no_compression_is_an_option(start_server: StartServer) -> None:
    server = start_server("--no-compression")
    with stream(server, Accept_Encoding="gzip") as request:
        request.send(RECORD % 1)
        request.end()
        assert request.read_rest() == RESULT % 1
        assert "content-encoding" not in request.headers


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZip", "gzip"),
        ("deflate", "deflate"),
        ("zstd, gzip, deflate", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip; q=0.000", None),
        ("gzip;q=0, deflate;q=0.1", "deflate"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *", "gzip"),
        ("br", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip;q=nonsense", None),
        (";;,,=", None),
    ],
)
def test_negotiation(header: str, coding: str | None) -> None:
    assert negotiate(header) == coding


def test_an_unknown_coding_is_refused_with_those_there_are(server: Server) -> None:
    with stream(server, Content_Encoding="br") as request:
        assert request.read_head() == 415
        assert request.headers["accept-encoding"] == ", ".join(CODINGS)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("damage", ["cut", "flipped", "junk"])
def test_broken_data_ends_the_stream(server: Server, coding: str, damage: str) -> None:
    encoded = bytearray(ENCODE[coding](b"".join(RECORD % n for n in range(2000))))
    if damage == "cut":
        del encoded[-9:]
    elif damage == "flipped":
        encoded[len(encoded) // 2] ^= 0xFF
        encoded[-5] ^= 0xFF
    else:
        encoded[:] = b"\x07junk" * 100
    with stream(server, Content_Encoding=coding, Forst_Frames="1") as request:
        request.send(bytes(encoded))
        request.end()
        last = request.read_rest().splitlines()[-1]
    assert last.startswith(b":error ")
    assert b"invalid_encoding" in last


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_stopped_in_little_memory(server: Server, coding: str) -> None:
    # Blank lines exceed no other limit than the compression ratio.
    bomb = ENCODE[coding](b"\n" * (1 << 27))
    before = server.rss()
    with stream(server, Content_Encoding=coding, Forst_Frames="1") as request:
        request.send(bomb)
        request.end()
        last = request.read_rest().splitlines()[-1]
    assert b'"code": "compression_ratio"' in last
    assert b"max_ratio" in last
    assert server.rss() - before < 30 << 20


def test_a_body_that_does_not_compress_much_may_be_large(server: Server) -> None:
    line = b'{"id":"1","data":"%b"}\n'
    body = b"".join(line % os.urandom(500).hex().encode() for _ in range(25_000))
    assert len(body) > 1 << 24
    with stream(server, Content_Encoding="gzip") as request:
        encoded = gzip.compress(body, 1)
        sender = threading.Thread(target=request.send_and_end, args=(encoded,))
        sender.start()
        assert request.read_rest().count(b"\n") == 25_000
        sender.join()
