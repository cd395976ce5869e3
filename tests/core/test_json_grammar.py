"""Valid and invalid JSON, in every place of a line where it matters.

The same cases run on the other scan paths in `test_scan_paths`.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forstcore import RecordError, parse_record
from forstcore._proc import process_block

from . import json_cases as cases
from .reference import BOM, MALFORMED, Refused, process, record, rows_of
from .strategies import JSON_LINES, RECORDS, mutated

EMPTY = b'{"id":"","result":"processed_","status":"success"}\n'


def code_of(line: bytes) -> str:
    """Return the error code of a line, which both ways to read one must agree on."""
    with pytest.raises(RecordError) as block:
        # A preceding line keeps a BOM in the tested line from being skipped.
        process_block(b"{}\n" + line, on_error="fail")
    assert block.value.line == 2
    assert 0 <= block.value.offset <= len(line)
    if not line.startswith(BOM):
        with pytest.raises(RecordError) as single:
            parse_record(line)
        assert single.value.line == 1
        assert (single.value.code, single.value.offset) == (block.value.code, block.value.offset)
    return block.value.code


@pytest.mark.parametrize("value", cases.GOOD)
def test_good_value(value: bytes) -> None:
    """A valid value is accepted as a member; as a line it must be an object."""
    line = b'{"x":' + value + b"}"
    assert process_block(line, on_error="fail") == EMPTY
    assert parse_record(line) == {"id": "", "data": ""}
    if value.strip().startswith(b"{"):
        assert parse_record(value)["data"] == ""
    else:
        assert code_of(value) == "not_an_object"


@pytest.mark.parametrize("value", cases.GOOD_STRINGS)
def test_good_string(value: bytes) -> None:
    """A valid string passes through as data and as id, and is fine as a key."""
    line = b'{"id":' + value + b',"data":' + value + b"," + value + b":1}"
    content = value[1:-1]
    output = process_block(line, on_error="fail")
    assert output == b'{"id":"%s","result":"processed_%s","status":"success"}\n' % (
        content,
        content,
    )
    id_, data = record(line)
    assert parse_record(line) == {"id": id_, "data": data}


def test_bad_value() -> None:
    """An invalid value is rejected as a member, as data, in an array and as a line."""
    for value in cases.BAD:
        assert code_of(b'{"x":' + value + b"}") in MALFORMED
        assert code_of(b'{"data":' + value + b',"id":"1"}') in MALFORMED
        assert code_of(b'{"x":[0,' + value + b"]}") in MALFORMED
        assert code_of(value) in MALFORMED


def test_bad_key() -> None:
    """An invalid string is rejected as a key."""
    for value in cases.BAD_STRINGS:
        assert code_of(b"{" + value + b":1}") in MALFORMED


def test_bad_utf8() -> None:
    """Invalid UTF-8 in a string has a separate error code."""
    for value in cases.BAD_UTF8:
        assert code_of(b'{"x":' + value + b"}") == "invalid_utf8"
        assert code_of(b'{"data":' + value + b"}") == "invalid_utf8"
        assert code_of(b"{" + value + b":0}") == "invalid_utf8"


@pytest.mark.parametrize("depth", [1, 2, 63, 64, 65, 1022, 1023])
def test_deep_enough(depth: int) -> None:
    """A member may be 1023 deep, as its record is one level more."""
    for value in cases.deep(depth):
        assert process_block(b'{"x":' + value + b"}", on_error="fail") == EMPTY


@pytest.mark.parametrize("depth", [1024, 1025, 5000, 20_000])
def test_too_deep(depth: int) -> None:
    """One level more is too deep, closed or not."""
    for value in cases.deep(depth):
        assert code_of(b'{"x":' + value + b"}") == "too_deep"
        assert code_of(b'{"x":' + value[: len(value) // 2 + 10]) in MALFORMED


@pytest.mark.parametrize(("depth", "code"), [(1024, "not_an_object"), (1025, "too_deep")])
def test_deep_line(depth: int, code: str) -> None:
    """A line that is no object has the same limit."""
    assert code_of(cases.nested(depth)) == code


@settings(max_examples=settings().max_examples * 5)
@given(st.one_of(RECORDS, JSON_LINES, mutated(), mutated(RECORDS), st.binary(max_size=20)))
def test_random_line(line: bytes) -> None:
    """Random lines are read as the reference implementation reads them."""
    line = line.replace(b"\n", b" ")
    if not line.strip(b" \t\r"):
        return
    try:
        id_, data = record(line)
    except Refused as error:
        kinds = MALFORMED if error.args[0] == "malformed" else error.args
        assert code_of(line) in kinds
    else:
        assert parse_record(line) == {"id": id_, "data": data}
        assert rows_of(process_block(line, on_error="emit")) == process(line, "emit").rows
