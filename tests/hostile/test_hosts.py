"""Requests with a host that is not allowed, and headers that disclose versions."""

from __future__ import annotations

from tests.hostile.target import Target, head

REFUSED = {
    "absolute": (b"GET http://x.test/version HTTP/1.1\r\nHost: localhost", 400),
    "absolute, Host is another": (b"GET http://localhost/version HTTP/1.1\r\nHost: x.test", 400),
    "absolute, both are another": (b"GET http://x.test/version HTTP/1.1\r\nHost: x.test", 403),
    "absolute, another port": (b"GET http://localhost:1/version HTTP/1.1\r\nHost: localhost", 400),
    "absolute, a user": (b"GET http://localhost@x.test/version HTTP/1.1\r\nHost: x.test", 400),
    "absolute, our user": (
        b"GET http://u@localhost/version HTTP/1.1\r\nHost: localhost",
        400,
    ),
    "absolute, another scheme": (b"GET ftp://localhost/version HTTP/1.1\r\nHost: localhost", 400),
    "absolute, without a Host": (b"GET http://localhost/version HTTP/1.0", 400),
    "absolute, a query": (
        b"GET http://x.test?localhost HTTP/1.1\r\nHost: localhost",
        400,
    ),
    "authority": (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost", 400),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: x.test", 403),
    "two": (b"GET /version HTTP/1.1\r\nHost: localhost\r\nHost: x.test", 400),
    "a list": (b"GET /version HTTP/1.1\r\nHost: localhost, x.test", 403),
    "none": (b"GET /version HTTP/1.1", 400),
    "none, in HTTP/1.0": (b"GET /version HTTP/1.0", 403),
    "empty": (b"GET /version HTTP/1.1\r\nHost:", 403),
    "a user": (b"GET /version HTTP/1.1\r\nHost: localhost@x.test", 403),
    "a user of ours": (b"GET /version HTTP/1.1\r\nHost: x.test@localhost", 403),
    "in other letters": ("GET /version HTTP/1.1\r\nHost: localho\u017ft".encode(), 403),
    "a preflight": (
        b"OPTIONS /version HTTP/1.1\r\nHost: x.test\r\nOrigin: http://localhost"
        b"\r\nAccess-Control-Request-Method: GET",
        403,
    ),
}


def test_another_host_is_refused_however_it_is_named(target: Target) -> None:
    attacks = {name: sent + b"\r\n\r\n" for name, (sent, _) in REFUSED.items()}
    for name, replies in target.talk_all(attacks, half_close=True).items():
        assert [reply.status for reply in replies] == [REFUSED[name][1]], name
        assert b"scan_path" not in replies[0].body, name
        replies[0].problem()


def test_a_target_with_the_same_host_is_served(target: Target) -> None:
    attacks = {
        "plain": b"GET http://localhost/version HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "capitals": b"GET HTTP://LOCALHOST/version HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a port": b"GET http://localhost:80/version HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
    }
    for name, replies in target.talk_all(attacks, half_close=True).items():
        assert [reply.status for reply in replies] == [200], name


def test_no_answer_names_a_version(target: Target) -> None:
    attacks = {
        "page": head(start="GET / HTTP/1.1"),
        "stream": head("Content-Length: 0"),
        "refused": head("Origin: https://x.test"),
        "not there": head(start="GET /nowhere HTTP/1.1"),
        "malformed": b"junk\r\n\r\n",
        "expected": head("Expect: magic"),
        "too long": head("X: " + "y" * 10_000),
        "other": head(start="DELETE / HTTP/1.1"),
    }
    for name, replies in target.talk_all(attacks, half_close=True).items():
        for reply in replies:
            assert b"\r\nserver: forstcore\r\n" in reply.head.lower() + b"\r\n", name
            assert b"aiohttp" not in reply.head, name


def test_no_field_makes_an_error_of_the_server(target: Target) -> None:
    """At the end, the target checks that its log contains only streams."""
    before = len(target.log)
    values = (b"\x80", b"\xff\xfe", b"\xed\xa0\x80", b"")
    names = (
        *("Expect", "Origin", "Access-Control-Request-Headers", "Cookie", "Accept-Encoding"),
        *("Content-Type", "If-None-Match", "If-Modified-Since", "Range", "X-Forwarded-For"),
        *("Authorization", "Forst-Filter", "traceparent", "User-Agent"),
    )
    starts = ("GET /metrics", "GET /", "GET /nowhere", "POST /real-time-process", "OPTIONS *")
    attacks = {
        f"{start} {name} {value!r}": head(
            name.encode() + b": " + value, "Connection: close", start=f"{start} HTTP/1.1"
        )
        for start in starts
        for name in names
        for value in values
    }
    for name, replies in target.talk_all(attacks, half_close=True).items():
        assert [reply.status for reply in replies if reply.status >= 500] == [], name
    assert all(line.startswith("{") for line in target.log[before:])
