"""Comparing the core with the reference implementation of the tests and with orjson."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from forstcore import RecordError
from forstcore._proc import check_object, parse_record
from fuzz.runs import Options, Run
from tests.core.reference import MALFORMED, process, rows_of

__all__ = ["as_orjson", "as_reference", "error_of", "loaded"]


def as_reference(text: bytes, options: Options, run: Run) -> None:
    """Check a run with the built-in processor against the reference implementation."""
    # Blank lines represent the lines that an earlier stream processed.
    before = options.first_line - 1
    expected = process(b"\n" * before + text, options.on_error, options.max_line_size)
    assert rows_of(run.output) == expected.rows
    assert run.lines + before == expected.lines
    assert (run.records, run.errors) == (expected.records, expected.errors)
    assert (run.results, run.filtered) == (expected.records, 0)
    assert (run.failure is not None) == expected.failed


def error_of(read: Callable[[bytes], object], line: bytes) -> RecordError | None:
    """Return the error with which a function rejects a line, None if it accepts it."""
    try:
        read(line)
    except RecordError as error:
        return error
    return None


def loaded(line: bytes) -> object:
    """Return the value that orjson reads, or its error.

    orjson allocates too little memory for some lines that consist of brackets. It then reports a
    memory error, which says nothing about the validity of the line.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return MemoryError() if "allocate memory" in str(error) else error


def as_orjson(line: bytes) -> None:
    """Compare the functions for single records with orjson."""
    wrong, refused = error_of(parse_record, line), error_of(check_object, line)
    assert wrong is None or 0 <= wrong.offset <= len(line)
    # Both functions report the same error for a line that is not an object.
    assert refused is None or (wrong is not None and wrong.args == refused.args)
    value = loaded(line)
    if isinstance(value, MemoryError):
        return
    if isinstance(value, orjson.JSONDecodeError):
        assert refused is not None
        assert refused.code in MALFORMED
    elif not isinstance(value, dict):
        assert refused is not None
        assert refused.code == "not_an_object"
    else:
        assert refused is None
        fields = {name: value.get(name) for name in ("id", "data")}
        if all(text is None or isinstance(text, str) for text in fields.values()):
            assert parse_record(line) == {name: text or "" for name, text in fields.items()}
        else:
            assert wrong is not None
            assert wrong.code == "wrong_type"
