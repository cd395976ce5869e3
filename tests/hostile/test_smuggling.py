"""Requests whose end a proxy may see elsewhere: the bytes after it are never processed.

Each attack carries a second request that publishes a record. Where a strict reader sees one
request, or none, the source in memory must not have grown.
"""

from __future__ import annotations

import re

import pytest

from tests.hostile.target import RECORD, RESULT, Target, head
from tests.server.raw import chunk

pytestmark = pytest.mark.both_ways

PUBLISH = head("Content-Length: 17", start="POST /sources/events HTTP/1.1") + b'{"id":"smuggled"}'
VERSION = head(start="GET /version HTTP/1.1")
END = b"0\r\n\r\n"

# Headers that frame the body, in notations that some parsers read differently.
REFUSED: dict[str, bytes] = {
    "CL.TE": b"Content-Length: 6\r\nTransfer-Encoding: chunked",
    "TE.CL": b"Transfer-Encoding: chunked\r\nContent-Length: 6",
    "TE.CL, empty": b"Transfer-Encoding: chunked\r\nContent-Length: 0",
    "TE.TE": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "TE.TE, identity behind": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "TE.TE, unknown before": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "TE twice in one": b"Transfer-Encoding: chunked, chunked",
    "TE identity": b"Transfer-Encoding: identity",
    "TE identity before": b"Transfer-Encoding: identity, chunked",
    "TE identity behind": b"Transfer-Encoding: chunked, identity",
    "TE gzip before": b"Transfer-Encoding: gzip, chunked",
    "TE unknown": b"Transfer-Encoding: cow",
    "TE part of a word": b"Transfer-Encoding: xchunked",
    "TE quoted": b'Transfer-Encoding: "chunked"',
    "TE with a parameter": b"Transfer-Encoding: chunked;a=b",
    "TE with a comma before": b"Transfer-Encoding: , chunked",
    "TE with a comma behind": b"Transfer-Encoding: chunked,",
    "TE empty": b"Transfer-Encoding:",
    "TE with a vertical tab": b"Transfer-Encoding:\x0bchunked",
    "TE with NUL": b"Transfer-Encoding: chunked\x00",
    "TE in other letters": "Transfer-Encoding: chun\u212aed".encode(),
    "TE, space before the colon": b"Transfer-Encoding : chunked",
    "TE, tab before the colon": b"Transfer-Encoding\t: chunked",
    "TE, space before the name": b" Transfer-Encoding: chunked",
    "TE folded": b"Transfer-Encoding:\r\n chunked",
    "TE folded with a tab": b"Transfer-Encoding: chunked\r\n\t, identity",
    "TE behind a bare LF": b"X-A: b\nTransfer-Encoding: chunked",
    "TE behind a bare CR": b"X-A: b\rTransfer-Encoding: chunked",
    "TE behind NUL": b"X-A: b\x00\r\nTransfer-Encoding: chunked",
    "TE without a colon": b"Transfer-Encoding chunked",
    "CL twice": b"Content-Length: 6\r\nContent-Length: 6",
    "CL twice, others": b"Content-Length: 6\r\nContent-Length: 300",
    "CL as a list": b"Content-Length: 6, 6",
    "CL as a list of others": b"Content-Length: 6, 300",
    "CL with a plus": b"Content-Length: +6",
    "CL with a minus": b"Content-Length: -6",
    "CL minus nothing": b"Content-Length: -0",
    "CL with a space in it": b"Content-Length: 6 0",
    "CL hexadecimal": b"Content-Length: 0x6",
    "CL with an underscore": b"Content-Length: 1_0",
    "CL with a point": b"Content-Length: 6.0",
    "CL with an exponent": b"Content-Length: 6e1",
    "CL in other digits": "Content-Length: \u0666".encode(),
    "CL empty": b"Content-Length:",
    "CL too large": b"Content-Length: 18446744073709551622",
    "CL far too large": b"Content-Length: " + b"9" * 1000,
    "CL folded": b"Content-Length:\r\n 6",
    "CL, space before the colon": b"Content-Length : 6",
}


def test_unclear_lengths_are_refused(target: Target) -> None:
    """Nothing after such a head is interpreted as a request, however it is split."""
    before = target.published()
    attacks: dict[str, list[bytes]] = {}
    for name, fields in REFUSED.items():
        start = head(fields)
        # Six bytes are a chunk's size, its LF left out, so that both readings are open.
        body = END + PUBLISH
        attacks[f"{name}, at once"] = [start + body]
        attacks[f"{name}, head alone"] = [start, body]
        attacks[f"{name}, behind another"] = [VERSION + start + chunk(RECORD % 1) + body]
    for name, replies in target.talk_all(attacks).items():
        # aiohttp reports an error immediately, instead of the requests in the same piece.
        *others, last = replies
        assert last.status in (400, 501), name
        assert {reply.status for reply in others} <= {200}, name
        last.problem()
    assert target.published() == before + 1


def test_the_ways_to_write_a_length_that_all_read_alike(target: Target) -> None:
    record = RECORD % 1
    size = len(record)
    body = chunk(record) + END
    attacks = {
        "TE": head("Transfer-Encoding: chunked") + body,
        "TE in capitals": head("TRANSFER-ENCODING: CHUNKED") + body,
        "TE behind a tab": head("Transfer-Encoding:\tchunked") + body,
        "TE like, but none": head("Transfer_Encoding: chunked", f"Content-Length: {size}") + record,
        "CL": head(f"Content-Length: {size}") + record,
        "CL with zeros": head(f"Content-Length: 000{size}") + record,
        "CL between white space": head(f"Content-Length: \t{size} ") + record,
    }
    for name, (first, second) in target.talk_all(
        {name: attack + VERSION for name, attack in attacks.items()}
    ).items():
        assert (first.status, first.body, first.is_whole) == (200, RESULT % 1, True), name
        assert second.status == 200, name


def test_a_request_within_a_body_is_a_body(target: Target) -> None:
    before = target.published()
    attacks: dict[str, list[bytes]] = {}
    for path in ("streaming-process", "large-dataset-stream", "healthz", "nowhere"):
        start = f"POST /{path} HTTP/1.1"
        framed = chunk(b"\r\n\r\n" + PUBLISH) + chunk(PUBLISH) + END
        sized = head(f"Content-Length: {len(PUBLISH)}", start=start)
        chunked = head("Transfer-Encoding: chunked", start=start)
        attacks[f"{path}, sized"] = [sized + PUBLISH]
        attacks[f"{path}, sized, head alone"] = [sized, PUBLISH]
        attacks[f"{path}, chunked"] = [chunked + framed]
        attacks[f"{path}, chunked, head alone"] = [chunked, framed]
        attacks[f"{path}, chunked, in pieces"] = [chunked, *_pieces(framed, 20)]
        attacks[f"{path}, behind others"] = [VERSION * 40 + chunked, *_pieces(framed, 50)]
        # The server does not wait for the body of a refused request, and does not process it.
        refused = head("Origin: https://x.test", "Transfer-Encoding: chunked", start=start)
        attacks[f"{path}, refused"] = [refused, *_pieces(framed, 20)]
    for name, replies in target.talk_all(attacks).items():
        assert len(replies) == (41 if "others" in name else 1), name
    assert target.published() == before + 1


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[place : place + size] for place in range(0, len(data), size)]


@pytest.mark.parametrize("kind", ["h2c", "websocket", "TLS/1.0", "tcp"])
def test_nothing_is_run_behind_an_upgrade(target: Target, kind: str) -> None:
    """aiohttp's parser drops bytes received together with it: later ones start mid-request."""

    before = target.published()
    fields = ["Connection: Upgrade, HTTP2-Settings", f"Upgrade: {kind}", "HTTP2-Settings: AAMAAAB"]
    get = head(*fields, start="GET /healthz HTTP/1.1")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    handshake = head(*fields, key, "Sec-WebSocket-Version: 13", start="GET /healthz HTTP/1.1")
    sized = head(*fields, f"Content-Length: {len(PUBLISH)}")
    chunked = head(*fields, "Transfer-Encoding: chunked")
    trap = head(f"Content-Length: {len(PUBLISH)}")
    attacks = {
        "GET": [get + trap, PUBLISH],
        "GET, alone": [get, trap, PUBLISH],
        "handshake": [handshake + trap, PUBLISH],
        "behind another": [VERSION + get + trap, PUBLISH],
        "sized": [sized + PUBLISH + trap, PUBLISH],
        "sized, head alone": [sized, PUBLISH, trap + PUBLISH],
        "chunked": [chunked + chunk(PUBLISH) + END + trap, PUBLISH],
        "chunked, head alone": [chunked, chunk(PUBLISH) + END + trap, PUBLISH],
        "chunked, in pieces": [chunked, *_pieces(chunk(PUBLISH) + END + trap, 20), PUBLISH],
    }
    for name, replies in target.talk_all(attacks).items():
        assert len(replies) == (2 if "another" in name else 1), name
        assert replies[-1].status == 200, name
        assert replies[-1].is_whole, name
    assert target.published() == before + 1


def test_a_client_that_could_speak_http_2_is_served(target: Target) -> None:
    # As Java's does, which offers that with its first request.
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAAB")
    start = head(*fields, "Transfer-Encoding: chunked")
    replies = target.talk(start, chunk(RECORD % 1), chunk(RECORD % 2), END)
    assert [(reply.status, reply.body) for reply in replies] == [(200, RESULT % 1 + RESULT % 2)]


@pytest.mark.parametrize("version", ["1.0", "0.9"])
@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_old_http_has_no_chunks(target: Target, version: str, connection: str) -> None:
    before = target.published()
    fields = (f"Connection: {connection}", "Transfer-Encoding: chunked")
    attacks = {
        path: head(*fields, start=f"POST /{path} HTTP/{version}") + chunk(PUBLISH) + END + PUBLISH
        for path in ("streaming-process", "real-time-process", "sources/events", "healthz")
    }
    for path, replies in target.talk_all(attacks).items():
        assert [reply.status for reply in replies] in ([400], [505]), path
    assert target.published() == before + 1


def test_the_body_of_a_request_that_was_refused_is_not_run(target: Target) -> None:
    before = target.published()
    sized = f"Content-Length: {len(PUBLISH)}"
    last = {
        "host": head(sized).replace(b"localhost", b"x.test"),
        "origin": head("Origin: https://x.test", sized),
        "expectation": head("Expect: magic", sized),
        "record": head("Forst-On-Error: fail", sized),
    }
    # The next request begins after `Content-Length` bytes.
    others = {
        "form": head("Content-Type: multipart/form-data", sized),
        "coding": head("Content-Encoding: br", sized),
        "path": head(sized, start="POST /nowhere HTTP/1.1"),
        "method": head(sized, start="PUT /streaming-process HTTP/1.1"),
        "option": head("Forst-On-Error: never", sized),
    }
    pipelined = {name: start + PUBLISH + PUBLISH for name, start in last.items()}
    waiting = {f"{name}, waiting": start + PUBLISH for name, start in {**last, **others}.items()}
    for name, replies in target.talk_all({**pipelined, **waiting}).items():
        assert len(replies) == 1, name
        assert not re.search(rb"^HTTP", replies[0].body, re.MULTILINE), name
    assert target.published() == before + 1
