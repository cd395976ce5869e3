"""Servers that fail while they start, and signals while they end."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path

import pytest

import forstcore.compiled
from forstcore.compilation import Compilation
from forstcore.compiled import NotCompiled
from server.config import ServerConfig
from server.process.certificate_dates import warn_of_dates
from server.process.listen import tls_context
from tests import children
from tests.certificates import Certificates, expired_yesterday, make_certificates
from tests.servers import ROOT

posix = pytest.mark.skipif(os.name != "posix", reason="signals")

FAILING = """
import server.worker

def fail(*_arguments, **_options):
    raise KeyError("a mistake")

server.worker.{name} = fail
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("name", ["report_compilation", "Acceptor", "announce"])
def test_an_error_while_a_server_starts_is_the_only_one(tmp_path: Path, name: str) -> None:
    # The background tasks, which run already, end without errors of their own.
    module = tmp_path / "failing.py"
    declared = "import forstcore\nforstcore.processor('p')(lambda record: record)\n"
    module.write_text(FAILING.format(name=name) + declared)
    command = [sys.executable, "-m", "server", "--port", "0", "--processors", str(module)]
    done = children.run(command, cwd=ROOT, text=True)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.splitlines()[-1] == "KeyError: 'a mistake'"


def test_a_mistake_of_the_compiler_leaves_the_function_to_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_arguments: object) -> None:
        raise KeyError("a mistake")

    def double(record: dict[str, int]) -> int:
        return 2 * record["n"]

    monkeypatch.setattr(forstcore.compiled, "compile_processor", fail)
    compilation = Compilation(double, "dict", dict)
    assert isinstance(compilation.result, NotCompiled)
    assert compilation.program is None
    assert "the compiler failed with KeyError('a mistake')" in str(compilation.report)


@posix
@pytest.mark.parametrize("processes", ["1", "2"])
def test_repeated_sigterm_removes_the_socket_and_is_status_0(
    tmp_path: Path, processes: str
) -> None:
    path = tmp_path / "socket"
    command = [sys.executable, "-m", "server", "--unix-socket", str(path)]
    with children.started([*command, "--processes", processes], cwd=ROOT, stdout=-1) as server:
        assert server.stdout is not None
        assert b"forstcore listens on" in server.stdout.readline()
        deadline = time.monotonic() + 60
        while path.exists():
            assert time.monotonic() < deadline
            server.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert server.wait(60) == 0


def test_an_expired_certificate_is_logged(
    certificates: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expired = tmp_path / "expired.pem"
    certificate, key = certificates.path("server.pem"), certificates.path("server.key")
    command = ["openssl", "x509", "-in", certificate, "-signkey", key, "-out", str(expired)]
    children.run([*command, *expired_yesterday()], check=True)
    authorities = (None, certificates.path("friend.pem"))
    with caplog.at_level(logging.WARNING):
        for path in (certificate, str(expired)):
            for authority in authorities:
                config = ServerConfig(tls_cert=path, tls_key=key, tls_client_ca=authority)
                warn_of_dates(path, tls_context(config))
    assert [record.getMessage() for record in caplog.records] == [
        f"tls_cert {expired}: clients refuse it: certificate has expired"
    ] * len(authorities)
