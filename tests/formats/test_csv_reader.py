"""CSV as NDJSON, compared with what the csv module reads."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore.formats.csv_reader import REJECTED_LINE, CsvReader

Bad = list[tuple[int, str, int, bytes, bool]]


def converted(
    data: bytes, cut: int = 1 << 20, delimiter: str = ",", longest: int = 1 << 20
) -> tuple[bytes, Bad]:
    bad: Bad = []
    reader = CsvReader("in.csv", delimiter, longest, lambda *row: bad.append(row))
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    return b"".join(reader.convert(pieces)), bad


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a,b\n1,2\n", b'\n{"a":"1","b":"2"}\n'),
        (b"a,b\r\n1,2\r\n", b'\n{"a":"1","b":"2"}\n'),
        (b"a,b\n1,", b'\n{"a":"1","b":""}\n'),
        (b"a\n\n1\n\n", b'\n\n{"a":"1"}\n\n'),
        (b'\xef\xbb\xbf"a,\n",b\n1,2\n', b'\n\n{"a,\\n":"1","b":"2"}\n'),
        (
            b'a,b\n1,"x\r\n\n""y"\n3,4\n',
            b'\n{"a":"1","b":"x\\r\\n\\n\\"y"}\n\n\n{"a":"3","b":"4"}\n',
        ),
        (b"a\nx\0y\n", b'\n{"a":"x\\u0000y"}\n'),
        (b'a\nx"y\n', b'\n{"a":"x\\"y"}\n'),
        ("a\n\u2028x\x0b\n".encode(), b'\n{"a":"\xe2\x80\xa8x\\u000b"}\n'),
        (b"a,b\n", b"\n"),
        (b"", b""),
        (b"\xef\xbb\xbf", b""),
    ],
)
def test_each_line_has_its_place(data: bytes, lines: bytes) -> None:
    for cut in (1, 2, 3, 1000):
        assert converted(data, cut) == (lines, [])


@pytest.mark.parametrize(
    ("data", "line", "why", "place", "raw", "is_cut"),
    [
        (b"a,b\n1\n2,3\n", 2, "1 field, but 2 columns", 1, b"1", False),
        (b"a,b\n1,2,3\r\n2,3\n", 2, "3 fields, but 2 columns", 4, b"1,2,3", False),
        (b'a,b\n1,"x\ny",z\n2,3\n', 2, "3 fields, but 2 columns", 4, b'1,"x', True),
        (b'a,b\n1,"x"y\n2,3\n', 2, "text after a closing quote", 5, b'1,"x"y', False),
        (b'a,b\n1,"x\n2,3\n', 2, "a quote is not closed", 2, b'1,"x', True),
        (b'a,b\n1,"x\n2,"3"\n', 2, "text after a closing quote", 4, b'1,"x', True),
        (b"a,b\n1,\xff\n2,3\n", 2, "not UTF-8", 2, b"1,\xff", False),
        (b"a,b\n1\r2,2\n2,3\n", 2, "a carriage return that ends no line", 1, b"1\r2,2", False),
        (b"a,b\n1," + b"x" * 60 + b"\n2,3\n", 2, "longer than 50 bytes, or a quote is not closed",
         50, b"1," + b"x" * 48, True),
        (b'a,b\n1,"x\n' + b"y,z\n" * 20 + b'"\n', 2,
         "longer than 50 bytes, or a quote is not closed", 4, b'1,"x', True),
    ],
)  # fmt: skip
def test_an_invalid_row_costs_no_other(
    data: bytes, line: int, why: str, place: int, raw: bytes, is_cut: bool
) -> None:
    for cut in (1, 2, 3, 1000):
        lines, bad = converted(data, cut, longest=50)
        assert bad[0] == (line, why, place, raw, is_cut)
        made = lines.split(b"\n")
        assert made[line - 1] == REJECTED_LINE[:-1]
        assert lines.count(b"\n") == data.count(b"\n")
        if len(bad) == 1:
            assert json.loads(made[-2]) == {"a": "2", "b": "3"}
        else:
            assert made[line:-2] == [b'{"a":"y","b":"z"}'] * 20


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a,b,a\n", "line 1: the name 'a' occurs twice"),
        (b"\n\n\xff\n", "line 3: the names are not UTF-8"),
        (b'a,"b\n1,2\n', "line 1: no names can be read: a quote is not closed"),
        (b"x" * 100, "line 1: no names can be read: longer than 50 bytes"),
        (b"a,b\r1,2\r", "line 1: no names can be read: a carriage return"),
    ],
)
def test_names_that_cannot_be(data: bytes, why: str) -> None:
    for cut in (1, 1000):
        with pytest.raises(ValueError, match=f"in.csv, {why}"):
            converted(data, cut, longest=50)


fields = st.text(st.characters(codec="utf-8"), max_size=6) | st.text('",\n\r\t x', max_size=6)


@given(st.lists(st.tuples(fields, fields), max_size=20), st.sampled_from(",\t"), st.integers(1, 50))
def test_what_the_csv_module_writes(rows: list[tuple[str, str]], delimiter: str, cut: int) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([("a", "b"), *rows])
    data = file.getvalue().encode()
    lines, bad = converted(data, cut, delimiter)
    assert bad == []
    assert lines.count(b"\n") == data.count(b"\n")
    found = [json.loads(line) for line in lines.split(b"\n") if line]
    assert found == [{"a": a, "b": b} for a, b in rows]


@given(st.text('",\n\rxé', max_size=40), st.sampled_from([8, 1000]))
def test_any_text_cut_anywhere(text: str, longest: int) -> None:
    data = b"h,i\n" + text.encode()
    whole = lines, bad = converted(data, longest=longest)
    for cut in (1, 2, 3, 7):
        assert converted(data, cut, longest=longest) == whole
    assert lines.count(b"\n") == data.count(b"\n") + (not data.endswith(b"\n"))
    assert [number for number, line in enumerate(lines.split(b"\n"), 1) if line == b"!"] == [
        row[0] for row in bad
    ]
    if not bad:
        rows = csv.reader(io.StringIO(data.decode(), newline="\n"), strict=True)
        want = [dict(zip("hi", row, strict=True)) for row in list(rows)[1:] if row]
        assert [json.loads(line) for line in lines.split(b"\n") if line] == want
