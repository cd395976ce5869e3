"""Results as Parquet, read back with pyarrow."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore._io.json_lines import dump_line
from forstcore.formats import ResultFormatError
from forstcore.formats.columns import SAMPLE
from forstcore.formats.parquet_reader import read_parquet
from forstcore.formats.parquet_writer import ParquetWriter
from forstcore.formats.result_types import columns_of_results

Chunks = list[bytes]


def written(chunks: Chunks, hint: Any = None) -> bytes:
    file = io.BytesIO()
    writer = ParquetWriter(file.write, "out.parquet", columns_of_results(hint))
    for chunk in chunks:
        writer.write(chunk)
    writer.finish()
    writer.close()
    return file.getvalue()


def table_of(chunks: Chunks, hint: Any = None) -> Any:
    return pyarrow.parquet.read_table(io.BytesIO(written(chunks, hint)))


def types_of(table: Any) -> dict[str, str]:
    return {field.name: str(field.type) for field in table.schema}


def test_types_by_values() -> None:
    table = table_of(
        [
            b'{"s":"x","i":-9223372036854775808,"f":1,"b":true,"n":null,"e":[]}\n',
            b'{"s":null,"i":9223372036854775807,"f":2.5,"o":{"a":[{"b":1}]}}\n',
            b'{"o":{"a":[null,{"c":"2020-01-01T00:00:00Z"}]},"e":[null]}\n',
        ]
    )
    assert types_of(table) == {
        "s": "string",
        "i": "int64",
        "f": "double",
        "b": "bool",
        "n": "string",
        "e": "list<element: string>",
        "o": "struct<a: list<element: struct<b: int64, c: string>>>",
    }
    assert table.to_pylist()[2]["o"] == {"a": [None, {"b": None, "c": "2020-01-01T00:00:00Z"}]}
    assert table["i"].to_pylist() == [-(1 << 63), (1 << 63) - 1, None]


def test_no_results() -> None:
    assert table_of([]).num_rows == 0
    assert types_of(table_of([b""])) == {}


def test_names_and_strings_of_any_kind() -> None:
    line = dump_line({"": "", "a.b": "\0", "é\0": "\ufeff\U0001f600"})
    assert table_of([line]).to_pylist() == [{"": "", "a.b": "\0", "é\0": "\ufeff\U0001f600"}]


def test_a_member_that_is_there_twice() -> None:
    assert table_of([b'{"a":1,"b":"x","a":2}\n{"a":3}\n']).to_pylist() == [
        {"a": 2, "b": "x"},
        {"a": 3, "b": None},
    ]


def test_a_large_integer_fits_into_a_column_of_numbers() -> None:
    lines = [b'{"a":18446744073709551616}\n', b'{"a":0.5}\n']
    for chunks in (lines, lines[::-1]):
        assert sorted(table_of(chunks)["a"].to_pylist()) == [0.5, 2.0**64]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            b'{"a":1}\n{"a":"x"}\n',
            "result 2: member 'a' is a string, where its column has integers",
        ),
        (b'{"a":{"b":[true,1]}}\n', r"result 1: member 'a.b\[\]' is an integer, where"),
        (b'{"a":[]}\n{"a":{}}\n', "result 2: member 'a' is an object, where its column has arrays"),
        (b'{"a":9223372036854775808}\n', "member 'a' is 9223372036854775808, which does not fit"),
        (b'{"a":{"b":[{}]}}\n', r"member 'a.b\[\]' has only empty objects"),
        (b"{}\n", "no result has members"),
        (b'{"a":1}\n[1]\n', "result 2: is not an object"),
        (b'{"a":1}\n{"a":01}\n', "result 2: is not JSON"),
        (
            b'{"a":' + b"[" * 40 + b"]" * 40 + b"}\n",
            r"member 'a[\[\]]+' has more than 30 containers",
        ),
    ],
)
def test_what_has_no_column(lines: bytes, said: str) -> None:
    with pytest.raises(ResultFormatError, match=f"out.parquet: {said}"):
        written([lines])


def test_depths_that_are_written_can_be_read() -> None:
    for inner in (b"[" * 29 + b"]" * 29, b'{"x":' * 29 + b"1" + b"}" * 29):
        assert table_of([b'{"a":' + inner + b"}\n"]).num_rows == 1


LONG = b'{"a":1,"n":null,"t":"%s"}\n' % (b"x" * 2000)
TIMES = SAMPLE // len(LONG) + 1


@pytest.mark.parametrize(
    ("late", "said"),
    [
        (b'{"b":1}', "member 'b' has no column"),
        (b'{"a":1.5}', "member 'a' is a number, where its column has integers"),
        (b'{"a":9223372036854775808}', "member 'a' is 9223372036854775808, which does not fit"),
        (b'{"n":{}}', "member 'n' is an object, where its column has strings"),
        (b'{"t":0}', "member 't' is an integer, where its column has strings"),
        (b"null", "is not an object"),
    ],
)
def test_what_comes_late_is_named(late: bytes, said: str) -> None:
    lines = LONG * (TIMES + 7) + late + b"\n" + LONG
    with pytest.raises(ResultFormatError, match=f"result {TIMES + 8:,}: {said}"):
        written([lines])


def test_columns_do_not_depend_on_chunks() -> None:
    lines = LONG * (TIMES - 1) + b'{"b":1}\n' + LONG * 3000
    whole = written([lines])
    assert "b" in types_of(pyarrow.parquet.read_table(io.BytesIO(whole)))
    size = len(LONG) * 1000
    first = lines.index(b'{"b"')
    parts = [lines[at : min(at + size, first)] for at in range(0, first, size)]
    rest = lines[first:]
    table = table_of([*parts, rest])
    assert table.equals(pyarrow.parquet.read_table(io.BytesIO(whole)))


def test_row_groups_are_bounded() -> None:
    file = pyarrow.parquet.ParquetFile(io.BytesIO(written([LONG * 1000] * 60)))
    rows = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert sum(rows) == 60_000
    assert len(rows) > 2
    assert max(rows) * len(LONG) < 40 << 20


def test_nothing_is_written_after_an_error() -> None:
    wrote: list[bytes] = []
    writer = ParquetWriter(wrote.append, "out.parquet")
    writer.write(LONG * TIMES)
    before = len(wrote)
    with pytest.raises(ResultFormatError):
        writer.write(b'{"b":1}\n' + LONG * 3000)
    writer.close()
    del writer
    assert len(wrote) == before


texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)
# A value of each kind of column, which may be nested.
columns = st.recursive(
    st.sampled_from([st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), numbers, texts]),
    lambda inner: st.one_of(
        inner.map(lambda each: st.lists(st.none() | each, max_size=3)),
        st.dictionaries(texts, inner, min_size=1, max_size=3).map(
            lambda members: st.fixed_dictionaries({}, optional=members)
        ),
    ),
    max_leaves=6,
)
tables = st.dictionaries(texts, columns, min_size=1, max_size=4).flatmap(
    lambda members: st.lists(
        st.fixed_dictionaries(
            {}, optional={name: st.none() | each for name, each in members.items()}
        ),
        min_size=1,
        max_size=8,
    )
)


def filled(value: Any, like: Any) -> Any:
    """Fill in the members that are missing, as null, and compare numbers as such."""
    if pa.types.is_struct(like) and value is not None:
        return {field.name: filled(value.get(field.name), field.type) for field in like}
    if pa.types.is_list(like) and value is not None:
        return [filled(each, like.value_type) for each in value]
    if pa.types.is_floating(like) and value is not None:
        return math.copysign(float(value), value)
    return value


@given(tables, st.integers(1, 9), st.sampled_from([1, 1 << 20]))
def test_random_results_come_back(results: list[dict[str, Any]], size: int, parsed: int) -> None:
    lines = list(map(dump_line, results))
    chunks = [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]
    try:
        with mock.patch("forstcore.formats.sample._PARSED", parsed):
            data = written(chunks)
    except ResultFormatError as error:
        # Nothing but empty objects.
        if "empty objects" in error.reason or "no result has members" in error.reason:
            return
        raise
    table = pyarrow.parquet.read_table(io.BytesIO(data))
    row = pa.struct(list(pyarrow.parquet.read_schema(io.BytesIO(data))))
    assert table.to_pylist() == [filled(result, row) for result in results]
    again = b"".join(read_parquet(io.BytesIO(data), "out.parquet"))
    assert again == b"".join(map(dump_line, table.to_pylist()))


def reader_of(table: Any) -> Callable[[], bytes]:
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return lambda: b"".join(read_parquet(io.BytesIO(file.getvalue()), "in.parquet"))


def test_a_value_without_json_is_named() -> None:
    with pytest.raises(ValueError, match=r"in\.parquet: row 2: a value of type bytes cannot be"):
        reader_of(pa.table({"a": [None, b"x"]}))()
    with pytest.raises(ValueError, match=r"in\.parquet: row 1,501: "):
        reader_of(pa.table({"a": [1.0] * 1500 + [math.nan]}))()


def test_a_damaged_file_is_named() -> None:
    data = written([b'{"a":1}\n' * 100])
    for damaged in (data[:-5], b"", b"PAR1" + bytes(100) + data[-8:]):
        with pytest.raises((ValueError, OSError), match=r"in\.parquet"):
            list(read_parquet(io.BytesIO(damaged), "in.parquet"))
