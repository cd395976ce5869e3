"""Hostile lines, passed to a native processor that reports everything it can access."""

from __future__ import annotations

import json
import tempfile
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

from fuzz.choices import Choices
from fuzz.cuts import sizes
from fuzz.grammar import lines
from fuzz.model import by_name, integer_of, members_of, message_of, model
from fuzz.runs import MODES, Options, invariant
from tests.core.reference import BLANK, BOM, MALFORMED, Refused, load
from tests.native import build

__all__ = ["check", "tell"]

SOURCE = Path(__file__).parent.parent / "native.c"
MOST_TIMES = 50


@cache
def tell() -> object:
    """Build and load the processor, which reports everything; its file may then be deleted."""
    with tempfile.TemporaryDirectory() as directory:
        return build(SOURCE, Path(directory)).tell


def _results(line: bytes, number: int) -> list[dict[str, Any]]:
    """Return the expected results of a line."""
    if not isinstance(load(line), dict):
        raise Refused("not_an_object")
    named = by_name(members_of(line))
    why = named.get("why", b"")
    if why.startswith(b'"'):
        raise Refused("processor_failed", message_of(json.loads(why)))
    if "half" in named:
        raise Refused("processor_failed", "it left a result without end")
    times = integer_of(named.get("times", b""))
    count = 1 if times is None else times
    return [model(line, number)] * (count if 0 < count <= MOST_TIMES else 0)


def _outcome(line: bytes, number: int) -> tuple[list[dict[str, Any]], Refused | None]:
    try:
        return _results(line, number), None
    except Refused as refusal:
        return [], refusal


def _is_as_refused(row: dict[str, Any], number: int, refusal: Refused) -> bool:
    """Return whether an error line is as expected."""
    kind = "malformed" if row["code"] in MALFORMED else row["code"]
    known = (row["status"], row["line"], kind, row["message"])
    return known[: 2 + len(refusal.args)] == ("error", number, *refusal.args)


def check(data: bytes) -> None:
    """Check one input: options, then decisions for the records, or the bytes of a stream."""
    choices = Choices(data)
    options = Options(choices.pick(MODES), processor=tell())
    turns = sizes(choices)
    text = lines(choices) if choices.number(4) else choices.rest()
    run = invariant(text, turns, options)
    written = deque(json.loads(line) for line in run.output.split(b"\n")[:-1])
    records = results = errors = 0
    for number, line in enumerate(text.removeprefix(BOM).split(b"\n"), 1):
        if not line.strip(BLANK):
            continue
        expected, refusal = _outcome(line, number)
        if refusal is None:
            records += 1
            results += len(expected)
            for row in expected:
                found = written.popleft()
                if row["canonical"] is None:
                    row = {**row, "canonical": found["canonical"]}
                assert found == row
            continue
        errors += 1
        if options.on_error != "skip":
            assert _is_as_refused(written.popleft(), number, refusal)
        if options.on_error == "fail":
            break
    assert not written
    assert (run.records, run.results, run.errors) == (records, results, errors)
