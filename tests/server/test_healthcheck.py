"""The health check of a container, for each way in which its server may listen."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from server.config import ServerConfig, load_config
from server.healthcheck import is_healthy, server_arguments
from tests import children
from tests.certificates import Certificates
from tests.servers import launch, on_unix_socket


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (["/opt/bin/python", "/opt/bin/forstcore", "serve"], []),
        (["/opt/bin/python", "/opt/bin/forstcore", "serve", "--port", "9"], ["--port", "9"]),
        (["python", "-m", "server", "--unix-socket", "a b"], ["--unix-socket", "a b"]),
        (["/sbin/init"], []),
        ([], []),
    ],
)
def test_the_arguments_of_a_command_line(command: list[str], arguments: list[str]) -> None:
    found = server_arguments(b"".join(each.encode() + b"\0" for each in command))
    assert found == arguments


def test_another_port() -> None:
    server = launch()
    try:
        config = load_config(["--port", str(server.port)], {"FORSTCORE_HOST": "0.0.0.0"})
        assert is_healthy(config)
        assert server.stop() == 0
        with pytest.raises(ConnectionRefusedError):
            is_healthy(config)
    finally:
        children.end(server.process)


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with on_unix_socket(path):
        assert is_healthy(load_config(["--unix-socket", str(path)], {}))


def test_tls(certificates: Certificates) -> None:
    options = [
        *("--tls-cert", certificates.path("server.pem")),
        *("--tls-key", certificates.path("server.key")),
    ]
    server = launch(*options)
    try:
        config = load_config([*options, "--port", str(server.port)], {})
        assert is_healthy(config)
        with pytest.raises((OSError, http.client.HTTPException)):
            is_healthy(ServerConfig(port=server.port))
    finally:
        children.end(server.process)
