"""Generated records, passed to every function that reads a record and through filters."""

from __future__ import annotations

from typing import Any

import orjson

from forstcore import Filter
from forstcore._proc import PASS_ON, parse_record, process_block, process_record
from fuzz.choices import Choices
from fuzz.cuts import sizes
from fuzz.filters import wanted
from fuzz.grammar import lines
from fuzz.oracle import as_orjson, as_reference, error_of, loaded
from fuzz.runs import MODES, Options, invariant
from tests.core.filter_reference import holds
from tests.core.reference import BLANK, BOM, is_json

__all__ = ["check"]

LIMITS = [1 << 20, 40, 64, 90, 128]


def _failing(line: bytes) -> bytes:
    return process_block(line, on_error="fail")


def _as_for_people(line: bytes) -> None:
    """Compare the functions for single records with the compiled loop."""
    wrong, failed = error_of(parse_record, line), error_of(_failing, line)
    if not line.strip(BLANK):
        # A blank line is not an error in a stream, but not a record either.
        assert (wrong is None, failed is None) == (False, True)
    elif wrong is None:
        assert orjson.loads(_failing(line)) == process_record(parse_record(line))
    else:
        assert failed is not None
        assert failed.args == wrong.args


def _as_filtered(text: bytes, selected: dict[str, Any], turns: list[int]) -> None:
    """Compare the records that a filter selects with the reference."""
    run = invariant(
        text, turns, Options(filter=Filter(selected), processor=PASS_ON, on_error="skip")
    )
    lines_in = [line.strip(BLANK) for line in text.removeprefix(BOM).split(b"\n")]
    records = [line for line in lines_in if line.startswith(b"{") and is_json(line)]
    values = [loaded(record) for record in records]
    if any(isinstance(value, MemoryError) for value in values):
        return
    kept = [line for line, value in zip(records, values, strict=True) if holds(selected, value)]
    assert run.output == b"".join(record + b"\n" for record in kept)
    assert (run.records, run.results) == (len(records), len(kept))
    assert run.filtered == len(records) - len(kept)


def check(data: bytes) -> None:
    """Check one input: options, then decisions for a filter and for the records."""
    choices = Choices(data)
    options = Options(choices.pick(MODES), choices.pick(LIMITS))
    turns = sizes(choices)
    selected = wanted(choices)
    text = lines(choices)
    as_reference(text, options, invariant(text, turns, options))
    for line in text.split(b"\n"):
        as_orjson(line)
        if not line.startswith(BOM):
            _as_for_people(line)
    _as_filtered(text, selected, turns)
