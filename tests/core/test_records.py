"""Results of records and errors of lines, from hand-written tables."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from forstcore._proc import RecordStream, process_block

from .driver import run
from .reference import BOM, process, rows_of
from .strategies import inputs

pytestmark = pytest.mark.usefixtures("scan_path")


def result(id_: str, data: str) -> bytes:
    """Return the result line of a record whose contents are unchanged."""
    return f'{{"id":"{id_}","result":"processed_{data}","status":"success"}}\n'.encode()


RESULTS = {
    "plain": ('{"id":"1","data":"a"}', "1", "a"),
    "spaced": ('{"id": "1", "data": "a"}', "1", "a"),
    "spaced in part": ('{"id": "1","data":"a"}', "1", "a"),
    "spaced in other part": ('{"id":"1", "data": "a"}\r', "1", "a"),
    "other order": ('{"data":"a","id":"1"}', "1", "a"),
    "empty object": ("{}", "", ""),
    "white space only inside": ("{ \t\r }", "", ""),
    "no id": ('{"data":"a"}', "", "a"),
    "no data": ('{"id":"1"}', "1", ""),
    "empty strings": ('{"id":"","data":""}', "", ""),
    "null id": ('{"id":null,"data":"a"}', "", "a"),
    "null data": ('{"id":"1","data":null}', "1", ""),
    "white space": (' {\t"id" : "1" ,\r"data"\t:\r"a" }\t', "1", "a"),
    "white space in a string": ('{"id":" 1 ","data":" a\u00a0"}', " 1 ", " a\u00a0"),
    "escapes stay": (r'{"id":"\"\\\/","data":"\b\f\n\r\t"}', r"\"\\\/", r"\b\f\n\r\t"),
    "unicode escapes stay": (r'{"id":"\u0041","data":"\ud83d\ude00"}', r"\u0041", r"\ud83d\ude00"),
    "UTF-8 stays": ('{"id":"é€😀","data":"\u2028\ufeff\u007f"}', "é€😀", "\u2028\ufeff\u007f"),
    "ends in a backslash": (r'{"id":"a\\","data":"\\\\"}', "a\\\\", "\\\\\\\\"),
    "brackets in strings": ('{"id":"}{","data":"][,:"}', "}{", "][,:"),
    "escaped id": (r'{"\u0069d":"1","data":"a"}', "1", "a"),
    "all escaped": (r'{"\u0069\u0064":"1","\u0064\u0061\u0074\u0061":"a"}', "1", "a"),
    "escaped with upper hex": (r'{"\u006C":"x","i\u0064":"1","dat\u0061":"a"}', "1", "a"),
    "last id wins": ('{"id":"1","id":"2"}', "2", ""),
    "last data wins": ('{"data":"a","id":"1","data":"b"}', "1", "b"),
    "last wins under escapes": (r'{"id":"1","\u0069d":"2"}', "2", ""),
    "first spelled with escapes": (r'{"i\u0064":"1","id":"2"}', "2", ""),
    "last null wins": ('{"id":"1","data":"a","id":null,"data":null}', "", ""),
    "last string after null": ('{"id":null,"id":"1"}', "1", ""),
    "earlier number forgiven": ('{"id":1,"data":[],"id":"1","data":"a"}', "1", "a"),
    "earlier object forgiven": ('{"data":{"data":{}},"data":"a"}', "", "a"),
    "earlier bool before null": ('{"id":true,"id":null}', "", ""),
    "keys of other case": ('{"ID":1,"Data":2,"DATA":3}', "", ""),
    "keys nearly right": ('{"i":1,"idd":2,"dat":3,"datas":4,"":5," id":6,"id ":7}', "", ""),
    "keys nearly right, escaped": (
        r'{"id\u0000":1,"\u0000id":2,"i\\u0064":3,"d\u00e1ta":4}',
        "",
        "",
    ),
    "keys of the same length": ('{"is":1,"ad":2,"date":3,"beta":4}', "", ""),
    "members inside others": ('{"x":{"id":1,"data":2},"id":"1","y":[{"data":3}]}', "1", ""),
    "extra members": ('{"a":[1,{"b":null}],"id":"1","c":-1.5e3,"data":"x","d":true}', "1", "x"),
    "extra strings": (r'{"a":"\u0000\"","b":"é","id":"1"}', "1", ""),
    "CR at the end": ('{"id":"1"}\r', "1", ""),
    "CRs at the end": ('{"id":"1"}\r\r \r', "1", ""),
    "long values": (f'{{"id":"{"i" * 5000}","data":"{"d" * 70000}"}}', "i" * 5000, "d" * 70000),
    "many members": ("{" + '"k":0,' * 5000 + '"id":"1"}', "1", ""),
}


@pytest.mark.parametrize(("line", "id_", "data"), RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("end", ["", "\n"], ids=["without LF", "with LF"])
def test_result(line: str, id_: str, data: str, end: str) -> None:
    """A record gives its result, byte for byte."""
    raw = (line + end).encode()
    expected = result(id_, data)
    assert process_block(raw, on_error="fail") == expected
    stream = run([raw])
    assert stream.output == expected
    assert (stream.lines, stream.records, stream.errors, stream.results) == (1, 1, 0, 1)
    assert stream.bytes_out == len(expected)


NOT_RECORDS = {
    '{"id":1}': "wrong_type",
    '{"id":0.5,"data":"a"}': "wrong_type",
    '{"id":true}': "wrong_type",
    '{"id":false}': "wrong_type",
    '{"id":[]}': "wrong_type",
    '{"id":["1"]}': "wrong_type",
    '{"id":{}}': "wrong_type",
    '{"data":1}': "wrong_type",
    '{"data":{"data":"a"}}': "wrong_type",
    '{"id":"1","id":2}': "wrong_type",
    '{"id":null,"id":false}': "wrong_type",
    '{"data":"a","data":[]}': "wrong_type",
    r'{"\u0069d":1}': "wrong_type",
    r'{"id":"1","i\u0064":1}': "wrong_type",
    r'{"d\u0061ta":1}': "wrong_type",
    "[]": "not_an_object",
    '[{"id":"1"}]': "not_an_object",
    '"id"': "not_an_object",
    "1": "not_an_object",
    "-0.5e3": "not_an_object",
    "true": "not_an_object",
    "false": "not_an_object",
    " null\r": "not_an_object",
    "{}{}": "invalid_json",
    '{"id":"1","data":"a"}x': "invalid_json",
    '{"id":"1","data":"a"}\rx': "invalid_json",
    '{"id":"1","data":"a"}\r\r}': "invalid_json",
    '{"id":"1","data":"a"]': "invalid_json",
    '{"id":"1","data":"a",}': "invalid_json",
    '{"id":"1","data":"a"': "invalid_json",
    '{"id": "1", "data": "a"}\rx': "invalid_json",
    "{} {}": "invalid_json",
    "{},{}": "invalid_json",
    "{": "invalid_json",
    "x": "invalid_json",
    ":ack 1": "invalid_json",
    "\ufeff{}": "invalid_json",
    # The fault of a later member hides the wrong type.
    '{"id":1,}': "invalid_json",
    '{"id":1,"x":"': "invalid_json",
    '{"data":[}': "invalid_json",
    "[1,]": "invalid_json",
    '"a': "invalid_json",
    "12.": "invalid_json",
}


@pytest.mark.parametrize(("line", "code"), NOT_RECORDS.items())
def test_not_a_record(line: str, code: str) -> None:
    """Such a line gives its error, and its neighbours their results."""
    data = b'{"id":"before"}\n' + line.encode() + b'\n{"id":"after"}\n'
    before, after = result("before", ""), result("after", "")
    assert process_block(data) == before + after
    stream = run([data])
    assert stream.output.startswith(before + b'{"status":"error","line":2,"offset":')
    assert f'"code":"{code}"'.encode() in stream.output
    assert stream.output.endswith(b'"}\n' + after)
    assert stream.output.count(b"\n") == 3
    assert (stream.lines, stream.records, stream.errors, stream.results) == (3, 2, 1, 2)


@pytest.mark.parametrize(
    ("data", "ids", "lines"),
    [
        (b"", [], 0),
        (b"\n", [], 1),
        (b"\n\n\n", [], 3),
        (b"\r\n", [], 1),
        (b" \t\r \n\t", [], 2),
        (b" ", [], 1),
        (b"\r", [], 1),
        (b"{}", [""], 1),
        (b"{}\n", [""], 1),
        (b"{}\n\n", [""], 2),
        (b"{}\n ", [""], 2),
        (b"\n\n{}\n\r\n \n{}", ["", ""], 6),
        (b'{"id":"1"}\r\n\r\n{"id":"2"}\r\n', ["1", "2"], 3),
        (b'{"id":"1"}\n{"id":"2"}', ["1", "2"], 2),
        (BOM + b'{"id":"1"}\n{"id":"2"}', ["1", "2"], 2),
        (BOM + b" \n{}", [""], 2),
        (BOM + b"\n{}", [""], 2),
        (BOM + b' {"id":"1"}\r', ["1"], 1),
    ],
)
def test_lines(data: bytes, ids: list[str], lines: int) -> None:
    """Blank lines give nothing but count; the last LF is optional; a first BOM is skipped."""
    expected = b"".join(result(id_, "") for id_ in ids)
    assert process_block(data, on_error="fail") == expected
    stream = run([data])
    assert stream.output == expected
    assert (stream.lines, stream.records, stream.errors) == (lines, len(ids), 0)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (BOM + BOM + b"{}", 1),
        (b" " + BOM + b"{}", 1),
        (b"\n" + BOM + b"{}", 2),
        (b"{}\n" + BOM + b"{}\n{}", 2),
        (b"{}" + BOM, 1),
        (b"{" + BOM + b"}", 1),
        (BOM + b"{}\n" + BOM + b"{}", 2),
        (BOM[:2] + b"{}", 1),
        (BOM[:1] + b"\n{}", 1),
        (BOM[:2], 1),
        (BOM[:1], 1),
        (b"\xff\xfe{}", 1),
        (b"\xef\xbb\xbe{}", 1),
    ],
)
def test_no_bom_elsewhere(data: bytes, line: int) -> None:
    """A BOM is an error in any other place, and so is a part of one."""
    stream = run([data])
    (row,) = [row for row in rows_of(stream.output) if row["status"] == "error"]
    assert row == {"status": "error", "line": line, "kind": "malformed"}
    assert stream.errors == 1
    assert run([data[at : at + 1] for at in range(len(data))]) == stream


@pytest.mark.parametrize("cut", range(5))
def test_bom_cut_between_chunks(cut: int) -> None:
    """A BOM may be divided between chunks."""
    data = BOM + b'{"id":"1"}'
    assert run([data[:cut], b"", data[cut:]]).output == result("1", "")


def test_results_come_at_once() -> None:
    """Each feed gives the results of the lines that it completes, and no others."""
    stream = RecordStream()
    assert stream.feed(b'{"id":"1"}') == b""
    assert stream.feed(b"\n") == result("1", "")
    assert stream.feed(b'{"id":"2"}\n{"id":"3"}\n{"id"') == result("2", "") + result("3", "")
    assert stream.feed(b"") == b""
    assert stream.finish() == b""
    assert stream.errors == 1


def test_finish_gives_the_last_line() -> None:
    """The last line needs no LF."""
    stream = RecordStream()
    assert stream.feed(b'{"id":"1"}') == b""
    assert stream.finish() == result("1", "")
    assert (stream.lines, stream.bytes_in, stream.bytes_out) == (1, 10, len(result("1", "")))


@settings(
    # The scan path stays the same over all examples.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(inputs())
def test_as_the_reference(data: bytes) -> None:
    """Whole random inputs give what the reference implementation gives."""
    expected = process(data, "emit")
    assert rows_of(process_block(data, on_error="emit")) == expected.rows
    stream = run([data])
    assert rows_of(stream.output) == expected.rows
    assert (stream.lines, stream.records, stream.errors) == (
        expected.lines,
        expected.records,
        expected.errors,
    )
    assert stream.results == stream.records
