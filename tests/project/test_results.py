"""The tables of the benchmarks, and the files that the one of the server writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.building import BenchmarkError
from benchmarks.core import core_rows, peers, tables
from benchmarks.core.measuring import Report
from benchmarks.programs import build, contestants
from benchmarks.results import LABELS, replace_table, table
from tests import children
from tests.servers import ROOT

QUICK = (
    # Measuring speed would be repeated while the machine is busy, as it is during tests.
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
    found = {
        "kind": "110",
        "samples": {"mine": {"64K MB/s": [3.0, 1.0, 2.0]}, "Go": {"RSS peak": [14.4]}},
    }
    go, mine = table(found).splitlines()[2:]
    assert go == f"| {LABELS['Go']} | – | – | – / – | 14 MB | – |"
    assert mine == "| mine | 2 MB/s | – | – / – | – | – |"


def test_a_document_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no table of servers"):
        replace_table("| a | b |\n|---|---|\n", {"kind": "110", "samples": {}})


def test_a_table_with_other_records_stays() -> None:
    small = {"kind": "110", "samples": {"Go": {"RSS peak": [14.4]}}}
    real = {"kind": "weblog", "samples": {"Go": {"RSS peak": [15.5]}}}
    both = replace_table(f"Before.\n\n{table(small)}\nAfter.\n", real)
    assert both == f"Before.\n\n{table(real)}\n{table(small)}\nAfter.\n"
    assert replace_table(both, real) == replace_table(both, small) == both


def test_every_peer_has_a_name_for_tables() -> None:
    try:
        build()
    except BenchmarkError:
        pytest.skip("needs a C compiler")
    assert {server.name for server in contestants()[0]} <= LABELS.keys()


def core_report(kind: str) -> Report:
    speeds = {
        core_rows.MEMCPY: [40.0],
        f"{core_rows.STREAM} [avx2]": [1.0, 4.0, 5.0],
        f"{core_rows.VALIDATION} [avx2]": [3.0],
        peers.ORJSON: [0.25],
        peers.SIMDJSON_DOM: [2.0],
    }
    return Report(kind, records=10, bytes_in=3500, notes=["one is missing"], speeds=speeds)


def test_the_table_of_the_core_shows_medians_and_leaves_out_what_is_missing() -> None:
    shown = tables.markdown([core_report("weblog")], "avx2", "a machine", "2026-01-31")
    assert shown.splitlines()[2:] == [
        "| web log, 350 bytes | 3.0 | – | 4.0 | 16 | 10 % | 0.25 | – | – | 2.0 / – |",
        "",
        "Measured on 2026-01-31: a machine.",
    ]


def test_the_table_of_the_core_is_replaced_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = tables.markdown([core_report("110")], "avx2", "a machine " * 20, "2026-01-31")
    changed = tables.replace_markdown(readme, shown)
    assert shown in changed
    assert tables.replace_markdown(changed, shown) == changed
    with pytest.raises(ValueError, match="there are 0 tables of the core, not one"):
        tables.replace_markdown("| records |\n|---|\n", shown)


def test_the_text_of_the_core_has_every_row_and_note() -> None:
    lines = tables.text_table(core_report("weblog")).splitlines()
    assert len(lines) == 2 + 5 + 1
    assert lines[3].split()[-2:] == ["0.100", "16.00"]
    assert lines[-1] == "  note: one is missing"


def test_the_core_is_measured() -> None:
    quick = ("--kinds", "tweet", "members", "--seconds", "0.001", "--processes", "1")
    found = run("benchmarks.core", *quick, "--size", "20000")
    assert found.count(f"  {core_rows.FILTER} [") == 2
    assert f"  {peers.JSON_RESULTS} " in found
