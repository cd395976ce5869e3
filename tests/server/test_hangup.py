"""SIGHUP: certificates and the token are reloaded, streams continue."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.certificates import make_certificates, tls_options
from tests.server.raw import RawStream
from tests.servers import Server, StartServer

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'

needs_hangup = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a POSIX signal")
pytestmark = needs_hangup


def answer(server: Server, token: str) -> int:
    """Return the status of a request with a token."""
    with RawStream(
        (server.host, server.port), headers={"Authorization": f"Bearer {token}"}
    ) as stream:
        stream.end()
        return stream.read_head()


def becomes(expected: object, look: Callable[[], object]) -> None:
    """Wait until something is as expected, ten times in a row: each process may answer."""
    right = 0
    deadline = time.monotonic() + 20
    while right < 10:
        assert time.monotonic() < deadline
        right = right + 1 if look() == expected else 0
        time.sleep(0.02)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_token_is_read_again(start_one: StartServer, tmp_path: Path, processes: str) -> None:
    file = tmp_path / "token"
    file.write_text("before\n")
    server = start_one("--token-file", str(file), "--processes", processes, "--no-access-log")
    with RawStream(
        (server.host, server.port), headers={"Authorization": "Bearer before"}
    ) as stream:
        stream.send(RECORD % 1)
        assert stream.read_line() == RESULT % 1
        if processes == "2":
            server.await_both(lambda: answer(server, "before") == 200)
        file.write_text("after\n")
        server.process.send_signal(signal.SIGHUP)
        becomes(200, lambda: answer(server, "after"))
        assert answer(server, "before") == 401
        file.write_text("\n")
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        becomes(200, lambda: answer(server, "after"))
        file.unlink()
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        becomes(200, lambda: answer(server, "after"))
        stream.send_and_end(RECORD % 2)
        assert stream.read_rest() == RESULT % 2
    assert server.stop() == 0
    assert server.process.stderr is not None
    log = server.process.stderr.read()
    assert "is empty" in log
    assert f"cannot read {file}" in log
    assert "before" not in log.replace("as they were before", "")
    assert "after" not in log


def test_a_token_of_the_environment_stays(start_one: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("file\n")
    server = start_one("--token-file", str(file), env={"FORSTCORE_TOKEN": "environment"})
    server.process.send_signal(signal.SIGHUP)
    becomes(200, lambda: answer(server, "environment"))
    assert answer(server, "file") == 401


@pytest.mark.parametrize("processes", ["1", "2"])
def test_certificates_are_read_again(
    start_one: StartServer, tmp_path: Path, processes: str
) -> None:
    used, others = tmp_path / "used", tmp_path / "others"
    used.mkdir()
    others.mkdir()
    first, second = make_certificates(used), make_certificates(others)
    contexts = {"first": first.client(), "second": second.client()}
    server = start_one(*tls_options(first), "--processes", processes, "--no-access-log")

    def connect(client: ssl.SSLContext) -> ssl.SSLSocket:
        plain = socket.create_connection((server.host, server.port), timeout=60)
        return client.wrap_socket(plain, server_hostname="localhost")

    def shown() -> str:
        for name, client in contexts.items():
            try:
                connect(client).close()
            except ssl.SSLCertVerificationError:
                continue
            return name
        return "another"

    assert shown() == "first"
    if processes == "2":
        server.await_both(lambda: shown() == "first")
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(contexts["first"]) as kept:
        kept.sendall(request)
        assert kept.recv(1 << 16).startswith(b"HTTP/1.1 200")
        for name in ("server.pem", "server.key"):
            shutil.copy(others / name, used / name)
        server.process.send_signal(signal.SIGHUP)
        becomes("second", shown)
        (used / "server.pem").write_text("no certificate")
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        becomes("second", shown)
        kept.sendall(request)
        assert kept.recv(1 << 16).startswith(b"HTTP/1.1 200")
    assert server.stop() == 0
    assert server.process.stderr is not None
    log = server.process.stderr.read()
    assert "certificates and token are unchanged" in log
    assert "Traceback" not in log
