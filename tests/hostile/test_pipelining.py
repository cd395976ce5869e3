"""Pipelined requests: answered in order, or none after the first."""

from __future__ import annotations

import json

import pytest

from tests.hostile.replies import replies_in
from tests.hostile.target import RECORD, RESULT, Target, head
from tests.server.raw import chunk

pytestmark = pytest.mark.both_ways

GET = head(start="GET /version HTTP/1.1")
STREAM = head("Transfer-Encoding: chunked") + chunk(RECORD % 1) + b"0\r\n\r\n"
SIZED = head(f"Content-Length: {len(RECORD % 2)}") + RECORD % 2
LAST = head("Connection: close", start="GET /healthz HTTP/1.1")


@pytest.mark.parametrize("count", [1000, 3000])
def test_a_flood_of_requests_in_one_piece(target: Target, count: int) -> None:
    """Neither the stack nor the queue of waiting requests grows with their number."""
    with target.connect() as connection:
        target.at_once(lambda part: part(), [
            lambda: connection.sendall(GET * count + LAST),
            lambda: check(target.rest_of(connection), count),
        ])  # fmt: skip


def check(data: bytes, count: int) -> None:
    *replies, last = replies_in(data)
    assert len(replies) == count
    assert {reply.status for reply in replies} == {200}
    assert all(json.loads(reply.body)["scan_path"] for reply in replies)
    assert last.body == b'{"status": "ok"}'


def test_a_flood_of_streams_in_one_piece(target: Target) -> None:
    *replies, last = target.talk((STREAM + SIZED + GET) * 100 + LAST)
    assert len(replies) == 300
    for place in range(0, 300, 3):
        first, second, third = replies[place : place + 3]
        assert (first.body, second.body) == (RESULT % 1, RESULT % 2)
        assert json.loads(third.body)["scan_path"]
    assert last.body == b'{"status": "ok"}'


@pytest.mark.parametrize("count", [31, 32, 33, 64])
def test_a_body_behind_a_full_queue(target: Target, count: int) -> None:
    """aiohttp's parser stops at 32 waiting requests; later heads are not parsed yet."""
    start = head("Transfer-Encoding: chunked")
    body = chunk(RECORD % 1) + chunk(b"\r\n\r\n") + chunk(RECORD % 2) + b"0\r\n\r\n"
    for pieces in (
        (GET * count + start + body + LAST,),
        (GET * count + start, body + LAST),
        (GET * count, start, body, LAST),
        (GET * count + start, body[:30], body[30:] + LAST),
    ):
        *replies, stream, last = target.talk(*pieces)
        assert len(replies) == count
        assert stream.body == RESULT % 1 + RESULT % 2
        assert last.body == b'{"status": "ok"}'


def test_requests_behind_a_stream_wait_for_its_end(target: Target) -> None:
    start = head("Transfer-Encoding: chunked")
    pieces = [start + chunk(RECORD % 1), chunk(RECORD % 2), b"0\r\n\r\n" + GET * 3 + SIZED + LAST]
    stream, *gets, sized, last = target.talk(*pieces)
    assert stream.body == RESULT % 1 + RESULT % 2
    assert [reply.status for reply in gets] == [200] * 3
    assert sized.body == RESULT % 2
    assert last.body == b'{"status": "ok"}'


def test_requests_behind_a_failed_one_are_not_run(target: Target) -> None:
    publish = head("Content-Length: 17", start="POST /sources/events HTTP/1.1")
    publish += b'{"id":"smuggled"}'
    before = target.published()
    failing = {
        "record": head("Transfer-Encoding: chunked", "Forst-On-Error: fail")
        + chunk(b"junk\n")
        + b"0\r\n\r\n",
        "sized": head("Content-Length: 5", "Forst-On-Error: fail") + b"junk\n",
        "chunks": head("Transfer-Encoding: chunked") + b"zz\r\n",
        "coding": head("Content-Length: 5", "Content-Encoding: gzip") + b"junk\n",
        "origin": head("Content-Length: 5", "Origin: https://other.test") + b"junk\n",
        "head": b"junk\r\n\r\n",
    }
    attacks = {name: first + publish * 3 for name, first in failing.items()}
    for name, replies in target.talk_all(attacks).items():
        assert len(replies) == 1, name
    attacks = {name: GET + first + publish * 3 for name, first in failing.items()}
    for name, replies in target.talk_all(attacks).items():
        assert len(replies) in (1, 2), name
    assert target.published() == before + 1
