"""Invalid chunked bodies: the server stops reading them, and its memory does not grow."""

from __future__ import annotations

import os
import random

import pytest

from tests.hostile.target import RECORD, RESULT, Target, head
from tests.server.raw import chunk

pytestmark = pytest.mark.both_ways

START = head("Transfer-Encoding: chunked", "Forst-Frames: 1")
FIRST = chunk(RECORD % 1)
NEXT = chunk(RECORD % 2) + b"0\r\n\r\n"
BEHIND = head("Content-Length: 17", start="POST /sources/events HTTP/1.1") + b'{"id":"smuggled"}'

MALFORMED: dict[str, bytes] = {
    "no size": b"\r\n" + NEXT,
    "no hex": b"g\r\nx\r\n" + NEXT,
    "minus": b"-1\r\nx\r\n" + NEXT,
    "minus nothing": b"-0\r\n\r\n",
    "plus": b"+1\r\nx\r\n" + NEXT,
    "0x": b"0x1\r\nx\r\n" + NEXT,
    "point": b"1.0\r\nx\r\n" + NEXT,
    "underscore": b"1_0\r\n" + b"x" * 16 + b"\r\n" + NEXT,
    "other digits": "\u0661\r\nx\r\n".encode() + NEXT,
    "space before": b" 1\r\nx\r\n" + NEXT,
    "space behind": b"1 \r\nx\r\n" + NEXT,
    "tab behind": b"1\t\r\nx\r\n" + NEXT,
    "space before the extension": b"1 ;a\r\nx\r\n" + NEXT,
    "16 digits": b"f" * 16 + b"\r\nx",
    "17 digits that overflow": b"10000000000000001\r\nx\r\n" + NEXT,
    "1000 digits": b"f" * 1000 + b"\r\nx",
    "LF": b"1\nx\r\n" + NEXT,
    "CR": b"1\rx\r\n" + NEXT,
    "CR CR LF": b"1\r\r\nx\r\n" + NEXT,
    "LF behind the data": b"1\r\nx\n" + NEXT,
    "nothing behind the data": b"1\r\nx" + NEXT,
    "data that are too long": b"1\r\nxy\r\n" + NEXT,
    "data that are too short": b"2\r\nx\r\n" + NEXT,
    "NUL in the size": b"1\x00\r\nx\r\n" + NEXT,
    "NUL in the extension": b"1;a\x00\r\nx\r\n" + NEXT,
    "LF in the extension": b"1;a\nx\r\nx\r\n" + NEXT,
    "CR in the extension": b"1;a\rb\r\nx\r\n" + NEXT,
    "DEL in the extension": b"1;a\x7f\r\nx\r\n" + NEXT,
    "a quote that is not closed": b'1;a="b\r\nx\r\n' + NEXT,
    "a trailer without a colon": b"0\r\na\r\n\r\n",
    "a trailer that is folded": b"0\r\na: b\r\n c\r\n\r\n",
    "a trailer with LF": b"0\r\na: b\n\r\n",
    "a trailer with NUL": b"0\r\na: \x00\r\n\r\n",
    "a trailer with a space": b"0\r\na : b\r\n\r\n",
    "a length as a trailer": b"0\r\ncontent-Length: 5\r\n\r\n",
    "a coding as a trailer": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a request for a trailer": b"0\r\n" + BEHIND,
    "a flood of trailers": b"0\r\n" + b"a: b\r\n" * 100_000 + b"\r\n",
    "a long trailer": b"0\r\na: " + b"b" * 1_000_000 + b"\r\n\r\n",
    "noise": os.urandom(10_000),
    "a head": BEHIND,
}


def test_malformed_chunks_end_the_stream(target: Target) -> None:
    """Bytes after the damage are neither data nor a request."""
    before = target.published()
    attacks: dict[str, list[bytes]] = {}
    for name, damage in MALFORMED.items():
        attacks[name] = [START, FIRST, damage + BEHIND]
        attacks[f"{name}, at once"] = [START + FIRST + damage + BEHIND]
    for name, replies in target.talk_all(attacks, half_close=True).items():
        # A parser that fails at once has reported no request: then there is a problem alone.
        statuses = [reply.status for reply in replies]
        assert statuses in ([200], [400], [431], []), name
        for reply in replies:
            assert b":end " not in reply.body, name
            # llhttp waits for a chunk of 16 digits, which are the most that there can be.
            assert not reply.is_whole or b"malformed" in reply.body or reply.status == 431, name
    assert target.published() == before + 1


def test_a_size_with_a_flood_of_zeros(target: Target) -> None:
    record = RECORD % 1
    flood = b"0" * 1_000_000
    size = b"%x\r\n" % len(record)
    (reply,) = target.talk(START + flood + size + record + b"\r\n" + flood + b"\r\n\r\n")
    # llhttp skips leading zeros; the body protocol accepts 15 digits.
    assert reply.status == 200
    assert b":end " in reply.body or b"malformed_body" in reply.body


def test_bytes_as_chunks(target: Target) -> None:
    """The most expensive way to send a record, from many clients at once."""
    body = b"".join(b"1;a=b\r\n%c\r\n" % byte for byte in (RECORD % 1) * 1000)
    attack = head("Transfer-Encoding: chunked", "Connection: close") + body + b"0\r\n\r\n"
    for (reply,) in target.at_once(lambda _: target.talk(attack), range(4)):
        assert reply.body == RESULT % 1 * 1000


def test_damage_in_any_place(target: Target) -> None:
    """Bodies with a few changed bytes give results of that body, or an error, and nothing else."""
    chance = random.Random(4711)
    whole = FIRST + b"5;a=b\r\n \n \n \r\n" + chunk(RECORD % 2) + b"0\r\nA: b\r\n\r\n"
    attacks: dict[str, list[bytes]] = {}
    for number in range(200):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.choice(
                b'\r\n;: \t0159afgG\x00\x7f"-+x'
            )
        attacks[f"{number}: {bytes(damaged)!r}"] = [START, bytes(damaged)]
    for name, replies in target.talk_all(attacks, half_close=True).items():
        assert [reply.status for reply in replies] in ([200], [400], []), name
        for line in b"".join(reply.body for reply in replies).splitlines(keepends=True):
            # A change within a record makes another record, or an invalid line.
            start = (b'{"id":"', b":ack ", b":end ", b":error ", b'{"title": "Bad Request"')
            assert line.startswith(start), name
