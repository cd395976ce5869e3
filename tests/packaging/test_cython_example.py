"""A native processor in Cython, built against the wheel with the commands of its README."""

from __future__ import annotations

from pathlib import Path

from tests.packaging.conftest import Installed

LINES = """
{"id":"o-1","items":[{"price":2.5,"count":3},{"price":4}]}
{"id":"o-2","items":[]}
{"id":"o-3","items":[{"count":1}]}
"""
RESULTS = """\
{"id":"o-1","total":11.5}
{"id":"o-2","total":0.0}
{"status":"error","line":4,"offset":0,"code":"processor_failed","message":"an item has no price"}
"""


def test_it_processes(installed: Installed, tmp_path: Path) -> None:
    installed.install_example("cython_processor", tmp_path)
    (tmp_path / "in.ndjson").write_text(LINES)
    command = ("-m", "forstcore", "process", "in.ndjson", "--on-error", "emit")
    orders = ("--processors", "orders", "--processor", "orders")
    assert installed.run(*command, *orders, cwd=tmp_path) == RESULTS
