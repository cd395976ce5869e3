"""Values in canonical form, as a processor in Python writes the values that it reads."""

from __future__ import annotations

import math
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forstcore import RecordStream, process
from forstcore._io.json_lines import dump_line, loads
from tests.core.json_cases import GOOD
from tests.core.strategies import STRINGS, WHITE_SPACE


def canonical(cases: ModuleType, text: bytes) -> bytes:
    """Write a value in canonical form."""
    return written(cases, b'{"v":%b}' % text)


def written(cases: ModuleType, record: bytes) -> bytes:
    """Write member "v" of a record in canonical form."""
    stream = RecordStream(processor=cases.canonical, on_error="fail")
    out = stream.feed(record) + stream.finish()
    assert (out[:1], out[-2:]) == (b"[", b"]\n")
    one, other = out[1 : len(out) // 2 - 1], out[len(out) // 2 : -2]
    assert one == other
    return one


def expected(text: bytes) -> bytes:
    return dump_line(loads(text))[:-1]


def spaced(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*(part for each in parts for part in (WHITE_SPACE, each))).map(b"".join)


def joined(elements: st.SearchStrategy[bytes], brackets: bytes) -> st.SearchStrategy[bytes]:
    """Write a container of some of the elements."""
    inner = st.lists(elements, max_size=20).map(b",".join)
    return spaced(st.just(brackets[:1]), inner, st.just(brackets[1:]))


# Few names, so that many are equal, in several spellings.
names = st.sampled_from([b'"a"', rb'"\u0061"', b'"b"', b'""', '"é"'.encode(), rb'"\u00e9"'])
numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.builds("{}.{}e{}".format, st.integers(0, 99), st.integers(0, 9999), st.integers(-320, 300)),
    st.sampled_from(["-0", "-0.0", "1E2", "1e-400", "12345678901234567890123", "0.10", "1e16"]),
)
scalars = st.one_of(
    STRINGS,
    numbers.filter(lambda text: math.isfinite(float(text))).map(str.encode),
    st.sampled_from([b"null", b"true", b"false", b"{}", b"[ ]"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        joined(spaced(inner), b"[]")
        | joined(spaced(names, st.just(b":"), inner, st.just(b"")), b"{}")
    ),
    max_leaves=30,
)


@given(values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value(cases: ModuleType, scan_path: str, value: bytes) -> None:
    assert canonical(cases, value) == expected(value)
    record = b'{"":0,"v" : %b ,"v":[ %b, %b ]}' % (value, value, value)
    assert written(cases, record) == b"[%b,%b]" % (expected(value), expected(value))


@pytest.mark.parametrize("text", GOOD)
def test_every_kind_of_value(cases: ModuleType, scan_path: str, text: bytes) -> None:
    if text.count(b"[") + text.count(b"{") <= 500:  # what Python functions read
        assert canonical(cases, text) == expected(text)


def test_an_absent_value(cases: ModuleType) -> None:
    stream = RecordStream(processor=cases.canonical)
    assert stream.feed(b'{"w":1}\n') == b"[null,null]\n"


@pytest.mark.parametrize(
    ("text", "text_out"),
    [
        (rb'"\u00e9\/\u000a\u001F\u007f\ud83d\ude00\b"', '"é/\\n\\u001f\x7f😀\\b"'),
        (rb'"\\\"\u005c\u0022\u0000"', r'"\\\"\\\"\u0000"'),
        (rb"[1.0e2, -0 ,1E16,0.00001, 12345678901234567890123]", None),
        (b'{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'),
        (
            rb'{"a":1,"b":2,"\u0061":[3] ,"a":{"b":1,"b":2},"c":0}',
            '{"a":{"b":2},"b":2,"c":0}',
        ),
        (b'{"a":{"x":1,"x":2},"a":0}', '{"a":0}'),
        (b'{"a":0,"b":1,"b":2,"a":{"c":[{"d":1,"d":2}],"e":1,"c":3},"b":{"":"","":{}}}', None),
        (b'[{"a":1,"a":2},{"a":3,"a":4},[{"b":5,"b":6}]]', '[{"a":2},{"a":4},[{"b":6}]]'),
        (b"[ ]", "[]"),
        (b"{\t}", "{}"),
    ],
)
def test_cases(cases: ModuleType, scan_path: str, text: bytes, text_out: str | None) -> None:
    assert canonical(cases, text) == expected(text)
    if text_out is not None:
        assert canonical(cases, text) == text_out.encode()


@pytest.mark.parametrize("size", [*range(70), 500, 5000])
def test_strings_of_any_size(cases: ModuleType, scan_path: str, size: int) -> None:
    for end in (b"", "é".encode(), rb"\n", rb"\u00e9", "é".encode() * 40, rb"\u0041"):
        text = b'["' + b"x" * size + end + b'","' + end + b"y" * size + b'"]'
        assert canonical(cases, text) == expected(text)


@pytest.mark.parametrize("count", [1, 2, 11, 12, 13, 14, 127, 128, 129, 1000])
@pytest.mark.parametrize("different", [1, 2, 7, 10, 100, 2000])
def test_many_members(cases: ModuleType, count: int, different: int) -> None:
    members = [b'"n%d":%d' % (number * 7 % different, number) for number in range(count)]
    text = b"{" + b", ".join(members) + b"}"
    assert canonical(cases, text) == expected(text)
    outer = b'[{"n1":%b,"n1":%b}]' % (text, text)
    assert canonical(cases, outer) == expected(outer)


@pytest.mark.parametrize("depth", [1, 100, 499])
@pytest.mark.parametrize("piece", [b'{"a":1,"b":%b}', b'{"a":%b,"a":2}', b'{"a":0,"a":%b,"b":1}'])
def test_deep_ones(cases: ModuleType, piece: bytes, depth: int) -> None:
    before, after = piece.split(b"%b")
    text = before * depth + b"[]" + after * depth
    assert canonical(cases, text) == expected(text)


def test_the_deepest(cases: ModuleType) -> None:
    text = b'{"a":0,"a":' * 1023 + b"1" + b"}" * 1023
    assert canonical(cases, text) == b'{"a":' * 1023 + b"1" + b"}" * 1023


def test_numbers_that_grow(cases: ModuleType) -> None:
    text = b"[" + b",".join([b"1e15"] * 100_000) + b"]"
    assert canonical(cases, text) == b"[" + b",".join([b"1000000000000000.0"] * 100_000) + b"]"


def test_a_dict_processor_agrees(cases: ModuleType) -> None:
    """The other tests expect the output of a processor in Python."""
    value = rb'{"b" : 1.50, "a":[1e5,-0, 1E16, 12345678901234567890123], "b":"\u00e9\/"}'
    (out,) = process(b'{"v":%b}' % value, lambda record: record["v"])
    assert out == canonical(cases, value) + b"\n"


def test_strings_at_the_end_of_the_output(cases: ModuleType, scan_path: str) -> None:
    """The copy of a string with vectors stays within the memory of the output."""
    for size in range(0, 600, 7):
        text = b'["%b\\u00e9"]' % (b"x" * size)
        assert canonical(cases, text) == expected(text)
        assert canonical(cases, b"[" + b"[]," * size + text + b"]").endswith(expected(text) + b"]")
