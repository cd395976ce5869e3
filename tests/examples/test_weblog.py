"""The processor in a shared library: built as its README says, and compared with Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import records
from tests import children
from tests.servers import ROOT

ID = re.compile(r"/[0-9]+(?=/|$)")
UUID = re.compile(r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/|$)")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    directory = tmp_path_factory.mktemp("examples") / "weblog"
    shutil.copytree(ROOT / "examples/weblog", directory, ignore=shutil.ignore_patterns("*.so"))
    return directory


@pytest.fixture(scope="module")
def printed(directory: Path) -> str:
    """The output of the commands in the README."""
    readme = (directory / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    return shell(script, directory)


def shell(script: str, directory: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = children.run(["sh", "-euc", script], cwd=directory, env=env, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def result(record: dict[str, Any], country: str) -> str:
    request = record["request"]
    path = request["path"].partition("?")[0].lower().rstrip("/")
    values = {
        "time": record["ts"],
        "trace": record["id"],
        "method": request["method"],
        "route": ID.sub("/:id", UUID.sub("/:uuid", path)) or "/",
        "status": record["response"]["status"],
        "ms": round((request["end"] - request["start"]) * 1000),
        "country": country,
        "city": record["client"]["city"],
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def test_the_readme(printed: str) -> None:
    first, second = map(json.loads, printed.splitlines())
    assert (first["route"], first["country"]) == ("/users/:id/cart", "Chile")
    assert (second["route"], second["country"]) == ("/orders/:uuid", "Unknown")


def test_it_does_what_python_does(directory: Path, printed: str) -> None:
    lines = records.make("weblog", 1 << 20)
    (directory / "many.ndjson").write_bytes(lines)
    command = "forstcore process --processors weblog.py --processor weblog many.ndjson"
    results = shell(command, directory).splitlines()
    every = map(json.loads, lines.splitlines())
    wanted = [record for record in every if record["response"]["status"] >= 500]
    countries = [json.loads(line)["country"] for line in results]
    assert results == [result(*pair) for pair in zip(wanted, countries, strict=True)]
    codes = [record["client"]["country"] for record in wanted]
    assert {*zip(codes, countries, strict=True)} >= {("DE", "Germany"), ("XX", "Unknown")}
    assert len({*countries}) == len({*codes})
