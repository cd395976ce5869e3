"""Names, origins and paths that resemble allowed ones, for access policy and router."""

from __future__ import annotations

import socket

import pytest

from tests.hostile.replies import replies_in
from tests.hostile.target import Target, head
from tests.servers import Server, StartServer

TOKEN = "hush-4711"


def get(*fields: str | bytes, target: str = "/version") -> bytes:
    return head("Connection: close", *fields, start=f"GET {target} HTTP/1.1")


HOSTS = [
    *("x.test", "x.test:80", "localhost.x.test", "localhost:80@x.test", "x.test@localhost"),
    *("localhost/", "localhost\\x.test"),
    *("localhost x.test", "localhost,x.test", "localhost;x.test"),
    *("localhost#", "localhost?", "localhost:80:80", "localhost:x", "localhost:-1", "[localhost]"),
    *("localhost%00", "localhost%2e", "127.1", "2130706433", "0x7f000001", "017700000001"),
    *("0", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "169.254.169.254"),
    *("localhost\u3002", "\uff4cocalhost", "l\u00f3calhost"),
    *("${localhost}", "<b>localhost</b>", ".", ""),
    "a" * 8000,
]  # fmt: skip


def test_names_that_look_like_ours(target: Target) -> None:
    """Requests of a page with DNS rebinding, and names that fool a lenient parser."""
    start = b"GET /version HTTP/1.1\r\nConnection: close\r\nHost: "
    attacks = {name: start + name.encode() + b"\r\n\r\n" for name in HOSTS}
    attacks["a tab"] = start + b"\tx.test\t\r\n\r\n"
    attacks["no UTF-8"] = start + b"localhost\xff\r\n\r\n"
    for name, (reply,) in target.talk_all(attacks).items():
        assert reply.status in (400, 403), name
        reply.problem()


def test_origins_that_look_like_ours(target: Target) -> None:
    port = target.server.port
    own = f"localhost:{port}"
    origins = [
        *("null", "", "https://x.test", f"http://x.test@{own}", f"http://{own}@x.test"),
        *(
            f"http://{own}.x.test",
            f"http://{own}/",
            f"//{own}",
            own,
            f"http:{own}",
            f"file://{own}",
        ),
        *(f"http://{own} http://x.test", f"http://{own}, http://x.test", f"HTTP:\\\\{own}"),
        *(f"http://{own}\u3002", f"http://localhost:{port}0", f"http://127.0.0.1:{port}"),
        f"data:text/html,{own}",
    ]
    attacks = {origin: get(f"Host: {own}", f"Origin: {origin}") for origin in origins}
    attacks = {
        name: attack.replace(b"Host: localhost\r\n", b"") for name, attack in attacks.items()
    }
    # With two headers, a foreign name must not be hidden by an allowed one.
    for name, (reply,) in target.talk_all(attacks).items():
        assert reply.status == 403, name
        assert b"access-control" not in reply.head.lower()


PATHS = [
    *("/../version", "/./version", "/x/../version"),
    *("/..%2fversion", "/%2e%2e/version", "/..;/version"),
    *("/version/", "//version", "///version"),
    *("/version/.", "/version/..", "/version%00", "/version%20"),
    *("/version;a=b", "/%76ersion/", "/VERSION"),
    *("/version%0d%0aX-A:%20b", "/version\\", "\\version"),
    *("/etc/passwd", "/../../../../etc/passwd"),
    *("/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/..%5c..%5cetc"),
    *("/dashboard/static/../../version", "/dashboard/static/%2e%2e/%2e%2e/version"),
    *("/dashboard/static/x/..%2f..%2fauth.py"),
    *("/dashboard/static//etc/passwd", "/dashboard/static/"),
    *("/dashboard/static/a/b/../../../../metrics", "/sources/..%2fversion", "/sources/%00"),
    *("/%c0%ae%c0%ae/version", "/%ff%fe", "/%", "/%zz", "/%u002e", "/" + "../" * 2000 + "version"),
    *("/" + "a/" * 4000, "/healthz/../version"),
    *("/healthz%2f..%2fversion", "/healthz/%2e%2e/metrics"),
    *("/<script>alert(1)</script>", "/?<script>", "/\u202e"),
    *("/__class__", "/{name}", "/processors/.."),
]  # fmt: skip


@pytest.fixture
def guarded(start_server: StartServer) -> Server:
    """A server that requires a token."""
    return start_server(env={"FORSTCORE_TOKEN": TOKEN})


def test_paths_lead_nowhere_else(target: Target) -> None:
    attacks = {path: get(target=path) for path in PATHS}
    for path, replies in target.talk_all(attacks).items():
        assert [reply.status for reply in replies] in ([404], [400], [405], [200]), path
        (reply,) = replies
        assert b"root:" not in reply.body, path
        assert b"\r\nX-A:" not in reply.head, path
        if reply.status != 200:
            reply.problem()


def test_no_path_leads_past_the_token(guarded: Server) -> None:
    """The paths that the access policy allows without a token are those that the router finds."""
    for path in [*PATHS, "/version", "/%76ersion", "http://localhost/version", "/healthz?/version"]:
        with socket.create_connection((guarded.host, guarded.port), timeout=60) as connection:
            connection.sendall(get(target=path))
            data = b""
            while piece := connection.recv(1 << 16):
                data += piece
        (reply,) = replies_in(data)
        public = (b'{"status": "ok"}', b"<!doctype html>")
        assert reply.status in (400, 401, 404) or reply.body.startswith(public), path
        for secret in (b"scan_path", b"forstcore_", b"root:", TOKEN.encode()):
            assert secret not in reply.body, path
