"""The reference implementation: orjson must agree with it on what is valid JSON."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from . import json_cases as cases
from .reference import is_json, load, process
from .strategies import JSON_LINES, mutated

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
orjson = pytest.importorskip(
    "orjson", reason="orjson has no free-threaded wheels" if FREE_THREADED else "needs orjson"
)


def as_floats(value: object) -> object:
    """Return every number as a float, as the reference implementation does."""
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case list():
            return [as_floats(item) for item in value]
        case dict():
            return {key: as_floats(item) for key, item in value.items()}
    return value


def orjson_takes(raw: bytes) -> bool:
    """Return whether orjson accepts this as a JSON value."""
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


@pytest.mark.parametrize("takes", [is_json, orjson_takes])
def test_table(takes: Callable[[bytes], bool]) -> None:
    """The table is right by the reference implementation and by orjson."""
    assert [raw for raw in cases.GOOD if not takes(raw)] == []
    assert [raw for raw in cases.BAD if takes(raw)] == []


@pytest.mark.parametrize("takes", [is_json, orjson_takes])
@pytest.mark.parametrize(("depth", "taken"), [(1023, True), (1024, True), (1025, False)])
def test_depth(takes: Callable[[bytes], bool], depth: int, taken: bool) -> None:
    """The reference implementation and orjson accept depth 1024 and nothing deeper."""
    assert [takes(raw) for raw in cases.deep(depth)] == [taken] * len(cases.deep(depth))


def test_values() -> None:
    """The reference implementation and orjson read the same values."""
    for raw in cases.GOOD:
        assert load(raw) == as_floats(orjson.loads(raw)), raw


@settings(max_examples=settings().max_examples * 3)
@given(st.one_of(JSON_LINES, mutated()))
def test_random_lines(raw: bytes) -> None:
    """Both read the same value, or both reject the line."""
    assert is_json(raw) == orjson_takes(raw)
    if is_json(raw):
        assert load(raw) == as_floats(orjson.loads(raw))


def test_it_follows_the_contract() -> None:
    """A small input with one line of each kind."""
    data = (
        b'\xef\xbb\xbf{"id":"a","data":"b"}\n \r\n[]\n{"id":1}\n{\n' + b"x" * 99 + b'\n{"id":null}'
    )
    outcome = process(data, "emit", max_line_size=98)
    assert outcome.rows == [
        {"id": "a", "result": "processed_b", "status": "success"},
        {"status": "error", "line": 3, "kind": "not_an_object"},
        {"status": "error", "line": 4, "kind": "wrong_type"},
        {"status": "error", "line": 5, "kind": "malformed"},
        {"status": "error", "line": 6, "kind": "line_too_long"},
        {"id": "", "result": "processed_", "status": "success"},
    ]
    assert (outcome.lines, outcome.records, outcome.errors) == (7, 2, 4)
