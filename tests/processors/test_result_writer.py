"""Results that are written in one pass have the bytes that `json` writes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forstcore._io.json_lines import _dump_any, dump_line, line_writer
from tests.processors.alike import RESULTS

TEXTS = st.one_of(
    st.text(max_size=200),
    st.text('ab"\\\x00\x1f\x7f\x80é\u2028😀/\n', max_size=100),
    st.integers(0, 200).map(lambda size: "x" * size + "\n"),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        TEXTS,
        st.integers(-(2**63), 2**63 - 1),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(TEXTS, inner)
    ),
    max_leaves=30,
)


@settings(max_examples=settings().max_examples * 4)
@given(VALUES)
def test_values_of_json(value: Any) -> None:
    expected = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    assert dump_line(value) == expected + b"\n"


@pytest.mark.parametrize("value", RESULTS, ids=lambda value: repr(type(value)))
def test_edge_cases(value: Any) -> None:
    def outcome(dump: Any) -> object:
        try:
            return dump(value)
        except (TypeError, ValueError, RecursionError) as error:
            return repr(error)

    assert outcome(dump_line) == outcome(_dump_any)


class Inner(msgspec.Struct):
    x: Any = None


class Renamed(msgspec.Struct, rename="camel"):
    some_name: Any = None


class Tagged(msgspec.Struct, tag=True):
    x: Any = None


class Sparse(msgspec.Struct, omit_defaults=True):
    x: Any = None


class Array(msgspec.Struct, array_like=True):
    x: Any = None


class Nothing(msgspec.Struct):
    pass


@dataclasses.dataclass
class Data:
    x: Any = None
    y: Any = 1


@dataclasses.dataclass
class Listed(list[Any]):
    """A list with fields is written as a list."""

    x: Any = None


AROUND: dict[str, Any] = {}


@dataclasses.dataclass
class Growing:
    """Its field, once deleted, changes the dict that is being written."""

    x: int

    def __getattr__(self, name: str) -> int:
        AROUND[f"more {len(AROUND)}"] = 1
        return 1


STRUCTS = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        *(
            inner.map(kind)
            for kind in (Inner, Renamed, Tagged, Sparse, Array, Data, lambda x: Inner([Data(x)]))
        ),
        st.builds(Data, inner, inner),
        st.just(Nothing()),
        st.lists(inner, max_size=3),
    ),
    max_leaves=5,
)


@settings(max_examples=settings().max_examples * 3)
@given(STRUCTS)
def test_dataclasses_and_structs(value: Any) -> None:
    assert dump_line(value) == _dump_any(value)


def test_odd_fields() -> None:
    assert dump_line(Listed([1])) == _dump_any(Listed([1]))
    unset: Any = Data()
    del unset.x, unset.y
    assert dump_line(unset) == b'{"x":null,"y":1}\n'
    del Data.x
    with pytest.raises(AttributeError):
        dump_line(unset)
    Data.x = None


def test_a_dict_that_changes() -> None:
    growing = Growing(1)
    del growing.x
    AROUND.update(a=1, b=growing, c=2)
    with pytest.raises(RuntimeError, match="changed size"):
        dump_line(AROUND)


def test_results_of_a_record_are_all_or_nothing() -> None:
    def fails() -> Iterator[Any]:
        yield {"a": 1}
        yield [1, 2]
        raise KeyError("x")

    writer = line_writer()
    writer.write_results([{"a": 0}])
    for bad in (fails(), [{"a": 1}, object()], {"a": object()}, (1, float("nan"))):
        with pytest.raises((KeyError, TypeError, ValueError)):
            writer.write_results(bad)
    writer.write_results({"a": n} for n in range(2))
    assert writer.size == 24
    writer.append(b"error\n", 1)
    writer.write_results(None)
    writer.write_results([])
    assert writer.lines == 4
    assert writer.take() == b'{"a":0}\n{"a":0}\n{"a":1}\nerror\n'
    assert (writer.take(), writer.size, writer.lines) == (b"", 0, 0)


def test_a_result_of_any_size() -> None:
    writer = line_writer()
    for size in (0, 1, 100, 1000, 5000, 100_000):
        for text in ("x" * size, "é" * size, "\x00" * size, "\n" * size, "x\n" * size):
            writer.write(text)
            assert writer.take() == json.dumps(text, ensure_ascii=False).encode() + b"\n"
            writer.write([text, size] * 3)
            assert json.loads(writer.take()) == [text, size] * 3
