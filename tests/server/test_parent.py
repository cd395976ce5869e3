"""A server that ends together with the program that started it, and its ready line as JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from forstcore._version import VERSION
from tests import children
from tests.servers import ROOT, wait_until

pytestmark = pytest.mark.real_start

_SERVER = [sys.executable, "-m", "server", "--end-with-parent", "--ready-line", "json"]


def read_ready(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout
    ready: dict[str, object] = json.loads(process.stdout.readline())
    return ready


@pytest.mark.parametrize("processes", ["1", "2"])
def test_it_ends_when_its_standard_input_ends(processes: str) -> None:
    command = [*_SERVER, "--port", "0", "--processes", processes]
    with children.started(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        ready = read_ready(server)
        assert (ready["event"], ready["version"]) == ("ready", VERSION)
        assert ready["pid"] == server.pid
        assert str(ready["address"]).startswith("http://127.0.0.1:")
        assert server.stdin
        server.stdin.write("what it reads is ignored\n")
        server.stdin.close()
        assert server.wait(timeout=60) == 0


_PARENT = """
import os, subprocess, sys
read, write = os.pipe()
os.set_inheritable(write, True)
child = subprocess.Popen(sys.argv[1:], stdin=read, pass_fds=[write])
child.wait()
"""


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    # The server itself inherits the other end of the pipe, which therefore does not end.
    path = tmp_path / "s.sock"
    command = [sys.executable, "-c", _PARENT, *_SERVER, "--unix-socket", str(path)]
    with children.started(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        ready = read_ready(parent)
        assert ready["address"] == f"unix:{path}"
        server = int(str(ready["pid"]))
        os.kill(parent.pid, signal.SIGKILL)
        wait_until(lambda: not children.lives(server))
        assert not path.exists()
