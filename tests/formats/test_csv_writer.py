"""Results as CSV, read back with the csv module."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore._io.json_lines import dump_line
from forstcore.formats import ResultFormatError
from forstcore.formats.csv_writer import CsvWriter


def written(chunks: list[bytes], delimiter: str = ",") -> str:
    file = io.BytesIO()
    writer = CsvWriter(file.write, "out.csv", delimiter)
    for chunk in chunks:
        writer.write(chunk)
    writer.finish()
    return file.getvalue().decode()


def rows_of(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def test_a_row_for_each_result() -> None:
    lines = [
        b'{"a":1,"b":"x"}\n',
        b'{"b":null,"a":true}\n{"c":[1,{"d":2.5}],"a":""}\n',
        b'{"a":12345678901234567890123,"b":"y,\\"z\\"\\n","c":{}}\n',
    ]
    assert written(lines) == (
        'a,b,c\n1,x,\ntrue,,\n"",,"[1,{""d"":2.5}]"\n12345678901234567890123,"y,""z""\n",{}\n'
    )


def test_no_results() -> None:
    assert written([]) == ""
    assert written([b""]) == ""


def test_a_row_is_never_an_empty_line() -> None:
    assert rows_of(written([b'{"a":null}\n{"a":""}\n{}\n'])) == [["a"], [""], [""], [""]]


def test_spaces_and_byte_order_marks_are_kept() -> None:
    text = written([b'{" a":" b "}\n{" a":"\xef\xbb\xbfc"}\n'])
    assert text == '" a"\n" b "\n"\ufeffc"\n'


members = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=3),
    max_leaves=5,
)
records = st.lists(
    st.dictionaries(members, members | values, min_size=1, max_size=4), min_size=1, max_size=12
)


@given(records, st.sampled_from(",\t"), st.integers(1, 99))
def test_random_results_come_back(results: list[dict[str, Any]], delimiter: str, size: int) -> None:
    lines = list(map(dump_line, results))
    chunks = [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]
    names, *rows = rows_of(written(chunks, delimiter), delimiter)
    assert names == list(dict.fromkeys(name for result in results for name in result))
    for result, row in zip(results, rows, strict=True):
        for name, field in zip(names, row, strict=True):
            value = result.get(name)
            if isinstance(value, str):
                assert field == value
            else:
                assert field == "" if value is None else json.loads(field) == value


def test_a_new_member_after_the_first_mib_is_named() -> None:
    line = b'{"a":"%s"}\n' % (b"x" * 1000)
    times = (1 << 20) // len(line) + 1
    early = [line] * times
    early[-1] = b'{"a":"","b":""}\n'
    assert written([*early, b'{"b":1}\n']).startswith("a,b\n")
    for chunks in ([line * times, b'{"b":1}\n'], [line * times + b'{"b":1}\n']):
        with pytest.raises(ResultFormatError, match=rf"out.csv: result {times + 1:,}: member 'b'"):
            written(chunks)


@pytest.mark.parametrize("line", [b"[1]\n", b'"a"\n', b"null\n"])
def test_a_result_that_is_no_object_is_named(line: bytes) -> None:
    with pytest.raises(ResultFormatError, match="result 2: is not an object"):
        written([b'{"a":1}\n' + line])


def test_a_result_that_is_no_json_is_named() -> None:
    with pytest.raises(ResultFormatError, match="result 3: is not JSON"):
        written([b'{"a":1}\n', b'{"a":1}\n{"a":}\n'])
