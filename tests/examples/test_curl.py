"""Every block of curl.md prints what stands below it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import children
from tests.examples.conftest import StartApp
from tests.servers import ROOT

_SECTIONS = re.split(r"^## ", (ROOT / "examples/curl.md").read_text(), flags=re.MULTILINE)[1:]
_BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


def shell(script: str, cwd: Path) -> str:
    done = children.run(["sh", "-euc", script], cwd=cwd, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def need_curl() -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")


def test_each_result_comes_before_the_next_record_is_sent(
    tmp_path: Path, start_app: StartApp
) -> None:
    need_curl()
    server = start_app(sys.executable, "-m", "server", "--port", "0", cwd=tmp_path)
    command = ["curl", "-sSN", "-X", "POST", "-T", ".", f"{server.url}/streaming-process"]
    with children.started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as curl:
        assert curl.stdin
        assert curl.stdout
        for number in range(3):
            curl.stdin.write(b'{"id":"%d"}\n' % number)
            curl.stdin.flush()
            assert curl.stdout.readline().startswith(b'{"id":"%d","result"' % number)


@pytest.mark.parametrize("section", [pytest.param(s, id=s.partition("\n")[0]) for s in _SECTIONS])
def test_section(section: str, tmp_path: Path, start_app: StartApp) -> None:
    need_curl()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    server = [sys.executable, "-m", "server"]
    starts_itself = "forstcore serve --" in section
    app = None if starts_itself else start_app(*server, "--port", "0", cwd=tmp_path)
    blocks = _BLOCK.findall(section)
    assert len(blocks) == section.count("```sh")
    for script, expected in blocks:
        script, starts, options = script.partition("forstcore serve")
        if app:
            script = script.replace("http://127.0.0.1:8080", app.url)
        assert shell(script, tmp_path) == expected
        if starts:
            given = shlex.split(options)
            port = [] if "--unix-socket" in given else ["--port", "0"]
            app = start_app(*server, *port, *given, cwd=tmp_path)
    assert expected, "the section shows nothing"
