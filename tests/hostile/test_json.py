"""Lines, subscriptions and filters that are almost JSON, or too large."""

from __future__ import annotations

import json

import pytest

from tests.hostile.target import RESULT, Target, head

DEEP = 100_000
LINES: dict[str, bytes] = {
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in a member": b'{"id":"1","x":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep, cut": b'{"id":"1","x":' + b"[" * DEEP,
    "deep id": b'{"id":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "long number": b'{"id":' + b"9" * 900_000 + b"}",
    "long number beside": b'{"id":"1","data":"x","n":' + b"9" * 900_000 + b"}",
    "long exponent": b'{"id":1e' + b"9" * 900_000 + b"}",
    "no string": b'{"id":"' + b"x" * 900_000,
    "lone surrogate": b'{"id":"\\ud800"}',
    "surrogates the wrong way": b'{"id":"\\udc00\\ud800"}',
    "no UTF-8": b'{"id":"\xff\xfe"}',
    "overlong": b'{"id":"\xc0\xaf"}',
    "surrogate as bytes": b'{"id":"\xed\xa0\x80"}',
    "NUL": b'{"id":"\x00"}',
    "control characters": b'{"id":"\x1b[2J"}',
    "a control line": b":end {}",
    "NaN": b'{"id":NaN}',
    "two values": b"{}{}",
    "comment": b'{"id":"1"}//',
    "single quotes": b"{'id':'1'}",
}
TAKEN: dict[str, bytes] = {
    "long key": b'{"' + b"k" * 900_000 + b'":0,"id":"1","data":"x"}',
    "many keys": b'{"id":"1",' + b'"a":0,' * 100_000 + b'"data":"x"}',
    "many of one key": b'{"id":"2",' * 1 + b'"id":"2",' * 50_000 + b'"id":"1","data":"x"}',
    "escaped keys": b'{"\\u0069\\u0064":"1","\\u0064ata":"x"}',
    "prototype": b'{"__proto__":{"id":"2"},"constructor":0,"id":"1","data":"x"}',
    "white space": b'{"id":"1",' + b" \t\r" * 200_000 + b'"data":"x"}',
}


@pytest.mark.parametrize("path", ["streaming-process", "large-dataset-stream"])
def test_lines(target: Target, path: str) -> None:
    """Each is a separate error, and the stream continues after it."""
    body = b"".join(line + b"\n" for line in [*LINES.values(), *TAKEN.values()])
    start = f"POST /{path} HTTP/1.1"
    fields = ("Forst-On-Error: emit", f"Content-Length: {len(body)}", "Connection: close")
    (reply,) = target.talk(head(*fields, start=start) + body)
    assert reply.is_whole
    errors: list[bytes] = []
    results: list[bytes] = []
    for line in reply.body.splitlines(keepends=True):
        (errors if b'"status":"error"' in line else results).append(line)
    assert len(errors) == len(LINES)
    assert all(json.loads(line)["code"] for line in errors)
    assert results == [RESULT % 1] * len(TAKEN)


SUBSCRIPTIONS: dict[str, bytes] = {
    "deep": b'{"source":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep filters": b'{"source":"events","filters":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "less deep filters": b'{"source":"events","filters":' + b'{"a":' * 900 + b"1" + b"}" * 901,
    "long number": b'{"source":"events","from":' + b"9" * 100_000 + b"}",
    "long number in filters": b'{"source":"events","filters":{"a":[' + b"9" * 100_000 + b"]}}",
    "no UTF-8": b'{"source":"\xff"}',
    "UTF-16": '{"source":"events"}'.encode("utf-16"),
    "surrogate": b'{"source":"\\ud800"}',
    "path": b'{"source":"../../etc/passwd"}',
    "URL": b'{"source":"file:/etc/passwd"}',
    "other URL": b'{"source":"redis://169.254.169.254/"}',
    "long name": b'{"source":"' + b"x" * 1_000_000 + b'"}',
    "too long": b'{"source":"' + b"x" * 2_000_000 + b'"}',
    "processor": b'{"source":"events","processor":"os.system"}',
    "offset": b'{"source":"events","from":"../../etc/passwd"}',
    "offset with a long number": b'{"source":"events","from":"00000000-' + b"9" * 10_000 + b'"}',
    "markup": b'{"source":"<script>alert(1)</script>"}',
    "list": b"[]",
    "nothing": b"",
    "many members": b"{" + b'"a":1,' * 100_000 + b'"source":"events"}',
}


def test_subscriptions(target: Target) -> None:
    start = "POST /real-time-process HTTP/1.1"
    attacks = {
        name: head(f"Content-Length: {len(wanted)}", start=start) + wanted
        for name, wanted in SUBSCRIPTIONS.items()
    }
    for name, (reply,) in target.talk_all(attacks).items():
        assert reply.status in (400, 404, 413), name
        reply.problem()
        assert len(reply.body) < 5_000, name


FILTERS = [
    *("[" * 4000, '{"a":' * 1500, '{"a":"' + "x" * 8000, "1" * 5000, '{"a":[' + "9" * 5000 + "]}"),
    *("{}{}", "[]", "null", "NaN", '{"a":NaN}', '{"a":[]}', '{"":[""]}', '{"a":[{"b":[]}]}'),
    '{"a":[' + '"b",' * 1500 + '"c"]}',
]


def test_filters(target: Target) -> None:
    body = b'{"id":"1","data":"x"}\n'
    size = f"Content-Length: {len(body)}"
    attacks = {
        text: head(size, f"Forst-Filter: {text}", "Connection: close") + body for text in FILTERS
    }
    for text, (reply,) in target.talk_all(attacks).items():
        assert reply.status in (200, 400, 431), text
        assert reply.body in (b"", RESULT % 1) or reply.problem(), text
