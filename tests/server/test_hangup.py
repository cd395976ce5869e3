"""SIGHUP: configuration, certificates, token and processors are reloaded, streams continue."""

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
from tests.servers import Server, StartServer, wait_until

RECORD = b'{"id":"%d","data":"x"}\n'
RELOADED = "reloaded the configuration, certificates, token and processors: "
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
    assert "the configuration is unchanged" in log
    assert "Traceback" not in log


PROCESSOR = """
from forstcore import processor

@processor({name!r})
def {name}(record: dict) -> dict:
    return {{"version": {version!r}}}
"""


def result_of(server: Server, path: str) -> bytes:
    """Return the response to one record."""
    with RawStream((server.host, server.port), path) as stream:
        stream.send_and_end(b"{}\n")
        return stream.read_rest() if stream.read_head() == 200 else b""


@pytest.mark.parametrize("processes", ["1", "2"])
def test_processors_and_limits_are_read_again(
    start_one: StartServer, tmp_path: Path, processes: str
) -> None:
    module, other, toml = (tmp_path / name for name in ("module.py", "other.py", "server.toml"))
    module.write_text(PROCESSOR.format(name="one", version="old"))
    other.write_text(PROCESSOR.format(name="two", version="new"))
    toml.write_text(f"processors = [{str(module)!r}]\n")
    server = start_one("--config", str(toml), "--processes", processes, "--no-access-log")
    with RawStream((server.host, server.port), "/one") as running:
        running.send(b"{}\n")
        assert running.read_line() == b'{"version":"old"}\n'
        module.write_text(PROCESSOR.format(name="one", version="newer"))
        both = f"processors = [{str(module)!r}, {str(other)!r}]\n"
        toml.write_text(f"{both}max_line_size = 64\nhost = 'localhost'\n")
        server.process.send_signal(signal.SIGHUP)
        becomes(b'{"version":"newer"}\n', lambda: result_of(server, "/one"))
        becomes(b'{"version":"new"}\n', lambda: result_of(server, "/two"))
        # A running stream keeps its limits and its processor.
        running.send(b"{%s}\n" % (100 * b" "))
        assert running.read_line() == b'{"version":"old"}\n'
        module.write_text("raise RuntimeError('broken')")
        toml.write_text(f"processors = [{str(module)!r}]\n")
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        becomes(b'{"version":"newer"}\n', lambda: result_of(server, "/one"))
        toml.write_text("max_line_size = 'long'\n")
        server.process.send_signal(signal.SIGHUP)
        becomes(b'{"version":"new"}\n', lambda: result_of(server, "/two"))
        running.end()
        assert running.read_rest() == b""
    assert server.stop() == 0
    assert server.process.stderr is not None
    log = server.process.stderr.read()
    assert "a change of these options needs a restart: host" in log
    assert "max_line_size, processors" in log
    assert "broken" in log
    assert "max_line_size must be an integer" in log
    assert "Traceback" not in log


DIFFERS = """
import os
if os.environ["FORSTCORE_WORKER"] == "2":
    raise RuntimeError("broken in one worker")
"""


def test_workers_log_a_reload_once(start_one: StartServer, tmp_path: Path) -> None:
    module, log = tmp_path / "module.py", tmp_path / "log"
    processor = PROCESSOR.format(name="one", version="old")
    module.write_text(processor)
    options = ("--processors", str(module), "--processes", "2", "--no-access-log")
    server = start_one(*options, log=log)
    first, second = server.await_both(lambda: result_of(server, "/one"))

    def reload(expected: str) -> list[str]:
        """Return what is logged until a text, and then by another reload, which succeeds."""
        start = len(log.read_text())

        def lines() -> list[str]:
            found = log.read_text()[start:].splitlines()
            return [line for line in found if "processor '" not in line]

        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: any(expected in line for line in lines()))
        before = lines().count(done)
        module.write_text(processor)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: lines().count(done) > before)
        return lines()

    done = f"{RELOADED}no option has changed"
    assert reload(done) == [done, done]
    module.write_text("raise RuntimeError('broken')")
    unchanged, *others = reload("unchanged")
    assert unchanged.startswith("the configuration is unchanged: cannot load processors from ")
    assert "RuntimeError: broken" in unchanged
    assert others == [done]
    module.write_text(processor + DIFFERS)
    lines = reload("broken in one worker")
    assert len(lines) == 3
    failed = next(line for line in lines if "broken in one worker" in line)
    worker = int(failed.removeprefix("worker ").partition(":")[0])
    other = first if worker == second else second
    assert failed.startswith(f"worker {worker}: the configuration is unchanged: ")
    assert sorted(lines) == sorted([failed, f"worker {other}: {done}", done])
    assert server.stop() == 0


def test_the_number_of_streams_is_read_again(start_one: StartServer, tmp_path: Path) -> None:
    toml = tmp_path / "server.toml"
    toml.write_text("max_streams = 1\n")
    server = start_one("--config", str(toml), "--no-access-log")
    with RawStream((server.host, server.port)) as first:
        first.send(RECORD % 1)
        assert first.read_line() == RESULT % 1
        assert result_of(server, "/streaming-process") == b""
        toml.write_text("max_streams = 2\n")
        server.process.send_signal(signal.SIGHUP)
        expected = b'{"id":"","result":"processed_","status":"success"}\n'
        becomes(expected, lambda: result_of(server, "/streaming-process"))
        first.send(RECORD % 2)
        assert first.read_line() == RESULT % 2
