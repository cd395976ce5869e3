"""An index of filters, compared with each of the filters alone."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore import Filter, RecordStream
from forstcore._core.filter_index import FilterIndex
from forstcore._proc import PASS_ON, scan_path, scan_paths, use_scan_path
from tests.core.test_filter import FILTERS, RECORDS

LIMIT = 400


def alone(wanted: Filter) -> RecordStream:
    return RecordStream(filter=wanted, processor=PASS_ON, on_error="emit", max_line_size=LIMIT)


def check(filters: list[dict[str, Any]], batches: list[bytes]) -> int:
    """Compare the results of selected lines with those of all lines.

    Returns:
        The bytes selected for all filters.
    """
    compiled = [Filter(each) for each in filters]
    index = FilterIndex(compiled, max_line_size=LIMIT)
    whole = [alone(each) for each in compiled]
    parts = [alone(each) for each in compiled]
    size = 0
    for batch in batches:
        selected = {number: (lines, out) for number, lines, out in index.select(batch)}
        assert index.lines == batch.count(b"\n")
        for number, (expected, stream) in enumerate(zip(whole, parts, strict=True)):
            nothing = b"\n" * index.lines, index.records
            lines, left_out = selected.get(number, nothing)
            size += len(lines)
            records, filtered = stream.records, stream.filtered
            seen = expected.records, expected.filtered
            assert stream.feed(lines) == expected.feed(batch)
            assert stream.lines == expected.lines
            assert stream.errors_by_code() == expected.errors_by_code()
            assert stream.records - records + left_out == expected.records - seen[0]
            assert stream.filtered - filtered + left_out == expected.filtered - seen[1]
            assert index.records == expected.records - seen[0]
    return size


@given(
    st.lists(FILTERS, max_size=6),
    st.lists(st.lists(RECORDS, max_size=4), max_size=4),
    st.booleans(),
)
def test_as_each_filter_alone(
    filters: list[dict[str, Any]], batches: list[list[dict[str, Any]]], ascii_only: bool
) -> None:
    check(
        filters,
        [
            b"".join(json.dumps(each, ensure_ascii=ascii_only).encode() + b"\n" for each in batch)
            for batch in batches
        ],
    )


@pytest.mark.parametrize("path", scan_paths())
def test_many_filters_and_lines(path: str) -> None:
    before = scan_path()
    use_scan_path(path)
    try:
        draw = random.Random(7)
        filters: list[dict[str, Any]] = [{"device": f"d{n}"} for n in range(60)]
        filters += [{"device": [f"d{n}", f"d{n + 1}", n]} for n in range(60)]
        filters += [{"place.room": n % 7, "value": {"gte": n}} for n in range(20)]
        filters += [{"value": {"gt": n, "lte": n + 10}, "device": "d1"} for n in range(20)]
        filters += [{"device": {"ne": "d3"}}, {"error": {"exists": True}}, {}, {"x.y": {"ne": 1}}]
        filters += [{f"only{n}": True} for n in range(30)]
        batches = []
        for size in (1, 2, 500, 3, 40, 800):
            lines = [b"broken", b"", b'{"device":"d1","device":"d2"}', b"{}", b'{"x":{"y":1}}']
            lines += [b'{"long":"%b"}' % (b"x" * LIMIT), b" \r", b'{"place":{"room":1},"place":3}']
            draw.shuffle(lines)
            lines = lines if size > 30 else lines[:1]
            for number in range(size):
                record = {
                    "device": draw.choice([f"d{draw.randrange(90)}", draw.randrange(70)]),
                    "place": {"room": draw.randrange(7), "floor": number},
                    "value": draw.choice([draw.randrange(40), draw.random() * 40]),
                    **{f"only{draw.randrange(60)}": draw.random() < 0.5},
                }
                lines.insert(draw.randrange(len(lines) + 1), json.dumps(record).encode())
            batches.append(b"".join(line + b"\n" for line in lines))
        size = check(filters, batches)
        # Most filters let little through, and get no more than that and empty lines.
        assert size < len(b"".join(batches)) * len(filters) / 5
    finally:
        use_scan_path(before)


def test_numbers_beyond_doubles() -> None:
    filters: list[dict[str, Any]] = [{"n": 10**400}, {"n": 10**500}, {"n": -(10**400)}, {"n": 1}]
    check(filters, [b'{"n":1e999}\n{"n":-1e999}\n{"n":1' + b"0" * 350 + b'}\n{"n":1.0}\n'])


def test_a_filter_that_lets_everything_through_gets_the_batch_itself() -> None:
    batch = b'{"a":1}\n' * 3000
    ((number, lines, left_out),) = FilterIndex([Filter({"a": 1})], max_line_size=LIMIT).select(
        batch
    )
    assert lines is batch
    assert (number, left_out) == (0, 0)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="max_line_size"):
        FilterIndex([], max_line_size=0)
    with pytest.raises(TypeError):
        FilterIndex(["x"], max_line_size=LIMIT)  # type: ignore[list-item]
    index = FilterIndex([], max_line_size=LIMIT)
    assert index.select(b"{}\n") == []
    assert (index.lines, index.records) == (1, 1)
