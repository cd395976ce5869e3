"""Errors: their codes and places, what each mode makes of them, the exceptions."""

from __future__ import annotations

import copy
import json
import pickle
import re

import pytest

from forstcore import ForstError, RecordError, StreamStateError, parse_record
from forstcore._proc import LineSplitter, RecordStream, process_block

from .driver import run
from .reference import BOM

# The place is that of the first byte that cannot be right, or the length of the
# line where something is missing at its end. A word, a number, an escape or a
# UTF-8 sequence that is wrong as a whole is named by its first byte.
ERRORS = [
    (b"{", "invalid_json", 1),
    (b'{"id', "invalid_json", 4),
    (b'{"id"', "invalid_json", 5),
    (b'{"id":', "invalid_json", 6),
    (b'{"id":"a', "invalid_json", 8),
    (b'{"id":"a\\', "invalid_json", 9),
    (b'{"id":"a"', "invalid_json", 9),
    (b'{"id":"a",', "invalid_json", 10),
    (b'{"x":[1,', "invalid_json", 8),
    (b'{"x":-', "invalid_json", 6),
    (b'{"id":"a",}', "invalid_json", 10),
    (b'{"id" "a"}', "invalid_json", 6),
    (b'{"id":"a" "b":1}', "invalid_json", 10),
    (b'{"x":[1 2]}', "invalid_json", 8),
    (b'{"x":[1,]}', "invalid_json", 8),
    (b'{"x":[1}}', "invalid_json", 7),
    (b"{,}", "invalid_json", 1),
    (b"{id:1}", "invalid_json", 1),
    (b"{'id':1}", "invalid_json", 1),
    (b'{"x":+1}', "invalid_json", 5),
    (b'{"x":.5}', "invalid_json", 5),
    (b'{"x":NaN}', "invalid_json", 5),
    (b'{"x":01}', "invalid_json", 5),
    (b'{"x":-01}', "invalid_json", 6),
    (b'{"x":1e999}', "invalid_json", 5),
    (b'{"x":tru}', "invalid_json", 5),
    (b'{"x":nulL}', "invalid_json", 5),
    (b'{"x":fals', "invalid_json", 9),
    (rb'{"id":"a\x"}', "invalid_json", 8),
    (rb'{"id":"a\u00g0"}', "invalid_json", 8),
    (rb'{"id":"a\ud800"}', "invalid_json", 8),
    (rb'{"id":"a\udc00"}', "invalid_json", 8),
    (rb'{"id":"a\ud8', "invalid_json", 12),
    (b'{"x":-}', "invalid_json", 6),
    (b'{"x":1.}', "invalid_json", 7),
    (b'{"x":1e}', "invalid_json", 7),
    (b'{"x":1e+}', "invalid_json", 8),
    (b'{"x":\x00}', "invalid_json", 5),
    (b"x", "invalid_json", 0),
    (b" ]", "invalid_json", 1),
    (b"{} {}", "invalid_json", 3),
    (b"{}x", "invalid_json", 2),
    (b'{"id":"\x01"}', "invalid_json", 7),
    (b'{"data":"aaa\x1f"}', "invalid_json", 12),
    (b'{"a\tb":1}', "invalid_json", 3),
    (b'{"data":"\xff"}', "invalid_utf8", 9),
    (b'{"id":"aa\x80"}', "invalid_utf8", 9),
    (b'{"x":"\xc0\xaf"}', "invalid_utf8", 6),
    (b'{"\xf8":1}', "invalid_utf8", 2),
    (b'{"x":"\xe2\x28\xa1"}', "invalid_utf8", 6),
    (b'{"x":"a\xf0\x9f\x98"}', "invalid_utf8", 7),
    (b'{"x":' + b"[" * 1024, "too_deep", 5 + 1023),
    (b'{"a":' * 1025, "too_deep", 5 * 1024),
    (b" " + b"[" * 1025, "too_deep", 1 + 1024),
    (b"[]", "not_an_object", 0),
    (b' \t"a"', "not_an_object", 2),
    (b"-1.5", "not_an_object", 0),
    (b"null", "not_an_object", 0),
    (b'{"id":1}', "wrong_type", 6),
    (b'{"id": true}', "wrong_type", 7),
    (b'{"id":"a","data":{"id":""}}', "wrong_type", 17),
    (b'{"data":\t[],"id":"a"}', "wrong_type", 9),
    (b'{"id":1,"id":-2}', "wrong_type", 13),
    (rb'{"\u0069d":false}', "wrong_type", 11),
    (b" " * 2001, "line_too_long", 2000),
]
LIMIT = 2000
ERROR_LINE = re.compile(
    rb'\{"status":"error","line":([0-9]+),"offset":([0-9]+),"code":"([a-z0-9_]+)",'
    rb'"message":"[ -~]+"\}\n'
)


def parts(output: bytes) -> tuple[int, int, str]:
    """Give line, offset and code of an error line whose every byte is as it must be."""
    match = ERROR_LINE.fullmatch(output)
    assert match
    assert len(json.loads(output)) == 5
    return int(match[1]), int(match[2]), match[3].decode()


@pytest.mark.parametrize("before", [b"", b"{}\n\n"], ids=["line 1", "line 3"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\n{}"], ids=["at the end", "with LF", "not last"])
def test_code_and_place(before: bytes, after: bytes) -> None:
    """Code, line and offset are exact, in both modes that tell them."""
    for line, code, offset in ERRORS:
        limit = LIMIT if len(line) < 2500 else 1 << 20
        data = before + line + after
        number = before.count(b"\n") + 1
        head = process_block(before)
        tail = process_block(after)
        output = process_block(data, on_error="emit", max_line_size=limit)
        assert output.startswith(head)
        assert output.endswith(tail)
        error_line = output[len(head) : len(output) - len(tail)]
        assert parts(error_line) == (number, offset, code)
        assert run([data], max_line_size=limit).output == output

        with pytest.raises(RecordError) as caught:
            process_block(data, on_error="fail", max_line_size=limit)
        error = caught.value
        assert (error.line, error.offset, error.code) == (number, offset, code)
        assert error.message == json.loads(error_line)["message"]
        if code != "line_too_long" and not before:
            with pytest.raises(RecordError) as single:
                parse_record(line)
            assert single.value.args == error.args


def test_a_bom_counts_in_the_offset() -> None:
    """The offset is counted from the first byte of the line, BOM included."""
    output = process_block(BOM + b'{"id":1}\n{"id":1}', on_error="emit")
    first, second = output.splitlines(keepends=True)
    assert parts(first) == (1, 9, "wrong_type")
    assert parts(second) == (2, 6, "wrong_type")


def test_skip_only_counts() -> None:
    """In mode skip, errors are only counted."""
    stream = RecordStream()
    assert stream.feed(b"x\n{}\n[]\n") == process_block(b"{}")
    assert stream.finish() == b""
    assert (stream.lines, stream.records, stream.errors, stream.failed) == (3, 1, 2, False)


def test_emit_counts() -> None:
    """An error line is output but no result."""
    stream = RecordStream(on_error="emit")
    output = stream.feed(b"x\n{}\n[]") + stream.finish()
    assert [json.loads(line)["status"] for line in output.splitlines()] == [
        "error",
        "success",
        "error",
    ]
    assert (stream.lines, stream.records, stream.errors, stream.results) == (3, 1, 2, 1)
    assert stream.bytes_out == len(output)
    assert not stream.failed


def test_fail_in_feed() -> None:
    """A failed stream gives its output up to the error, and then nothing but the error."""
    stream = RecordStream(on_error="fail")
    assert stream.feed(b"{}\n") == process_block(b"{}")
    assert not stream.failed
    output = stream.feed(b'{}\n{"id":1}\n{}\n[]\n')
    result = process_block(b"{}")
    assert output.startswith(result)
    assert parts(output.removeprefix(result)) == (3, 6, "wrong_type")
    assert stream.failed
    counters = (stream.lines, stream.records, stream.errors, stream.results)
    assert counters == (3, 2, 1, 2)
    assert stream.bytes_out == 2 * len(result) + len(output) - len(result)
    for _ in range(3):
        with pytest.raises(RecordError) as caught:
            stream.feed(b"{}\n")
        error = caught.value
        assert (error.code, error.line, error.offset) == ("wrong_type", 3, 6)
        with pytest.raises(RecordError) as caught:
            stream.finish()
        assert caught.value.args == error.args
    assert (stream.lines, stream.records, stream.errors, stream.results) == counters
    assert stream.failed


def test_fail_in_finish() -> None:
    """The last line may be the one that fails."""
    stream = RecordStream(on_error="fail")
    assert stream.feed(b'{}\n{"id"') == process_block(b"{}")
    assert not stream.failed
    assert parts(stream.finish()) == (2, 5, "invalid_json")
    assert stream.failed
    assert (stream.lines, stream.records, stream.errors) == (2, 1, 1)
    # A failed and a finished stream both refuse input; either exception may be raised.
    with pytest.raises(ForstError):
        stream.feed(b"{}\n")
    with pytest.raises(ForstError):
        stream.finish()


def test_fail_with_a_long_line() -> None:
    """A long line fails like any other error, at the latest with its LF."""
    stream = RecordStream(on_error="fail", max_line_size=10)
    output = stream.feed(b"{}\n" + b" " * 8)
    output += stream.feed(b" " * 8 + b"\n{}\n")
    assert parts(output.removeprefix(process_block(b"{}"))) == (2, 10, "line_too_long")
    assert stream.failed
    with pytest.raises(RecordError, match="line_too_long"):
        stream.feed(b"")


def test_good_input_never_fails() -> None:
    """Without an error mode fail is as any other."""
    stream = RecordStream(on_error="fail")
    assert stream.feed(b"{}\n\n{}") + stream.finish() == process_block(b"{}\n{}")
    assert not stream.failed


def test_after_finish() -> None:
    """A finished stream takes nothing more."""
    stream = RecordStream()
    stream.feed(b"{}")
    stream.finish()
    splitter = LineSplitter()
    splitter.finish()
    for _ in range(2):
        with pytest.raises(StreamStateError):
            stream.feed(b"{}\n")
        with pytest.raises(StreamStateError):
            stream.finish()
        with pytest.raises(StreamStateError):
            splitter.feed(b"{}\n")
        with pytest.raises(StreamStateError):
            splitter.finish()
    assert (stream.lines, stream.bytes_in) == (1, 2)


def test_exception_text_and_copies() -> None:
    """The exception has all details, and can be copied and pickled."""
    with pytest.raises(RecordError) as caught:
        process_block(b'{}\n{"id":1}', on_error="fail")
    error = caught.value
    assert str(error) == f"line 2, byte 6: {error.message} (wrong_type)"
    clones = [copy.copy(error), copy.deepcopy(error)]
    clones += [pickle.loads(pickle.dumps(error, level)) for level in range(6)]
    for clone in clones:
        assert type(clone) is RecordError
        assert vars(clone) == vars(error)
        assert (clone.args, str(clone)) == (error.args, str(error))
    assert isinstance(error, ValueError)
    assert issubclass(StreamStateError, RuntimeError)


def test_places_are_ints_and_texts_are_str() -> None:
    """The attributes have their plain types."""
    with pytest.raises(RecordError) as caught:
        parse_record(b"[]")
    types = {name: type(value) for name, value in vars(caught.value).items()}
    assert types == {"code": str, "message": str, "line": int, "offset": int}


@pytest.mark.parametrize("first", [1, 88, 9_985, 999_999_990, 2**62])
@pytest.mark.parametrize("step", [1, 7, 100, 101])
def test_error_lines_have_the_number_of_their_line(first: int, step: int) -> None:
    stream = RecordStream(on_error="emit", first_line=first)
    output = stream.feed((b"x\n" + b"\n" * (step - 1)) * 230)
    numbers = [json.loads(line)["line"] for line in output.splitlines()]
    assert numbers == list(range(first, first + 230 * step, step))


@pytest.mark.parametrize("offset", [0, 9, 10, 99, 100, 999, 1000, 123_456])
def test_error_lines_have_the_offset_of_the_error(offset: int) -> None:
    stream = RecordStream(on_error="emit")
    (line,) = stream.feed(b" " * offset + b"x\n").splitlines()
    assert json.loads(line)["offset"] == offset
