"""Checks of requests: host, origin, token, and valid syntax."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from tests.server.raw import RawStream
from tests.server.requests import RECORD, RESULT, TOKEN, Answer, answer_on, ask, connect
from tests.servers import Server, StartServer, launch


@contextlib.contextmanager
def well_behaved(*options: str) -> Iterator[Server]:
    """Run a server for many tests; it must have said nothing but its access log."""
    server = launch(*options)
    try:
        yield server
        assert server.stop() == 0
        assert server.process.stderr is not None
        assert [line for line in server.process.stderr if not line.startswith("{")] == []
    finally:
        server.kill()


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    """A server with nothing but defaults."""
    with well_behaved() as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that requires a token and accepts only small bodies."""
    path = tmp_path_factory.mktemp("guarded") / "token"
    path.write_text(f"{TOKEN}\n")
    with well_behaved("--token-file", str(path), "--max-stream-bytes", "1000") as server:
        yield server


# Host and Origin.


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LocalHost"])
@pytest.mark.parametrize("port", ["", ":80", ":{port}"])
def test_loopback_names_are_let_in(shared: Server, name: str, port: str) -> None:
    host = name + port.format(port=shared.port)
    assert ask(shared, f"GET /version HTTP/1.1\nHost: {host}").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "example.test",
        "example.test:8080",
        "localhost.example.test",
        "127.0.0.1.example.test",
        "example-localhost",
        "127.0.0.2",
        "0.0.0.0",
        "[::]",
        "[::1",
        "::1",
        ":8080",
        "",
    ],
)
def test_another_name_is_refused(shared: Server, host: str) -> None:
    for line in ("GET /version", "GET /metrics", "POST /streaming-process", "GET /nowhere"):
        answer = ask(shared, f"{line} HTTP/1.1\nHost: {host}\nContent-Length: 0")
        assert answer.status == 403
        assert "allow_host" in answer.problem()["detail"]


@pytest.mark.parametrize(
    "host", ["example.test@localhost", "localhost/example.test", "localhost?a", "localhost#a"]
)
def test_what_is_no_host_at_all_is_refused(shared: Server, host: str) -> None:
    assert ask(shared, f"GET /version HTTP/1.1\nHost: {host}").status in (400, 403)


def test_a_missing_host_is_refused(shared: Server) -> None:
    for version in ("1.1", "1.0"):
        assert ask(shared, f"GET /version HTTP/{version}\nX-Other: 1").status in (400, 403)


def test_two_hosts_are_refused(shared: Server) -> None:
    request = "GET /version HTTP/1.1\nHost: localhost\nHost: example.test"
    assert ask(shared, request).status in (400, 403)


def test_more_hosts_can_be_allowed(start_server: StartServer) -> None:
    server = start_server("--allow-host", "Forst", "--allow-host", "proxy.example.test")
    for host in ("forst", "FORST:1", "proxy.example.test", "localhost"):
        assert ask(server, f"GET /version HTTP/1.1\nHost: {host}").status == 200
    for host in ("example.test", "a.proxy.example.test"):
        assert ask(server, f"GET /version HTTP/1.1\nHost: {host}").status == 403


@pytest.mark.parametrize(
    "origin", ["https://example.test", "http://localhost:1", "http://127.0.0.1:{port}", "null", ""]
)
def test_web_pages_are_refused(shared: Server, origin: str) -> None:
    head = f"HTTP/1.1\nHost: localhost\nOrigin: {origin.format(port=shared.port)}"
    for line in ("GET /version", "POST /streaming-process"):
        answer = ask(shared, f"{line} {head}\nContent-Length: 0")
        assert answer.status == 403
        assert "allow_origin" in answer.problem()["detail"]


def test_origins_can_be_allowed(start_server: StartServer) -> None:
    server = start_server("--allow-origin", "https://App.example.test/")
    head = "GET /version HTTP/1.1\nHost: localhost\nOrigin: "
    assert ask(server, head + "https://app.example.test").status == 200
    for origin in ("http://app.example.test", "https://app.example.test:444", "https://other.test"):
        assert ask(server, head + origin).status == 403


def test_pages_of_allowed_origins_may_read_responses(start_server: StartServer) -> None:
    server = start_server(
        "--allow-origin", "https://app.test:443", "--allow-origin", "http://[::1]"
    )
    for origin, allowed in (
        ("https://app.test", True),
        ("http://[::1]", True),
        ("https://app.test:443", False),  # Browsers leave the default port out.
        (None, None),
    ):
        more = f"\nOrigin: {origin}" if origin else ""
        answer = ask(server, f"GET /version HTTP/1.1\nHost: localhost{more}")
        assert answer.status == (403 if allowed is False else 200)
        # Caches must keep the responses for different origins apart, also that for none.
        assert answer.headers["vary"] == "Origin"
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
        exposed = answer.headers.get("access-control-expose-headers")
        assert exposed == ("Forst-Delivery, Forst-Frames, Retry-After" if allowed else None)
        assert "access-control-allow-credentials" not in answer.headers


def test_caches_are_told_what_a_response_depends_on(start_server: StartServer) -> None:
    server = start_server("--allow-origin", "https://app.test", "--source", "feed=memory:")
    tail = "HTTP/1.1\nHost: localhost\nContent-Length: 0"
    for request, depends_on in (
        ("POST /streaming-process", "Accept-Encoding, Origin"),
        ("GET /real-time-process?source=feed", "Accept, Accept-Encoding, Origin"),
        ("GET /metrics", "Accept, Origin"),
        ("GET /nowhere", "Origin"),
    ):
        with connect(server) as connection:
            connection.sendall(f"{request} {tail}\n\n".replace("\n", "\r\n").encode())
            head = connection.recv(1 << 16).decode().lower()
        assert f"\r\nvary: {depends_on}\r\n".lower() in head
    plain = start_server("--no-compression")
    assert "vary" not in ask(plain, f"POST /streaming-process {tail}").headers


def test_preflight_requests(start_server: StartServer) -> None:
    server = start_server("--allow-origin", "https://app.test")
    head = "OPTIONS /streaming-process HTTP/1.1\nHost: localhost\nOrigin: "
    asked = "\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Headers: forst-frames"
    answer = ask(server, f"{head}https://app.test{asked}")
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://app.test"
    assert answer.headers["access-control-allow-headers"] == "forst-frames"
    assert answer.headers["access-control-max-age"] == "600"
    assert "access-control-allow-private-network" not in answer.headers
    private = "\nAccess-Control-Request-Private-Network: true"
    answer = ask(server, f"{head}https://app.test{asked}{private}")
    assert answer.headers["access-control-allow-private-network"] == "true"
    for origin in ("https://other.test", "null"):
        answer = ask(server, f"{head}{origin}{asked}{private}")
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_refused_body_is_not_processed(shared: Server) -> None:
    body = (RECORD % 1).decode()
    head = f"POST /streaming-process HTTP/1.1\nHost: x.test\nContent-Length: {len(body)}"
    answer = ask(shared, "\r\n".join([*head.splitlines(), "", body]).encode())
    assert answer.status == 403
    assert b"processed_x" not in answer.body


# The token.


@pytest.mark.parametrize("way", ["file", "variable"])
def test_the_token_is_asked_for(start_server: StartServer, token_file: str, way: str) -> None:
    if way == "file":
        server = start_server("--token-file", token_file)
    else:
        server = start_server(env={"FORSTCORE_TOKEN": TOKEN})
    head = "GET /version HTTP/1.1\nHost: localhost"
    for value in (
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        f"BEARER  {TOKEN} ",
    ):
        assert ask(server, f"{head}\nAuthorization: {value}").status == 200
    for value in (
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        f"Bearer{TOKEN}",
        f"Bearer {TOKEN}, Bearer x",
        "Bearer ☃",
    ):
        answer = ask(server, f"{head}\nAuthorization: {value}")
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert TOKEN not in answer.problem()["detail"]
    assert ask(server, head).status == 401
    raw = b"GET /version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\xfe\r\n\r\n"
    assert ask(server, raw).status == 401


def test_the_token_guards_everything_but_the_probes(guarded: Server) -> None:
    for path in (
        "/version",
        "/metrics",
        "/streaming-process",
        "/nowhere",
        "/healthz/",
        "//healthz",
    ):
        assert ask(guarded, f"GET {path} HTTP/1.1\nHost: localhost").status == 401
    for path in ("/healthz", "/readyz"):
        for more in ("Host: localhost", "Host: 10.1.2.3", "Host: x\nOrigin: https://x.test"):
            assert ask(guarded, f"GET {path} HTTP/1.1\n{more}").status == 200


def test_a_stream_with_the_token(guarded: Server) -> None:
    place = (guarded.host, guarded.port)
    with RawStream(place, headers={"Authorization": f"Bearer {TOKEN}"}) as request:
        request.send(RECORD % 1)
        assert request.read_line() == RESULT % 1
        request.end()
        assert request.read_rest() == b""
    with RawStream(place, headers={"Authorization": "Bearer guess"}) as request:
        request.send(RECORD % 1)
        assert request.read_head() == 401


def test_the_token_is_not_logged(start_server: StartServer, token_file: str) -> None:
    server = start_server("--token-file", token_file)
    head = f"HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    ask(server, b"POST /streaming-process " + head + b"Content-Length: 1\r\n\r\n\n")
    with contextlib.suppress(http.client.IncompleteRead):
        ask(server, b"POST /streaming-process " + head + b"Transfer-Encoding: chunked\r\n\r\nx\r\n")
    ask(server, b"GET /version " + head + b"bad header\r\n\r\n")
    assert server.stop() == 0
    out, err = server.process.communicate()
    assert '"event": "stream"' in err
    assert TOKEN not in out + err


# Expect: 100-continue.

EXPECT = "POST {path} HTTP/1.1\nHost: {host}\nContent-Length: {size}\nExpect: {expect}{more}"


def expecting(
    path: str = "/streaming-process",
    host: str = "localhost",
    size: int = 23,
    expect: str = "100-continue",
    more: str = "",
) -> str:
    return EXPECT.format(path=path, host=host, size=size, expect=expect, more=more)


def test_the_body_is_asked_for(shared: Server) -> None:
    body = RECORD % 1
    head = expecting(size=len(body), expect="100-Continue")
    with connect(shared) as connection:
        connection.sendall("\r\n".join([*head.splitlines(), "", ""]).encode())
        interim = b""
        while not interim.endswith(b"\r\n\r\n"):
            interim += connection.recv(1)
        assert interim.startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        answer = answer_on(connection, "POST")
    assert (answer.status, answer.body) == (200, RESULT % 1)


# http.client passes over 100 by itself: only the first bytes tell.
def first_status(server: Server, head: str) -> tuple[int, Answer]:
    with connect(server) as connection:
        connection.sendall("\r\n".join([*head.splitlines(), "", ""]).encode())
        first = connection.recv(12, socket.MSG_PEEK)
        return int(first.split()[1]), answer_on(connection, "POST")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (expecting(), 401),
        (expecting(more="\nAuthorization: Bearer guess"), 401),
        (expecting(host="example.test"), 403),
        (expecting(more="\nOrigin: https://example.test"), 403),
        (expecting(expect="magic", more=f"\nAuthorization: Bearer {TOKEN}"), 417),
        (expecting(size=1001, more=f"\nAuthorization: Bearer {TOKEN}"), 413),
    ],
)
def test_the_head_is_checked_before_the_body_is_asked_for(
    guarded: Server, head: str, status: int
) -> None:
    first, answer = first_status(guarded, head)
    assert (first, answer.status) == (status, status)
    answer.problem()


def test_room_is_checked_before_the_body_is_asked_for(start_server: StartServer) -> None:
    server = start_server("--max-streams", "1")
    with RawStream((server.host, server.port)) as request:
        request.send(RECORD % 1)
        request.read_line()
        first, answer = first_status(server, expecting())
        assert (first, answer.status) == (503, 503)
        assert int(answer.headers["retry-after"]) > 0
        answer.problem()


# Malformed or too long requests.


@pytest.mark.parametrize(("options", "limit"), [((), 8190), (("--max-header-size", "1000"), 1000)])
def test_a_long_header_field_is_refused(
    start_server: StartServer, options: tuple[str, ...], limit: int
) -> None:
    server = start_server(*options)
    head = "GET /version HTTP/1.1\nHost: localhost\n"
    assert ask(server, head + "X-Long: " + "x" * (limit - 100)).status == 200
    for more in ("X-Long: " + "x" * (limit + 1), "X" * (limit + 1) + ": 1"):
        answer = ask(server, head + more)
        assert answer.status == 431
        assert "max_header_size" in answer.problem()["detail"]
    answer = ask(server, f"GET /{'x' * (limit + 1)} HTTP/1.1\nHost: localhost")
    assert answer.status in (414, 431)
    answer.problem()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /version HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GE(T /version HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: localhost\r\n: no name\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: localhost\r\nA : space\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: localhost\r\nA: \x00\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: localhost\r\nA: b\r\n folded\r\n\r\n",
        b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Content-Length: 2\r\n\r\n",
        b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\n"
        b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\n"
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_malformed_http_is_refused(shared: Server, request_bytes: bytes) -> None:
    answer = ask(shared, request_bytes)
    assert answer.status == 400
    detail = answer.problem()["detail"]
    assert "malformed" in detail
    assert "Traceback" not in detail
    assert ask(shared, "GET /version HTTP/1.1\nHost: localhost").status == 200


def test_a_malformed_body_ends_the_stream(shared: Server) -> None:
    with connect(shared) as connection:
        connection.sendall(
            b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nForst-Frames: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(RECORD % 1), RECORD % 1)
        )
        time.sleep(0.1)
        connection.sendall(b"zz\r\n")
        body = answer_on(connection, "POST").body
    assert body.startswith(RESULT % 1)
    assert b":error " in body
    assert b'"code": "malformed_body"' in body


def test_an_unknown_path_names_the_endpoints(shared: Server) -> None:
    answer = ask(shared, "GET /nowhere?a=1 HTTP/1.1\nHost: localhost")
    assert answer.status == 404
    detail = answer.problem()["detail"]
    assert "'/nowhere'" in detail
    for endpoint in ("POST /streaming-process", "GET /healthz", "GET /metrics", "GET /version"):
        assert endpoint in detail


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/streaming-process", "POST"),
        ("DELETE", "/version", "GET"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_a_wrong_method_names_the_right_one(
    shared: Server, method: str, path: str, allowed: str
) -> None:
    answer = ask(shared, f"{method} {path} HTTP/1.1\nHost: localhost\nContent-Length: 0")
    assert answer.status == 405
    assert allowed in answer.headers["allow"].split(", ")
    assert method in answer.problem()["detail"]
    assert allowed in answer.problem()["detail"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/streaming-process", "GET, OPTIONS, POST"),
        ("/version", "GET, HEAD, OPTIONS"),
        ("*", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_options_tell_the_methods(shared: Server, path: str, allowed: str) -> None:
    answer = ask(shared, f"OPTIONS {path} HTTP/1.1\nHost: localhost\nContent-Length: 0")
    assert answer.status == 204
    assert answer.headers["allow"] == allowed
    assert ask(shared, "OPTIONS /nowhere HTTP/1.1\nHost: localhost").status == 404
