"""Every code block of the documents works as described."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from forstcore import RecordStream
from tests import children, native
from tests.servers import ROOT, Server

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The blocks of the tutorial build on each other, and others need clusters: tests/packaging.
_ELSEWHERE = ("tutorial.md", "ray-and-spark.md")
# These start clusters, and the tests of a file.
_LONG = ("cluster.md", "CONTRIBUTING.md")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in _ELSEWHERE),
]


def blocks(language: str) -> list[object]:
    return [
        pytest.param(
            document,
            block,
            id=f"{document.name}-{number}",
            marks=[pytest.mark.long] if document.name in _LONG else [],
        )
        for document in DOCUMENTS
        for number, (found, block) in enumerate(_BLOCK.findall(document.read_text()))
        # tests/browsers runs the programs for pages.
        if found == language and (language, document.name) != ("js", "browsers.md")
    ]


def test_every_block_is_of_a_kind_that_is_run() -> None:
    kinds = {kind for document in DOCUMENTS for kind, _ in _BLOCK.findall(document.read_text())}
    assert kinds <= {"c", "sh", "python", "js", "text"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_targets_that_are_named_are_there(document: Path) -> None:
    text = document.read_text()
    named = re.findall(
        r"`((?:benchmarks|docs|examples|forstcore|fuzz|server|tests)/[\w./-]+)`", text
    )
    assert not [path for path in named if not (ROOT / path).exists()]
    targets = set(re.findall(r"`make ([a-z-]+)", text))
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize(("document", "code"), blocks("python"))
def test_python(document: Path, code: str, shared_server: Server) -> None:
    run(document, code, [sys.executable, "-c"], shared_server)


@pytest.mark.parametrize(("document", "code"), blocks("js"))
def test_javascript(document: Path, code: str, shared_server: Server) -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    run(document, code, ["node", "--input-type=module", "-e"], shared_server)


def run(document: Path, code: str, command: list[str], server: Server) -> None:
    """Run a program, and compare its output with the block below it."""
    program = code.replace("http://127.0.0.1:8080", server.url)
    done = children.run(
        [*command, program],
        cwd=ROOT,
        text=True,
    )
    assert done.stderr == ""
    printed = re.search(
        re.escape(code) + r"```\n+prints\n+```text\n(.*?)```", document.read_text(), re.S
    )
    if printed:
        assert done.stdout == printed[1]


_MODULE = """
#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyMODINIT_FUNC
PyInit_block(void)
{
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "block", NULL, 0, NULL,
                                        NULL, NULL, NULL, NULL};
    PyObject *made = PyModule_Create(&module);
    PyModule_AddObject(made, "capsule", PyCapsule_New((void *)&PROCESSOR, FST_CAPSULE, NULL));
    return made;
}
"""


@pytest.mark.parametrize(("document", "code"), blocks("c"))
def test_c(document: Path, code: str, tmp_path: Path) -> None:
    """Build a native processor, and give it the record below it."""
    text = document.read_text()
    record, result = _BLOCK.findall(text[text.index(code) + len(code) + len("```\n") :])[:2]
    (processor,) = re.findall(r"^const fst_processor (\w+) =", code, re.MULTILINE)
    source = tmp_path / "block.c"
    source.write_text(code + _MODULE.replace("PROCESSOR", processor))
    stream = RecordStream(processor=native.build(source, tmp_path).capsule)
    assert stream.feed(record[1].encode()).decode() == result[1]


@pytest.mark.parametrize(("document", "code"), blocks("sh"))
def test_shell(document: Path, code: str, shared_server: Server) -> None:
    """Run what can be run inside a test; `make` targets have to exist."""
    for line in code.splitlines():
        if line.startswith("make "):
            target = line.split()[1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            continue
        line = re.sub(r"^python ", f"{sys.executable} ", line)
        line = re.sub(r"^forstcore ", f"{sys.executable} -m forstcore ", line)
        line = line.replace("http://127.0.0.1:8080", shared_server.url)
        done = children.run(line, shell=True, cwd=ROOT, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout
