"""Functions compile where msgspec is not installed, as after a plain `pip install forstcore`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests import children

PROGRAM = """
import dataclasses
import sys

sys.modules["msgspec"] = None  # Importing it fails.
from forstcore import processor
from forstcore.processors import REGISTRY


@dataclasses.dataclass
class Size:
    size: int


@processor("of_call")
def of_call(record: dict) -> dict:
    return {"size": len(record["data"])}


@processor("of_dict")
def of_dict(record: dict) -> dict:
    return {**record, "size": max(len(record["data"]), 1)}


@processor("of_class")
def of_class(record: dict) -> Size:
    return Size(len(record["data"]))


for declared in REGISTRY.values():
    if declared.compilation is not None:
        print(declared.name, declared.compilation.report)
"""


def test_results_of_calls(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = children.run([sys.executable, str(path)], check=True, text=True)
    assert "of_call" in done.stdout
    assert "please report" not in done.stdout
    assert "not compiled" not in done.stdout
