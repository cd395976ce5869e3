"""The same bytes and errors whatever extras are installed."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

import forstcore
from tests import children
from tests.processors import alike
from tests.servers import ROOT

EXTRAS = [name for name in ("orjson", "msgspec") if importlib.util.find_spec(name)]


def printed(*hidden: str) -> str:
    """Return the output of the program with edge cases, with some extras hidden."""
    return children.run(
        [sys.executable, "-m", "tests.processors.alike", *hidden],
        cwd=ROOT,
        text=True,
        check=True,
    ).stdout


@pytest.mark.skipif("orjson" not in EXTRAS, reason="needs orjson")
def test_hard_cases_come_out_the_same() -> None:
    assert printed() == printed("orjson")
    assert printed("msgspec") == printed("msgspec", "orjson")


@pytest.mark.skipif("orjson" not in EXTRAS, reason="needs orjson")
def test_the_command_line_too(tmp_path: Path) -> None:
    """It shares the code for records and results with the server and with clusters."""
    data = tmp_path / "in.ndjson"
    data.write_bytes(b"\n".join(alike.LINES))
    processors = tmp_path / "processors.py"
    processors.write_text(
        "import forstcore\n"
        "@forstcore.processor('same')\n"
        "def same(record: dict) -> dict:\n"
        "    return record\n"
    )
    hide = "import sys\nsys.modules['orjson'] = None\n"
    run = "import sys\nfrom forstcore.cli import main\nsys.exit(main())\n"
    outputs = [
        children.run(
            [
                *(sys.executable, "-c", code, "process", "--processors", str(processors)),
                *("--processor", "same", "--on-error", "emit", str(data)),
            ],
            cwd=ROOT,
        )
        for code in (run, hide + run)
    ]
    assert outputs[0].stdout == outputs[1].stdout != b"", outputs[0].stderr


def test_numbers_are_exact_or_an_error() -> None:
    def same(record: dict[str, object]) -> dict[str, object]:
        return record

    for number in (2**63, 2**64 - 1, 2**64, 2**64 + 1, -(2**63) - 1, 10**300):
        line = b'{"n":%d}\n' % number
        assert b"".join(forstcore.process(line, same)) == line

    def bad(record: dict[str, object]) -> dict[str, object]:
        return {"mean": float("nan")}

    (answer,) = forstcore.process(b"{}\n", bad, on_error="emit")
    assert json.loads(answer)["code"] == "processor_failed"
