"""The files that the server benchmark writes, and the table that a document shows of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.results import LABELS, replace_table, table
from benchmarks.server import BenchmarkError, build, contestants
from tests import children
from tests.servers import ROOT

QUICK = (
    # Speed would be measured again and again while the machine is busy, as it is with tests.
    *("--measure", "latency", "memory", "--repetitions", "1"),
    *("--count", "100", "--millions", "0.1", "--stop-seconds", "0.2"),
)


def run(*command: str) -> str:
    done = children.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_a_run_is_saved_and_shown(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    try:
        build()
    except BenchmarkError:
        pytest.skip("needs a C compiler")
    run("benchmarks.server", "--servers", "C records", "C echo", *QUICK, "--save", str(tmp_path))
    (path,) = tmp_path.glob("*.json")
    found = json.loads(path.read_text())
    assert found["samples"].keys() == {"C records", "C echo"}
    for samples in found["samples"].values():
        assert {"p50 µs", "p99 µs", "RSS peak", "RSS stopped"} <= samples.keys()
    page = path.with_suffix(".md").read_text()
    assert table(found) in page
    assert f"| {LABELS['C records']} | " in page
    assert "C echo" in path.with_suffix(".svg").read_text()

    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text())
    run("benchmarks.results", str(path), "--into", str(readme))
    assert table(found) in readme.read_text()
    assert run("benchmarks.results", str(path)) == table(found)


def test_what_was_not_measured_is_left_empty() -> None:
    found = {"samples": {"mine": {"64K MB/s": [3.0, 1.0, 2.0]}, "Go": {"RSS peak": [14.4]}}}
    go, mine = table(found).splitlines()[2:]
    assert go == f"| {LABELS['Go']} | – | – | – / – | 14 MB | – |"
    assert mine == "| mine | 2 MB/s | – | – / – | – | – |"


def test_a_document_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="there are 0 tables of servers, not one"):
        replace_table("| a | b |\n|---|---|\n", {"samples": {}})


def test_every_peer_has_a_name_for_tables() -> None:
    try:
        build()
    except BenchmarkError:
        pytest.skip("needs a C compiler")
    assert {server.name for server in contestants()[0]} <= LABELS.keys()
