"""Compiled filters, compared with the reference implementation in Python."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forstcore import Filter, FilterError, RecordStream, process_block
from forstcore._proc import PASS_ON
from tests.core.filter_reference import holds
from tests.core.json_cases import BAD
from tests.native import build

TEXTS = st.text(st.sampled_from('ab"\\\n\u0001é€\U0001f600'), max_size=4)
NUMBERS = st.sampled_from(
    [0, 1, -1, 2, 0.5, -0.0, 1e3, 1000, 2**53, 2**53 + 1, 1e308, 1e-9, 10**308]
    + [sign * (power + step) for sign in (1, -1) for power in (2**63, 2**64) for step in (-1, 0, 1)]
    + [sign * power for sign in (1, -1) for power in (2.0**63, 2.0**64, 1.5e19)]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.sampled_from(["a", "b", "ab", 'a"', "é", ""])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3)
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=5)
ORDERED = NUMBERS | TEXTS
OPERATIONS = st.dictionaries(
    st.sampled_from(["gt", "gte", "lt", "lte"]), ORDERED, min_size=1, max_size=2
) | st.one_of(
    st.fixed_dictionaries({"ne": SCALARS}),
    st.fixed_dictionaries({"prefix": TEXTS}),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
FILTERS = st.dictionaries(
    PATHS, SCALARS | st.lists(SCALARS, min_size=1, max_size=3) | OPERATIONS, max_size=2
)


def selected(wanted: dict[str, Any], data: bytes, **options: Any) -> tuple[bytes, RecordStream]:
    stream = RecordStream(filter=Filter(wanted), processor=PASS_ON, **options)
    return stream.feed(data) + stream.finish(), stream


@given(FILTERS, st.lists(RECORDS, max_size=5), st.booleans())
def test_as_the_reference(
    wanted: dict[str, Any], records: list[dict[str, Any]], ascii_only: bool
) -> None:
    lines = [json.dumps(record, ensure_ascii=ascii_only).encode() + b"\n" for record in records]
    out, stream = selected(wanted, b"".join(lines))
    expected = [line for line, record in zip(lines, records, strict=True) if holds(wanted, record)]
    assert out == b"".join(expected)
    assert (stream.lines, stream.records) == (len(lines), len(lines))
    assert (stream.results, stream.filtered) == (len(expected), len(lines) - len(expected))


@st.composite
def texts_of_objects(draw: st.DrawFn, depth: int = 0) -> str:
    """Write an object: names may come again, be escaped, and be more than are kept at hand."""
    size = draw(st.integers(30, 36)) if draw(st.integers(0, 3)) == 3 else draw(st.integers(0, 5))
    members = []
    for _ in range(size):
        name = json.dumps(draw(NAMES), ensure_ascii=draw(st.booleans()))
        if draw(st.booleans()):
            name = name.replace("a", "\\u0061")
        # About one in an object that is large, or the text would be too long to be generated.
        if depth < 3 and draw(st.integers(0, max(3, size))) == 0:
            value = draw(texts_of_objects(depth=depth + 1))
        else:
            value = json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans()))
        space = draw(st.sampled_from(["", " ", "\t"]))
        members.append(f"{name}{space}:{space}{value}{space}")
    return "{" + ",".join(members) + "}"


def conditions(most: int) -> st.SearchStrategy[dict[str, Any]]:
    values = SCALARS | st.lists(SCALARS, min_size=1, max_size=most) | OPERATIONS
    return st.dictionaries(PATHS, values, max_size=most)


def as_the_reference_on_any_text(wanted: dict[str, Any], lines: list[str]) -> None:
    out, _ = selected(wanted, "".join(f"{line}\n" for line in lines).encode())
    assert out.decode() == "".join(f"{line}\n" for line in lines if holds(wanted, json.loads(line)))


@st.composite
def alike_lines(draw: st.DrawFn) -> list[str]:
    """Write runs of records that differ in their values alone, between others."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        names = [
            json.dumps(name).replace("a", draw(st.sampled_from(["a", "\\u0061"])))
            for name in draw(st.lists(NAMES, max_size=6))
            + [f"p{i}" for i in range(draw(st.sampled_from([0, 0, 26, 32])))]
            + draw(st.lists(NAMES, max_size=3))
        ]
        for _ in range(draw(st.integers(1, 5))):
            values = [json.dumps(draw(VALUES)) for _ in names]
            members = [f"{name}:{value}" for name, value in zip(names, values, strict=True)]
            lines.append("{" + ",".join(members) + "}")
        lines += draw(st.sampled_from([[], [""], ["{"], ['{"a":1}']]))
    return lines


def records_alike_as_the_reference(wanted: dict[str, Any], lines: list[str]) -> None:
    """Known names of a record are only used for records that are written in the same way."""
    out, _ = selected(wanted, "".join(f"{line}\n" for line in lines).encode())
    records = [line for line in lines if line.endswith("}")]
    expected = [line for line in records if holds(wanted, json.loads(line))]
    assert out.decode().splitlines() == expected


def test_each_name_is_looked_up_where_an_earlier_record_failed_before_it() -> None:
    """A record that its last member filters out proves nothing about the members before."""
    lines = [f'{{"a":{a},"b":{b},"c":{c}}}' for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    for wanted in ({"a": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}, {"a": {"ne": 1}, "c": 1}, {"b": 1}):
        for order in (lines, lines[::-1]):
            expected = [line for line in order if holds(wanted, json.loads(line))]
            assert selected(wanted, "\n".join(order).encode())[0].decode().splitlines() == expected


COUNTS = [4, pytest.param(200, marks=pytest.mark.long)]


@pytest.mark.parametrize("count", COUNTS)
def test_as_the_reference_on_any_text(count: int) -> None:
    texts = st.lists(texts_of_objects(), max_size=4)
    settings(max_examples=count)(given(conditions(9), texts)(as_the_reference_on_any_text))()


@pytest.mark.parametrize("count", COUNTS)
def test_records_alike_as_the_reference(count: int) -> None:
    alike = given(conditions(6), alike_lines())
    settings(max_examples=count)(alike(records_alike_as_the_reference))()


NEAR = [
    str(sign * (power + step)) + ending
    for sign in (1, -1)
    for power in (0, 2**31, 2**53, 2**63, 2**64, 10**25, 2**1023)
    for step in (-2, -1, 0, 1, 2)
    for ending in ("", ".0", "e0", ".5")
]


@pytest.mark.parametrize("operator", ["eq", "gt", "gte", "lt", "lte", "ne"])
def test_numbers_compare_as_in_python(operator: str) -> None:
    """Whole ones exactly, however long; others as doubles, which have an exact value too."""
    lines = "".join(f'{{"n":{number}}}\n' for number in NEAR).encode()
    for text in [*NEAR, "-0", "-0.0", "1e400", str(10**4000)]:
        constant = json.loads(text)
        if constant == float("inf"):
            continue
        wanted = {"n": [constant] if operator == "eq" else {operator: constant}}
        out, _ = selected(wanted, lines)
        expected = [line for line in lines.splitlines(True) if holds(wanted, json.loads(line))]
        assert out == b"".join(expected), text


def test_one_of_many_numbers() -> None:
    lines = "".join(f'{{"n":{number}}}\n' for number in NEAR).encode()
    for start in range(0, len(NEAR), 7):
        wanted = {"n": [json.loads(number) for number in NEAR[start::3]]}
        expected = [line for line in lines.splitlines(True) if holds(wanted, json.loads(line))]
        assert selected(wanted, lines)[0] == b"".join(expected)


def test_the_last_of_a_name_counts_on_every_level() -> None:
    pad = ",".join(f'"p{i}":{i}' for i in range(40))
    for before in ("", f"{pad},"):
        cases = {
            '{%s"a":{"b":1},"a":{}}': False,
            '{%s"a":{"b":1},"a":1}': False,
            '{%s"a":{},"a":{"b":1}}': True,
            '{%s"a":{"b":2,"b":1}}': True,
            '{%s"a":{"b":1},"a":{"b":2}}': False,
            '{%s"a":{"b":2},"\\u0061":{"\\u0062":1}}': True,
        }
        for text, expected in cases.items():
            line = (text % before).encode()
            assert (selected({"a.b": 1}, line)[0] != b"") is expected, line
            assert (selected({"a.b": {"ne": 1}}, line)[0] != b"") is not expected, line
    assert selected({"a": {"exists": True}, "a.b": 1}, b'{"a":{"b":1}}')[0] != b""


def test_a_filter_of_many_conditions_holds_nothing_over_from_one_record_to_the_next() -> None:
    wanted = {f"a{i}.b": i for i in range(500)}
    record = {f"a{i}": {"b": i} for i in range(500)}
    whole = json.dumps(record).encode() + b"\n"
    parts = b"".join(json.dumps({name: value}).encode() + b"\n" for name, value in record.items())
    assert selected(wanted, parts + whole + parts + b"{}\n" + whole)[0] == whole * 2


CASES = [
    ({"t": "high"}, {"t": "high"}, True),
    ({"t": "high"}, {"t": "higher"}, False),
    ({"t": 1}, {"t": 1.0}, True),
    ({"t": 1.0}, {"t": 1}, True),
    ({"t": 1}, {"t": "1"}, False),
    ({"t": 1}, {"t": True}, False),
    ({"t": True}, {"t": True}, True),
    ({"t": None}, {"t": None}, True),
    ({"t": None}, {}, False),
    ({"t": 2**53 + 1}, {"t": 2**53}, False),
    ({"t": 2**53 + 1}, {"t": 2.0**53}, False),
    ({"t": 2.0**53}, {"t": 2**53 + 1}, False),
    ({"t": 2**63}, {"t": 2**63 - 1}, False),
    ({"t": {"lt": 2**63}}, {"t": 2**63 - 1}, True),
    ({"t": {"gt": -(2.0**64)}}, {"t": -(2**63)}, True),
    ({"t": {"gt": 5.5}}, {"t": 5}, False),
    ({"t": {"lt": -5.5}}, {"t": -5}, False),
    ({"t": {"lte": 5}}, {"t": 5.5}, False),
    ({"t": ["a", 2, None]}, {"t": 2}, True),
    ({"t": ["a", 2, None]}, {"t": 3}, False),
    ({"p.room": "k"}, {"p": {"x": 0, "room": "k"}}, True),
    ({"p.room": "k"}, {"p.room": "k"}, False),
    ({"p.room": "k"}, {"p": "room"}, False),
    ({"t": {"gte": 10, "lt": 20}}, {"t": 10}, True),
    ({"t": {"gte": 10, "lt": 20}}, {"t": 20}, False),
    ({"t": {"gt": "b"}}, {"t": "ba"}, True),
    ({"t": {"gt": "b"}}, {"t": "b"}, False),
    ({"t": {"gt": 1}}, {"t": "2"}, False),
    ({"t": {"ne": 1}}, {}, True),
    ({"t": {"ne": 1}}, {"t": 1}, False),
    ({"t": {"prefix": "ab"}}, {"t": "abc"}, True),
    ({"t": {"prefix": "ab"}}, {"t": "a"}, False),
    ({"t": {"exists": True}}, {"t": None}, True),
    ({"t": {"exists": False}}, {"u": 1}, True),
    ({"a": 1, "b": 2}, {"a": 1, "b": 2}, True),
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, False),
    ({}, {}, True),
    ({"t": 10**400}, {"t": 1}, False),
    ({"t": {"lt": 10**400}}, {"t": 1}, True),
    ({"t": "\ud800"}, {"t": "x"}, False),
]


@pytest.mark.parametrize(("wanted", "record", "expected"), CASES)
def test_cases(wanted: dict[str, Any], record: dict[str, Any], expected: bool) -> None:
    assert (selected(wanted, json.dumps(record).encode())[0] != b"") is expected


def test_the_last_of_a_name_counts() -> None:
    assert selected({"t": 1}, b'{"t":2,"t":1}')[0] != b""
    assert selected({"t": 1}, b'{"t":1,"\\u0074":2}')[0] == b""


@pytest.mark.parametrize("number", [31, 32, 33, 100])
def test_records_with_many_members(number: int) -> None:
    record = {f"m{i}": {"x": i} for i in range(number)}
    assert selected({f"m{number - 1}.x": number - 1}, json.dumps(record).encode())[0] != b""


def test_a_line_that_is_no_record_is_an_error_and_not_filtered() -> None:
    for text in BAD:
        line = b'{"t":1,"u":' + text + b"}\n"
        out, stream = selected({"t": 2}, line, on_error="emit")
        plain = RecordStream(on_error="emit")
        assert out == plain.feed(line)
        assert (stream.errors, stream.filtered) == (1, 0)


def test_before_the_built_in_processor() -> None:
    good = b'{"id":"1","data":"a","t":1}\n'
    stream = RecordStream(filter=Filter({"t": 1}), on_error="emit")
    out = stream.feed(good + b'{"id":2,"t":0}\n' + b'{"id":2,"t":1}\n')
    assert out.startswith(process_block(good) + b'{"status":"error","line":3,')
    assert (stream.records, stream.filtered, stream.results, stream.errors) == (2, 1, 1, 1)


def test_before_a_native_processor(tmp_path: Path) -> None:
    cases: ModuleType = build(Path(__file__).parent.parent / "native" / "cases.c", tmp_path)
    stream = RecordStream(filter=Filter({"times": {"gte": 2}}), processor=cases.repeat)
    assert stream.feed(b'{"times":1,"text":1}\n{"times":2,"text":2}\n') == b"2\n2\n"


@pytest.mark.parametrize(
    ("wanted", "place", "reason"),
    [
        ([], "filters", "must be an object, not list"),
        (None, "filters", "must be an object, not null"),
        ({"a": []}, "filters.a", "an empty list can never hold"),
        ({"a": {}}, "filters.a", "needs one of gt, "),
        ({"a": {"is": 1}}, "filters.a.is", "is no operator; there are gt, "),
        ({"a.b": {"gt": None}}, "filters.a.b.gt", "must be a number or a string, not null"),
        ({"a": {"lte": True}}, "filters.a.lte", "must be a number or a string, not bool"),
        ({"a": {"prefix": 1}}, "filters.a.prefix", "must be a string, not int"),
        ({"a": {"exists": 1}}, "filters.a.exists", "must be true or false, not int"),
        ({"a": [1, [2]]}, "filters.a[1]", "must be a string, a finite number"),
        ({"a": float("nan")}, "filters.a", "must be a string, a finite number"),
        ({"a": {"gt": float("inf")}}, "filters.a.gt", "must be a string, a finite number"),
        ({"a": {"ne": {}}}, "filters.a.ne", "must be a string, a finite number"),
        ({1: 1}, "filters", "has a name that is no string: 1"),
        ({"a" + ".a" * 16: 1}, "filters.a" + ".a" * 16, "goes deeper than 16 levels"),
        ({"a": [0] * 1001}, "filters", "has more than 1000 comparisons"),
        ({f"a{i}.b.c": 1 for i in range(700)}, "filters", "has more than 2000 names in its paths"),
    ],
)
def test_what_is_no_filter(wanted: Any, place: str, reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        Filter(wanted)
    assert caught.value.place == place
    assert caught.value.reason.startswith(reason)
    assert str(caught.value) == f"{place} {caught.value.reason}"


def test_repr() -> None:
    assert repr(Filter({"a": 1})) == "Filter({'a': 1})"
