"""The systemd unit: checks by systemd, and its command line and settings."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from server.config import ServerConfig, load_config
from tests import children
from tests.deploy.proxies import DEPLOY, replaced
from tests.servers import ROOT, await_server

PROGRAM = "/opt/forstcore/bin/forstcore"
# The highest exposure allowed in `systemd-analyze security`; 100 means no protection.
MOST_EXPOSURE = 15


def settings(unit: str) -> dict[str, list[str]]:
    """Return the values of each key in a unit."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        name, mark, value = line.partition("=")
        if mark and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with the path of an existing program."""
    text = (DEPLOY / "forstcore.service").read_text()
    path = tmp_path / "forstcore.service"
    program = Path(sys.executable).with_name("forstcore")
    path.write_text(replaced(text, (f"ExecStart={PROGRAM}", f"ExecStart={program}")))
    return path


def analyze(*arguments: str | Path) -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze")
    done = children.run([program, *arguments], text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_has_nothing_to_say(unit: Path) -> None:
    assert analyze("verify", "--man=no", unit) == ""


def test_it_is_as_closed_as_a_network_service_can_be(unit: Path) -> None:
    said = analyze("security", "--offline=yes", "--no-pager", f"--threshold={MOST_EXPOSURE}", unit)
    assert "Overall exposure level" in said


def test_its_command_serves_and_stops_in_time(unit: Path, tmp_path: Path) -> None:
    said = settings(unit.read_text())
    (tmp_path / "token").write_text("hush\n")
    (tmp_path / "forstcore").mkdir()
    given = "\n".join(said["Environment"])
    for name, value in (
        ("/etc/forstcore/server.toml", DEPLOY / "server.toml"),
        ("%d", tmp_path),
        ("%C", tmp_path),
    ):
        given = replaced(given, (name, str(value)))
    variables = dict(line.split("=", 1) for line in given.splitlines())
    config = load_config([], variables)
    assert (config.token, config.host) == ("hush", "0.0.0.0")
    longest = config.drain_delay + config.drain_timeout
    assert longest + 10 < float(said["TimeoutStopSec"][0])
    assert 2 * config.max_streams < int(said["LimitNOFILE"][0])

    process = children.start(
        said["ExecStart"][0].split(),
        cwd=ROOT,
        # The test keeps the server on loopback, and shortens its shutdown.
        env={
            **os.environ,
            **variables,
            "FORSTCORE_HOST": "127.0.0.1",
            "FORSTCORE_PORT": "0",
            "FORSTCORE_DRAIN_DELAY": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = await_server(process)
    try:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        connection.close()
        assert server.stop() == 0
    finally:
        children.end(process)


def test_every_setting_is_an_option() -> None:
    given = tomllib.loads((DEPLOY / "server.toml").read_text())
    config = load_config(["--config", str(DEPLOY / "server.toml")], {})
    defaults = ServerConfig()
    for name, value in given.items():
        read = getattr(config, name)
        assert (list(read) if isinstance(read, tuple) else read) == value
    assert config != defaults
