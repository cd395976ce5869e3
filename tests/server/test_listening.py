"""Who can connect: addresses beyond loopback, TLS, and the Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from server.process.listen import _open_all as open_all
from tests import children
from tests.certificates import Certificates, tls_options
from tests.server.requests import RECORD, RESULT, ask, connect
from tests.servers import ROOT, Server, StartServer, on_unix_socket


def process_one(connection: socket.socket, host: str = "localhost") -> bytes:
    """Process a record on a connection and return the result, read before the request ends."""
    head = f"POST /streaming-process HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    record = RECORD % 1
    connection.sendall(head.encode() + b"%x\r\n%b\r\n" % (len(record), record))
    response = http.client.HTTPResponse(connection, method="POST")
    response.begin()
    assert response.status == 200
    line = response.readline()
    connection.sendall(b"0\r\n\r\n")
    assert response.read() == b""
    return line


# Addresses beyond loopback.


def run(
    *arguments: str, env: dict[str, str] | None = None, timeout: float = children.LIMIT
) -> subprocess.CompletedProcess[str]:
    return children.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        text=True,
        timeout=timeout,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_open_address_is_refused(host: str) -> None:
    done = run("--host", host, "--port", "0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for word in ("token_file", "tls_client_ca", "insecure"):
        assert word in done.stderr


@pytest.mark.parametrize("name", ["FORSTCORE_TOKEN", "FORSTCORE_TLS_CLIENT_CA"])
def test_an_empty_guard_guards_nothing(name: str) -> None:
    try:
        done = run("--host", "0.0.0.0", "--port", "0", env={name: ""})
    except subprocess.TimeoutExpired:
        pytest.fail("it listens beyond loopback for everybody")
    assert done.returncode == 2


@pytest.mark.parametrize("way", ["insecure", "token"])
def test_an_open_address_can_be_meant(start_server: StartServer, token_file: str, way: str) -> None:
    option = ["--insecure"] if way == "insecure" else ["--token-file", token_file]
    server = start_server("--host", "0.0.0.0", *option)
    server.host = "127.0.0.1"
    head = "GET /version HTTP/1.1\nHost: localhost"
    assert ask(server, head).status == (200 if way == "insecure" else 401)
    assert ask(server, "GET /version HTTP/1.1\nHost: example.test").status == 403


@pytest.mark.parametrize("processes", ["1", "2"])
def test_localhost_has_both_addresses(start_server: StartServer, processes: str) -> None:
    """Some programs try only the first that the name has for them, which may be either."""
    server = start_server("--host", "localhost", "--processes", processes)
    for host in ("127.0.0.1", "::1"):
        server.host = host
        for _ in range(20):
            with connect(server) as connection:
                assert process_one(connection) == RESULT % 1
    assert server.stop() == 0
    for host in ("127.0.0.1", "::1"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, server.port))


def test_the_port_must_be_free_on_both_addresses_of_localhost() -> None:
    """Otherwise, another program would receive some of the requests."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        done = run("--host", "localhost", "--port", str(other.getsockname()[1]))
    assert done.returncode == 1
    assert "Address already in use" in done.stderr


def test_addresses_that_the_machine_lacks_are_left_out() -> None:
    lacking, loopback = ((socket.AF_INET, (host, 0)) for host in ("192.0.2.1", "127.0.0.1"))
    (listener,) = open_all([lacking, loopback], 0)
    listener.close()
    with pytest.raises(OSError, match="Cannot assign requested address"):
        open_all([lacking, lacking], 0)


# TLS.


def test_tls(start_server: StartServer, certificates: Certificates) -> None:
    server = start_server(*tls_options(certificates))
    assert server.scheme == "https"
    with certificates.client().wrap_socket(connect(server), server_hostname="localhost") as secure:
        assert process_one(secure) == RESULT % 1
    assert server.stop() == 0


def test_a_failed_stream_is_cut_over_tls(
    start_server: StartServer, certificates: Certificates
) -> None:
    server = start_server(*tls_options(certificates))
    head = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nForst-On-Error: fail\r\n"
    body = RECORD % 1 + b"junk\n" + RECORD % 2
    with certificates.client().wrap_socket(connect(server), server_hostname="localhost") as secure:
        secure.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        got = b""
        while data := secure.recv(65536):
            got += data
    assert RESULT % 1 in got
    assert RESULT % 2 not in got
    assert not got.endswith(b"0\r\n\r\n")


def test_plain_http_gets_nothing_from_tls(
    start_server: StartServer, certificates: Certificates
) -> None:
    server = start_server(*tls_options(certificates))
    with connect(server) as connection:
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert not connection.recv(100).startswith(b"HTTP")
    with certificates.client().wrap_socket(connect(server), server_hostname="localhost") as secure:
        assert process_one(secure) == RESULT % 1


def test_mutual_tls(start_server: StartServer, certificates: Certificates) -> None:
    friends = certificates.path("friend.pem")
    # A server that requires client certificates may listen on all addresses without a token.
    server = start_server(
        *tls_options(certificates), "--tls-client-ca", friends, "--host", "0.0.0.0"
    )
    server.host = "127.0.0.1"
    for name in ("", "stranger"):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            use_tls(server, certificates.client(name))
    assert use_tls(server, certificates.client("friend")) == RESULT % 1


def use_tls(server: Server, context: ssl.SSLContext) -> bytes:
    with context.wrap_socket(connect(server), server_hostname="localhost") as secure:
        return process_one(secure)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_bad_tls_files_end_it_with_one_line(tmp_path: Path, processes: str) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    for path in (str(tmp_path / "missing.pem"), str(junk)):
        files = ("--tls-cert", path, "--tls-key", path)
        try:
            done = run("--port", "0", "--processes", processes, *files)
        except subprocess.TimeoutExpired:
            pytest.fail("it goes on without being able to serve")
        assert done.returncode in (1, 2)
        assert done.stderr.count("\n") == 1
        assert "TLS" in done.stderr or "tls_cert" in done.stderr


def test_it_does_not_start_with_a_lenient_parser() -> None:
    done = run("--port", "0", env={"AIOHTTP_NO_EXTENSIONS": "1"})
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "without its compiled HTTP parser" in done.stderr


# The Unix socket.


def process_on(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        return process_one(connection, "whatever.test")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_unix_socket_is_for_its_owner(tmp_path: Path, processes: str) -> None:
    path = tmp_path / "forst.sock"
    with on_unix_socket(path, "--processes", processes):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert process_on(path) == RESULT % 1
    assert not path.exists()


def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "forst.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    with on_unix_socket(path):
        assert process_on(path) == RESULT % 1


def test_a_live_unix_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "forst.sock"
    with on_unix_socket(path):
        done = run("--unix-socket", str(path))
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert str(path) in done.stderr
        assert process_on(path) == RESULT % 1


def test_a_busy_unix_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "forst.sock"
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(socket.socket(socket.AF_UNIX))
        busy.bind(str(path))
        busy.listen(0)
        before = path.stat().st_ino
        for _ in range(10):
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(str(path))
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert run("--unix-socket", str(path), timeout=5).returncode == 1
        assert path.stat().st_ino == before


def test_a_file_in_the_place_of_the_unix_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "forst.sock"
    path.write_text("precious")
    done = run("--unix-socket", str(path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert path.read_text() == "precious"
