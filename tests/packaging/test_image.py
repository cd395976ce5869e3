"""The container file: its sources, and the start and stop of its command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import tarfile
from pathlib import Path

import pytest

from tests import children
from tests.packaging.conftest import Installed
from tests.servers import ROOT, await_server

FILE = ROOT / "deploy" / "Dockerfile"
PROGRAMS = "/opt/forstcore/bin/"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container file, each in one line."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in filter(None, text.splitlines()):
        name, _, rest = line.partition(" ")
        found.append((name, rest))
    return found


def the(name: str) -> str:
    (found,) = (rest for each, rest in instructions() if each == name)
    return found


def command_of(text: str, python: Path | str) -> list[str]:
    """Read the exec form of a command, which has no shell in it.

    Args:
        text: the instruction.
        python: the interpreter beside which the programs are.
    """
    program, *arguments = json.loads(text[text.index("[") :])
    assert program.startswith(PROGRAMS)
    return [str(Path(python).with_name(program.removeprefix(PROGRAMS))), *arguments]


def is_sent(path: str) -> bool:
    """Return whether .dockerignore lets a file through: the last pattern that matches decides."""
    sent = True
    for line in Path(f"{FILE}.dockerignore").read_text().splitlines():
        pattern = re.escape(line.removeprefix("!"))
        pattern = pattern.replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if not line.startswith("#") and re.fullmatch(f"{pattern}(/.*)?", path):
            sent = line.startswith("!")
    return sent


def test_hadolint_has_nothing_to_say() -> None:
    program = shutil.which("hadolint", path=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("needs hadolint")
    done = children.run([program, FILE], text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_is_built_from_all_that_the_wheel_needs(installed: Installed) -> None:
    copies = [rest.split()[:-1] for name, rest in instructions() if name == "COPY"]
    sources = {source for copy in copies for source in copy if not copy[0].startswith("--from")}
    with tarfile.open(installed.sdist) as archive:
        names = [each.name.partition("/")[2] for each in archive.getmembers() if each.isfile()]
    # setuptools generates these files of an sdist again.
    needed = [name for name in names if name.split("/")[0] in ("forstcore", "server")]
    needed += ["pyproject.toml", "setup.py", "README.md", "LICENSE"]
    assert [name for name in needed if name.split("/")[0] not in sources] == []
    assert [name for name in needed if not is_sent(name)] == []
    for built in (
        "forstcore/_proc.c",
        "server/http/_chunked.so",
        "server/__pycache__/a.pyc",
        ".git/HEAD",
    ):
        assert not is_sent(built)


def test_the_image_has_no_compiler_and_no_root() -> None:
    stages = [rest for name, rest in instructions() if name == "FROM"]
    assert len(stages) == 2
    assert "-slim" in stages[-1]
    # Packages installed with one Python must run on the other.
    (one, two) = (re.match(r"python:([\d.]+)-(?:slim-)?(\w+)", stage) for stage in stages)
    assert one is not None
    assert two is not None
    assert one.groups() == two.groups()
    behind = instructions()[[name for name, _ in instructions()].index("USER") :]
    assert "RUN" not in [name for name, _ in behind]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", the("USER"))


def test_what_it_starts_serves_is_healthy_and_stops(installed: Installed) -> None:
    variables = {**os.environ, **dict([the("ENV").split("=", 1)])}
    command = command_of(the("ENTRYPOINT"), installed.python)
    refused = children.run(command, env=variables, cwd="/", text=True)
    assert refused.returncode == 2
    assert "token_file" in refused.stderr
    process = children.start(
        [*command, "--host", "127.0.0.1", "--port", "0"],
        env={**variables, "FORSTCORE_TOKEN": "hush"},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = await_server(process)
    try:
        # Process 1 is not the server here, so that the port comes from the environment.
        check = command_of(the("HEALTHCHECK"), installed.python)
        asking = {**variables, "FORSTCORE_PORT": str(server.port)}
        assert children.run(check, env=asking, cwd="/").returncode == 0
        assert server.stop() == 0
        assert children.run(check, env=asking, cwd="/").returncode == 1
    finally:
        children.end(process)
