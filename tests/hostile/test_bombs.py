"""Decompression bombs: small bodies with too many bytes, members, or too large windows."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from backports import zstd

from tests.hostile.replies import Reply
from tests.hostile.target import RECORD, RESULT, Target, head

ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
LINES = b"\n" * (1 << 24)


def send(target: Target, coding: str, body: bytes, path: str = "streaming-process") -> Reply:
    """Send a body and return the one reply."""
    fields = (f"Content-Encoding: {coding}", f"Content-Length: {len(body)}", "Connection: close")
    start = f"POST /{path} HTTP/1.1"
    (reply,) = target.talk(head(*fields, "Forst-Frames: 1", start=start) + body)
    return reply


def code(reply: Reply) -> str:
    """Return why a stream ended."""
    last = reply.body.splitlines()[-1]
    assert last.startswith(b":error "), last[:200]
    return str(json.loads(last.removeprefix(b":error "))["code"])


@pytest.mark.parametrize("coding", ENCODE)
@pytest.mark.parametrize("path", ["streaming-process", "large-dataset-stream"])
def test_many_bombs_at_once(target: Target, coding: str, path: str) -> None:
    """Concatenated members from several clients: memory use is one piece for each client."""
    bomb = ENCODE[coding](LINES) * 2
    before = target.server.rss()
    replies = target.at_once(lambda _: send(target, coding, bomb, path), range(3))
    assert {code(reply) for reply in replies} == {"compression_ratio"}
    assert target.server.rss() - before < 32 << 20


@pytest.mark.parametrize("coding", ENCODE)
def test_members_with_nothing_in_them(target: Target, coding: str) -> None:
    """Empty members cost more than their size suggests: other streams get turns in between."""
    body = ENCODE[coding](b"") * 5_000 + ENCODE[coding](RECORD % 1)
    replies = target.at_once(lambda _: send(target, coding, body), range(2))
    for reply in replies:
        assert reply.body.startswith(RESULT % 1)
        assert b":end " in reply.body


@pytest.mark.parametrize("coding", ENCODE)
def test_one_line_without_end(target: Target, coding: str) -> None:
    bomb = ENCODE[coding](b'{"id":"' + b"x" * (1 << 26))
    assert code(send(target, coding, bomb)) == "compression_ratio"


def test_bombs_in_subscriptions(target: Target) -> None:
    wanted = gzip.compress(b'{"source":"' + b"x" * (1 << 26))
    (reply,) = target.talk(
        head(
            "Content-Encoding: gzip",
            f"Content-Length: {len(wanted)}",
            start="POST /real-time-process HTTP/1.1",
        )
        + wanted
    )
    assert reply.status == 413


def test_bombs_for_publishers(target: Target) -> None:
    reply = send(target, "gzip", gzip.compress(LINES) * 4, "sources/events")
    assert reply.status == 413
    assert "max_ratio" in reply.problem()["detail"]


@pytest.mark.parametrize(
    "name", ["gzip, gzip", "deflate, gzip", "gzip;q=1", "br", "compress", "*", "x" * 1000]
)
def test_codings_in_codings_are_refused(target: Target, name: str) -> None:
    assert send(target, name, gzip.compress(gzip.compress(LINES))).status == 415


def broken() -> dict[str, tuple[str, bytes]]:
    good = gzip.compress(RECORD % 1)
    with_dictionary = zlib.compressobj(zdict=b"forst")
    frame = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    large = frame.compress(LINES[:100]) + frame.flush()
    return {
        "a window of 128 MiB": ("zstd", large),
        "zstd, noise": ("zstd", b"\x28\xb5\x2f\xfd" + b"\xff" * 100),
        "zstd, another dictionary": (
            "zstd",
            b"\x28\xb5\x2f\xfd\x23\xff\xff\xff\xff\x00\x01\x00\x00",
        ),
        "a dictionary": ("deflate", with_dictionary.compress(RECORD % 1) + with_dictionary.flush()),
        "a sum that is wrong": ("gzip", good[:-8] + bytes(4) + good[-4:]),
        "a length that is wrong": ("gzip", good[:-4] + bytes(4)),
        "flags that are reserved": ("gzip", good[:3] + b"\xe0" + good[4:]),
        "a name without end": ("gzip", good[:3] + b"\x08" + good[4:10] + b"a" * 100_000),
        "noise behind it": ("gzip", good + b"noise"),
        "zeros behind it": ("gzip", good + bytes(100)),
        "zeros": ("gzip", bytes(1000)),
        "a gzip member in deflate": ("deflate", good),
        "a distance too far": ("deflate", b"\x03\x02\x00"),
        "no body": ("gzip", b"\x1f"),
    }


def test_broken_bodies_are_reported(target: Target) -> None:
    for name, (coding, body) in broken().items():
        reply = send(target, coding, body)
        assert code(reply) == "invalid_encoding", name
