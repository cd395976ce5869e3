"""Clients without the token learn no data, and configurations show no secrets."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from server.cli import main
from tests import children
from tests.hostile.replies import Reply, replies_in
from tests.hostile.target import head
from tests.servers import ROOT, Server, launch

SECRET = "s3cr3t-value"
MODULE = "import forstcore\n@forstcore.processor('sesame')\ndef sesame(r: dict) -> dict: return r\n"


def talk(server: Server, request: bytes) -> list[Reply]:
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(request)
        got = b""
        try:
            while data := connection.recv(1 << 16):
                got += data
        except ConnectionError:
            pass
        return replies_in(got)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token and a custom processor."""
    module = tmp_path_factory.mktemp("guarded") / "module.py"
    module.write_text(MODULE)
    server = launch("--no-access-log", "--processors", str(module), env={"FORSTCORE_TOKEN": SECRET})
    yield server
    server.kill()


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE", "TRACE", "X"])
@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("Authorization: Bearer wrong",),
        ("Authorization: Basic czNjcjN0",),
        ("Origin: https://x.test", "Access-Control-Request-Method: POST"),
    ],
)
def test_no_name_is_shown_without_the_token(
    guarded: Server, method: str, fields: tuple[str, ...]
) -> None:
    for path in (
        "/",
        "//",
        "/none",
        "/sesame",
        "/processors",
        "/openapi.json",
        "/metrics",
        "/version",
        "/dashboard/news",
        "/dashboard/static/",
        "/dashboard/static/x",
        "/dashboard/static/x/y",
        "/dashboard/static/x/y/z",
        "/dashboard/static/../../processors",
        "/dashboard/static/%2e%2e/%2e%2e/processors",
        "/healthz",
        "/healthz/",
        "/readyz",
        "/sources/none",
    ):
        request = head("Connection: close", *fields, start=f"{method} {path} HTTP/1.1")
        for reply in talk(guarded, request):
            assert b"sesame" not in (reply.head + reply.body).replace(path.encode(), b""), path
            assert reply.status == 200 or b"streaming-process" not in reply.body, path
            assert SECRET.encode() not in reply.head + reply.body


@pytest.mark.parametrize("expectation", ["100-continue", "200-ok", "x"])
def test_expectations_tell_no_names(guarded: Server, expectation: str) -> None:
    """Existing and missing paths get the same response."""
    found = []
    for path in ("/sesame", "/nothing"):
        fields = (f"Expect: {expectation}", "Content-Length: 2", "Connection: close")
        replies = talk(guarded, head(*fields, start=f"POST {path} HTTP/1.1") + b"{}")
        found.append([reply.status for reply in replies])
    assert found[0] == found[1]


def run(*options: str, **variables: str) -> str:
    """Return all output of a server that does not start."""
    said = io.StringIO()
    with (
        mock.patch.dict(os.environ, variables),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        contextlib.suppress(SystemExit),
    ):
        main(options)
    return said.getvalue()


@pytest.mark.parametrize(
    "url",
    [
        f"redis://u:{SECRET}@h/0",
        f"redis://u:a/{SECRET}@h/0",
        f"redis://u:a,{SECRET}@h/0",
        f"redis://u:a@{SECRET}@h/0",
        f"redis://u:a#{SECRET}@h/0",
        f"redis://u:a?{SECRET}@h/0",
        f"redis://:{SECRET}@h/0?nonsense=1",
        f"mqtt://u:{SECRET}@h:port/t",
        f"redis://h/0?password={SECRET}",
        f"nats://u:{SECRET}@h?stream=a",
        f"nats://h?stream=a&token={SECRET}",
    ],
)
def test_passwords_of_sources_are_not_shown(url: str, tmp_path: Path) -> None:
    config = tmp_path / "forst.toml"
    config.write_text(f'source = ["a={url}"]\n')
    broken = tmp_path / "broken.toml"
    broken.write_text(f'source = "a={url}"\n')
    nameless = tmp_path / "nameless.toml"
    nameless.write_text(f'source = ["{url}", ""]\n')
    for said in (
        run("--print-config", "--source", f"a={url}"),
        run("--print-config", FORSTCORE_SOURCE=f"a={url}"),
        run("--print-config", FORSTCORE_SOURCE=f"a=memory:,b={url}"),
        run("--print-config", "--config", str(config)),
        run("--source", url),
        run("--config", str(broken)),
        run("--config", str(nameless)),
        run(FORSTCORE_SOURCE=url),
    ):
        assert said
        assert SECRET not in said, said


def test_tokens_are_not_shown(tmp_path: Path) -> None:
    config = tmp_path / "forst.toml"
    config.write_text(f'token = ["{SECRET}"]\n')
    for said in (
        run("--token", SECRET),
        run(f"--token={SECRET}"),
        run("--config", str(config)),
        run("--print-config", FORSTCORE_TOKEN=SECRET),
    ):
        assert said
        assert SECRET not in said, said


def test_a_key_that_is_encrypted_is_refused(tmp_path: Path) -> None:
    """An encrypted key is refused instead of prompting for its password."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=x"]
    command += ["-passout", f"pass:{SECRET}", "-keyout", str(key), "-out", str(cert)]
    children.run(command, check=True)
    server = [sys.executable, "-m", "server", "--tls-cert", str(cert), "--tls-key", str(key)]
    said = children.run(server, cwd=ROOT, text=True).stderr
    assert "encrypted" in said
    assert SECRET not in said
