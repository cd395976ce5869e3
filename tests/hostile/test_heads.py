"""Invalid and oversized heads; methods and expectations."""

from __future__ import annotations

import json
import os
import string
import time

from tests.hostile.replies import replies_in
from tests.hostile.target import Target, head


def get(*fields: str | bytes, target: str = "/version") -> bytes:
    return head("Connection: close", *fields, start=f"GET {target} HTTP/1.1")


def test_floods_of_fields(target: Target) -> None:
    attacks = {
        "many": (get(*["A: b"] * 129), 400),
        "very many": (get(*["A: b"] * 100_000), 400),
        "many names": (get(*[f"A{number}: b" for number in range(5000)]), 400),
        "empty": (get(*["A:"] * 5000), 400),
        "long": (get("A: " + "b" * 10_000), 431),
        "very long": (get("A: " + "b" * 10_000_000), 431),
        "long name": (get("A" * 10_000 + ": b"), 431),
        "very long name": (get("A" * 10_000_000 + ": b"), 431),
        "cookies": (get(*["Cookie: " + "a=b; " * 1600] * 120), 200),
        "long target": (get(target="/" + "a" * 10_000), 431),
        "very long target": (get(target="/" + "a" * 10_000_000), 431),
        "long query": (get(target="/version?" + "a=b&" * 2000), 400),
        "long method": (b"A" * 10_000_000 + b" / HTTP/1.1\r\n\r\n", 400),
        "line ends": (b"\r\n" * 100_000 + get(), 200),
        "spaces": (b"GET" + b" " * 10_000_000 + b"/version HTTP/1.1\r\n\r\n", 400),
        "long version": (b"GET / HTTP/1." + b"1" * 10_000 + b"\r\n\r\n", 400),
        "long coding": (get("Accept-Encoding: " + "gzip;q=0.1, " * 600), 200),
        "long list": (get("Accept: " + "a/b, " * 1600), 200),
    }
    found = target.talk_all({name: attack for name, (attack, _) in attacks.items()})
    for name, (_, status) in attacks.items():
        # If input is still in transit when the connection ends, the answer may be lost.
        assert [reply.status for reply in found[name]] in ([status], []), name
    assert [reply.status for reply in found["long"]] == [431]
    assert [reply.status for reply in found["many"]] == [400]


def test_a_head_without_end(target: Target) -> None:
    def attack(piece: bytes) -> None:
        with target.connect() as connection:
            try:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
                for _ in range(10_000):
                    connection.sendall(piece)
            except ConnectionError:
                pass
            else:
                raise AssertionError(f"100 kB and more of {piece[:10]!r} were taken")

    target.at_once(attack, [b"A: b\r\n" * 100, b"A" * 1000, b"A: " + b"b" * 7000 + b"\r\n"])


MALFORMED = {
    "no version": b"GET /version\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "HTTP/2 as a version": b"GET /version HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "HTTP/1.2": b"GET /version HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "HTTP/1": b"GET /version HTTP/1\r\nHost: localhost\r\n\r\n",
    "http": b"GET /version http/1.1\r\nHost: localhost\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two targets": b"GET /version /version HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two spaces": b"GET  /version HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two spaces behind the target": b"GET /version  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a space at the end": b"GET /version HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    "tab": b"GET\t/version\tHTTP/1.1\r\nHost: localhost\r\n\r\n",
    "LF": b"GET /version HTTP/1.1\nHost: localhost\n\n",
    "CR": b"GET /version HTTP/1.1\rHost: localhost\r\r",
    "CR CR LF": b"GET /version HTTP/1.1\r\r\nHost: localhost\r\r\n\r\r\n",
    "NUL in the target": b"GET /ver\x00sion HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in the method": b"G\x00ET /version HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in a name": b"GET /version HTTP/1.1\r\nHost: localhost\r\nA\x00: b\r\n\r\n",
    "NUL in a value": b"GET /version HTTP/1.1\r\nHost: localhost\r\nA: \x00\r\n\r\n",
    "no name": b"GET /version HTTP/1.1\r\nHost: localhost\r\n: b\r\n\r\n",
    "no colon": b"GET /version HTTP/1.1\r\nHost: localhost\r\nA\r\n\r\n",
    "a name with a space": b"GET /version HTTP/1.1\r\nHost: localhost\r\nA B: c\r\n\r\n",
    "a name in other letters": b"GET /version HTTP/1.1\r\nHost: localhost\r\n\xc3\xa4: b\r\n\r\n",
    "folded": b"GET /version HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n",
    "folded first": b"GET /version HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "two hosts": b"GET /version HTTP/1.1\r\nHost: localhost\r\nHost: x.test\r\n\r\n",
    "two hosts, alike": b"GET /version HTTP/1.1\r\nHost: x.test\r\nHost: x.test\r\n\r\n",
    "host folded": b"GET /version HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    "TLS, cut": b"\x16\x03\x01",
    "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "SMTP": b"EHLO localhost\r\n",
    "NDJSON": b'{"id":"1","data":"x"}\n',
    "zeros": bytes(1000),
    "all bytes": bytes(range(256)) * 40,
    "noise": os.urandom(100_000),
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n" + get(),
    "CONNECT to a path": b"CONNECT /version HTTP/1.1\r\nHost: localhost\r\n\r\n" + get(),
    "authority": b"GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another scheme": b"GET gopher://localhost/version HTTP/1.1\r\nHost: x.test\r\n\r\n",
    "another host in the target": b"GET http://localhost/version HTTP/1.1\r\nHost: x.test\r\n\r\n",
    "asterisk": b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET /version HTTP/0.9\r\n\r\n",
}


def test_what_is_no_request_is_refused(target: Target) -> None:
    for name, replies in target.talk_all(MALFORMED).items():
        statuses = [reply.status for reply in replies]
        assert statuses in ([400], [403], [404], [505], []), name
        for reply in replies:
            reply.problem()
            assert b"scan_path" not in reply.body, name


def test_heads_that_stop_anywhere_are_cut_off(target: Target) -> None:
    whole = get("A: b")
    places = [*range(0, len(whole), 5), len(whole) - 1, len(whole)]
    found = target.talk_all({str(place): whole[:place] for place in places})
    for place in places:
        statuses = [reply.status for reply in found[str(place)]]
        assert statuses == ([200] if place == len(whole) else []), place


METHODS = [
    *("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "COPY", "LOCK"),
    *("MKCOL", "MOVE", "PROPFIND", "SEARCH", "UNLOCK", "BIND", "ACL", "REPORT", "PURGE", "LINK"),
    *("M-SEARCH", "NOTIFY", "SUBSCRIBE", "SOURCE", "QUERY", "PRI", "ANNOUNCE", "DESCRIBE"),
    *("get", "post", "Post", "POSTS", "P", "P" * 1000, "P OST", "P\tOST", "P\x7fOST", "{}", "-"),
]


def test_methods_there_are_not(target: Target) -> None:
    body = b'{"id":"1"}\n'
    size = f"Content-Length: {len(body)}"
    for path in ("/streaming-process", "/sources/events"):
        attacks = {
            method: head(size, start=f"{method} {path} HTTP/1.1") + body for method in METHODS
        }
        for method, replies in target.talk_all(attacks).items():
            refused = ([405], [400], [404], [426])
            expected = ([204],) if method == "OPTIONS" else refused
            assert [reply.status for reply in replies] in expected, method
            assert all(b"processed_" not in reply.body for reply in replies)


def test_no_request_makes_a_series_of_figures(target: Target) -> None:
    def series() -> set[str]:
        lines = target.ask("/metrics").decode().splitlines()
        return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}

    before = series()
    body = b'{"id":"1"}\n'
    attacks = {
        str(number): head(
            f"Content-Length: {len(body)}",
            f"User-Agent: {number}",
            f"X-{number}: {number}",
            f"Forst-First-Line: {number + 1}",
            "Connection: close",
            start=f"POST {path}?{number} HTTP/1.1",
        )
        + body
        for number in range(60)
        for path in (f"/{number}", "/streaming-process", f"/sources/{number}")[number % 3 :][:1]
    }
    target.talk_all(attacks)
    assert series() == before


def test_expectations(target: Target) -> None:
    body = b'{"id":"1","data":"x"}\n'
    size = f"Content-Length: {len(body)}"
    expect = "Expect: 100-continue"
    attacks = {
        "twice": head(size, expect, expect) + body,
        "in capitals": head(size, expect.upper()) + body,
        "of HTTP/1.0": head(size, expect, start="POST /streaming-process HTTP/1.0") + body,
        "without a body": head(expect, start="POST /streaming-process HTTP/1.1"),
        "on GET": head(expect, start="GET /version HTTP/1.1"),
        "magic": head(size, "Expect: magic") + body,
        "more": head(size, "Expect: 100-continue, magic") + body,
        "long": head(size, "Expect: " + "1" * 8000) + body,
        "stranger": head(size, expect).replace(b"localhost", b"x.test") + body,
        "again and again": (head(size, expect) + body) * 50,
    }
    found = {
        name: [reply.status for reply in replies]
        for name, replies in target.talk_all(attacks).items()
    }
    assert found.pop("again and again") == [100, 200] * 50
    assert found == {
        "twice": [100, 200],
        "in capitals": [100, 200],
        "of HTTP/1.0": [200],
        "without a body": [100, 200],
        "on GET": [100, 200],
        "magic": [417],
        "more": [417],
        "long": [417],
        "stranger": [403],
    }


def test_a_head_that_is_sent_byte_by_byte(target: Target) -> None:
    """Such a request costs its sender more than the server, which answers it normally."""
    request = get()
    with target.connect() as connection:
        for byte in request:
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        (reply,) = replies_in(target.rest_of(connection))
    assert json.loads(reply.body)["scan_path"]


def test_every_byte_in_every_place(target: Target) -> None:
    """No byte splits a field into two, or starts another request."""
    places = {
        "method": "G{}ET /version HTTP/1.1\r\n",
        "target": "GET /version{} HTTP/1.1\r\n",
        "version": "GET /version HTTP/1.1{}\r\n",
        "name": "GET /version HTTP/1.1\r\nA{}: b\r\n",
        "value": "GET /version HTTP/1.1\r\nA: b{}c\r\n",
    }
    rest = b"Host: localhost\r\nConnection: close\r\n\r\n"
    plain = set(string.ascii_letters + string.digits + "-_.~")
    attacks = {
        f"{place}, {number:#x}": text.format(chr(number)).encode("latin-1") + rest
        for place, text in places.items()
        for number in range(256)
        if chr(number) not in plain
    }
    for name, replies in target.talk_all(attacks).items():
        assert len(replies) == 1, name
        assert replies[0].status in (200, 400, 404), name
        if name.startswith(("method", "version")):
            assert replies[0].status == 400, name
