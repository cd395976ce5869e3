"""Every code block of the documents does what the document says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT, Server, StartServer

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[object]:
    return [
        pytest.param(document, block, id=f"{document.name}-{number}")
        for document in DOCUMENTS
        for number, (found, block) in enumerate(_BLOCK.findall(document.read_text()))
        if found == language
    ]


def test_every_block_is_of_a_kind_that_is_run() -> None:
    kinds = {kind for document in DOCUMENTS for kind, _ in _BLOCK.findall(document.read_text())}
    assert kinds <= {"sh", "python", "text"}


@pytest.mark.parametrize(("document", "code"), blocks("python"))
def test_python(document: Path, code: str, start_server: StartServer) -> None:
    program = code
    if "http://127.0.0.1:8080" in code:
        program = code.replace("http://127.0.0.1:8080", start_server().url)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    printed = re.search(
        re.escape(code) + r"```\n+prints\n+```text\n(.*?)```", document.read_text(), re.S
    )
    if printed:
        assert done.stdout == printed[1]


@pytest.mark.parametrize(("document", "code"), blocks("sh"))
def test_shell(document: Path, code: str, start_server: StartServer) -> None:
    """Run what can be run inside a test; `make` targets have to exist."""
    server: Server | None = None
    for line in code.splitlines():
        if line.startswith("make "):
            target = line.split()[1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            continue
        line = re.sub(r"^python ", f"{sys.executable} ", line)
        if "127.0.0.1:8080" in line:
            server = server or start_server()
            line = line.replace("http://127.0.0.1:8080", server.url)
        done = subprocess.run(
            line, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
