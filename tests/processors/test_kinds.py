"""Results of lines, for each kind of processor."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given

import forstcore
from forstcore import RecordError, RecordStream
from forstcore._io.line_reader import LineReader, object_of
from forstcore.processors import as_processor
from tests import children
from tests.core.json_cases import BAD, GOOD
from tests.core.strategies import inputs
from tests.native import build
from tests.processors import routes as _routes  # noqa: F401 (declares them)
from tests.servers import ROOT

BOM = b"\xef\xbb\xbf"
ASYNC = ["", "-async"]


def run(data: bytes, processor: object, **options: Any) -> bytes:
    """Process a whole input; errors become lines."""
    return b"".join(forstcore.process([data], processor, **{"on_error": "emit", **options}))


def rows(output: bytes) -> list[Any]:
    return [json.loads(line) for line in output.splitlines()]


def core(data: bytes, **options: Any) -> bytes:
    """Do the same with the core alone."""
    stream = RecordStream(**{"on_error": "emit", **options})
    return stream.feed(data) + stream.finish()


def test_bad_lines_leave_nothing_to_the_garbage_collector() -> None:
    reader = LineReader(object_of, 100)
    lines = (BOM + b"never", b"never", b"x" * 101) * 1000
    gc.collect()
    gc.disable()
    try:
        for number, line in enumerate(lines, 1):
            with contextlib.suppress(RecordError):
                reader.read(line, number)
        # A little may come from first uses and from other threads.
        assert gc.collect() < 1000
    finally:
        gc.enable()


# Dicts.


@pytest.mark.parametrize("way", ASYNC)
def test_every_value_comes_through(way: str) -> None:
    for text in GOOD:
        (line,) = run(b' {"v" : ' + text + b"}\t", "same" + way).splitlines()
        # A large integer may become a double on its way.
        assert json.loads(line, parse_int=float) == {"v": json.loads(text, parse_int=float)}


def test_what_is_no_json_is_refused_as_the_core_refuses_it() -> None:
    for text in BAD:
        line = b'{"v":' + text + b"}"
        assert run(line, "same") == core(line)
        assert run(b"\n" + line, "same-async", first_line=9) == core(b"\n" + line, first_line=9)


@pytest.mark.parametrize("line", [b"[]", b"1", b"null", b'"text"', b"true"])
def test_what_is_no_object_is_refused_as_the_core_refuses_it(line: bytes) -> None:
    assert run(line, "same") == core(line)
    assert rows(run(line, "same"))[0]["code"] == "not_an_object"


@given(inputs())
def test_errors_and_their_places_are_the_core_s(data: bytes) -> None:
    """They differ only in which objects are records: for a dict, any object is."""
    expected = {row["line"]: row for row in rows(core(data)) if row["status"] == "error"}
    expected = {n: row for n, row in expected.items() if row["code"] != "wrong_type"}
    found = [row for row in rows(run(data, "same")) if "offset" in row and "message" in row]
    assert {row["line"]: row for row in found} == expected


# StreamingRecords.


@pytest.mark.one_in(2)
@pytest.mark.parametrize("mode", ["skip", "emit", "fail"])
@pytest.mark.parametrize("way", ASYNC)
@given(data=inputs())
def test_the_twin_of_the_built_in_one(data: bytes, way: str, mode: Any) -> None:
    output: list[bytes] = []
    ended = None
    try:
        for piece in forstcore.process([data], "twin" + way, on_error=mode, max_line_size=60):
            output.append(piece)
    except forstcore.RecordError as error:
        ended = error
    stream = RecordStream(on_error=mode, max_line_size=60)
    expected = stream.feed(data)
    if not stream.failed:
        expected += stream.finish()
    if stream.failed:
        with pytest.raises(forstcore.RecordError) as caught:
            stream.finish()
        assert str(ended) == str(caught.value)
    else:
        assert ended is None
    # Equal as JSON: the core passes strings through as they came.
    assert rows(b"".join(output)) == rows(expected)


# Types.


def test_a_record_that_fits() -> None:
    line = b'{"id":7,"items":[{"name":"nail","count":20},{"name":"saw"}],"unknown":[1,2]}'
    assert rows(run(line, "order")) == [
        {
            "id": 7,
            "state": "paid",
            "items": [{"name": "nail", "count": 20}, {"name": "saw", "count": 1}],
            "note": None,
        }
    ]
    assert run(b'{"sensor":"a","value":1.5}', "reading") == b'{"sensor":"a","value":3.0}\n'


@pytest.mark.parametrize(
    ("line", "member", "rule"),
    [
        (b'{"id":"7"}', "$.id", "Expected `int`, got `str`"),
        (b'{"id":7,"state":"lost"}', "$.state", "Invalid enum value 'lost'"),
        (b'{"id":7,"items":[{"name":"saw"},{"name":1}]}', "$.items[1].name", "Expected `str`"),
        (b'{"id":7,"note":1}', "$.note", "Expected `str | null`, got `int`"),
        (b"{}", "`id`", "missing required field"),
    ],
)
def test_a_record_that_does_not_fit(line: bytes, member: str, rule: str) -> None:
    good = b'{"id":1}\n'
    result, error, last = rows(run(good + line + b"\n" + good, "order"))
    assert result == last
    assert (error["line"], error["code"]) == (2, "wrong_type")
    assert member in error["message"]
    assert rule in error["message"]


def test_a_struct_with_constraints() -> None:
    msgspec = pytest.importorskip("msgspec", reason="needs msgspec")
    from typing import Annotated

    Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
    Load = msgspec.defstruct("Load", [("host", str), ("percent", Percent)])

    def halve(record: Any) -> Any:
        record.percent /= 2
        return [record, record]

    halve.__annotations__["record"] = Load
    output = rows(run(b'{"host":"a","percent":50}\n{"host":"b","percent":101}\n', halve))
    assert output[:2] == [{"host": "a", "percent": 25.0}] * 2
    assert output[2]["code"] == "wrong_type"
    assert "Expected `float` <= 100.0 - at `$.percent`" in output[2]["message"]


def test_a_misfit_of_any_size_gives_a_message_of_bounded_size() -> None:
    (error,) = rows(run(b'{"id":7,"state":"' + b"x" * 5000 + b'"}', "order"))
    assert len(error["message"]) <= 300


# None, one, several.


@pytest.mark.parametrize("way", ASYNC)
def test_drop_and_fan_out(way: str) -> None:
    data = b'{"id":1,"n":2}\n{"id":2,"n":0}\n\n{"id":3}\n{"n":1}\n'
    output = rows(run(data, "times" + way))
    assert output[:3] == [{"id": 1, "turn": 0}, {"id": 1, "turn": 1}, {"id": 3, "turn": 0}]
    assert output[3]["message"] == "KeyError: 'id'"
    assert len(output) == 4


@pytest.mark.parametrize("way", ASYNC)
def test_what_fails_half_way_gives_its_error_alone(way: str) -> None:
    data = b'{"id":1,"n":"x"}\n{"id":1}\n'
    first, second = rows(run(data, "times" + way))
    assert first["code"] == "processor_failed"
    assert second == {"id": 1, "turn": 0}


def a_list(record: dict[str, Any]) -> list[Any]:
    return [record, 1, "text", None, [record]]


def a_tuple(record: dict[str, Any]) -> tuple[Any, ...]:
    return ()


def a_text(record: dict[str, Any]) -> str:
    return "two\nlines"


def not_json(record: dict[str, Any]) -> object:
    return {"value": {1, 2}}


def half_json(record: dict[str, Any]) -> Iterator[object]:
    yield record
    yield object()


@pytest.mark.parametrize(
    ("function", "output"),
    [
        (a_list, b'{"a":1}\n1\n"text"\nnull\n[{"a":1}]\n'),
        (a_tuple, b""),
        (a_text, b'"two\\nlines"\n'),
    ],
)
def test_results_may_be_any_json(function: Callable[..., Any], output: bytes) -> None:
    assert run(b'{"a":1}', function) == output


@pytest.mark.parametrize("function", [not_json, half_json])
def test_a_result_that_is_no_json_is_a_failure(function: Callable[..., Any]) -> None:
    (error,) = rows(run(b'{"a":1}', function))
    assert error["code"] == "processor_failed"
    assert error["message"].startswith("TypeError: ")


# Native ones.


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return build(ROOT / "tests" / "native" / "cases.c", tmp_path_factory.mktemp("native"))


@pytest.mark.parametrize("mode", ["skip", "emit"])
def test_a_native_processor(native: ModuleType, mode: Any) -> None:
    known = as_processor(native.twin, "native-twin")
    assert (known.kind, known.name) == ("native", "native-twin")
    data = b"".join(b'{"id":"%d","data":"x"}\n[]\n\n{"id":%d}\n' % (n, n) for n in range(20_000))
    stream = RecordStream(on_error=mode, processor=native.twin)
    assert run(data, native.twin, on_error=mode, workers=3) == stream.feed(data) + stream.finish()


def test_a_capsule_of_something_else() -> None:
    import datetime

    capsule = datetime.datetime_CAPI
    with pytest.raises(TypeError, match="must be a capsule named"):
        forstcore.processor("other")(capsule)


# Failures.


@pytest.mark.parametrize("way", ASYNC)
def test_a_failure_is_the_error_of_its_record(way: str, caplog: pytest.LogCaptureFixture) -> None:
    data = b'{"id":1}\n{"refuse":"no \\"way\\"\\n\xc3\xbc"}\n{"drop":1}\n{"id":2}\n'
    assert run(data, "picky" + way, first_line=11) == (
        b'{"id":1}\n'
        b'{"status":"error","line":12,"offset":0,"code":"processor_failed",'
        b'"message":"ValueError: no \\"way\\"\\n\xc3\xbc"}\n'
        b'{"id":2}\n'
    )
    (entry,) = caplog.records
    assert entry.getMessage() == f"processor 'picky{way}' failed on line 12"
    assert entry.exc_info is not None
    assert 'raise ValueError(record["refuse"])' in caplog.text


class Unspeakable(Exception):
    """An exception whose `str()` fails."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("x" * 5000), "ValueError: " + "x" * 288),
        (ValueError("ü" * 5000), "ValueError: " + "ü" * 144),
        (ValueError("\ud800"), "ValueError: ?"),
        (ValueError(), "ValueError"),
        (Unspeakable(), "Unspeakable: its text cannot be read"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt("x"), "KeyboardInterrupt: x"),
        (forstcore.RecordError("code", "text", 1, 2), "RecordError: line 1, byte 2: text (code)"),
        (StopIteration(), "StopIteration"),
        (RecursionError("deep"), "RecursionError: deep"),
    ],
)
def test_whatever_is_raised_has_a_bounded_message(error: BaseException, message: str) -> None:
    def fails(record: dict[str, Any]) -> None:
        raise error

    (row,) = rows(run(b"{}", fails))
    assert (row["code"], row["message"]) == ("processor_failed", message)


def test_an_async_function_may_meet_a_cancellation_of_its_own() -> None:
    import asyncio

    async def fails(record: dict[str, Any]) -> dict[str, Any]:
        if "fine" in record:
            return record
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task
        return record

    error, fine = rows(run(b'{}\n{"fine":1}\n', fails))
    assert error["message"] == "CancelledError"
    assert fine == {"fine": 1}


def test_failures_are_logged_a_few_a_second(caplog: pytest.LogCaptureFixture) -> None:
    output = run(b'{"refuse":"x"}\n' * 3000, "picky")
    assert output.count(b"\n") == 3000
    assert 5 <= len(caplog.records) < 50
    left_out = sum(int(number) for number in _numbers(caplog.messages))
    logged = sum("failed on line" in message for message in caplog.messages)
    assert logged + left_out == 3000


def _numbers(messages: list[str]) -> Iterator[str]:
    for message in messages:
        words = message.split()
        yield words[words.index("more") - 1] if "more" in words else "0"


# Lines.


@pytest.mark.parametrize("way", ASYNC)
def test_a_byte_order_mark_is_skipped_at_the_start_alone(way: str) -> None:
    data = BOM + b'{"a":1}\n' + BOM + b'{"a":2}\n'
    first, second = rows(run(data, "same" + way))
    assert first == {"a": 1}
    assert (second["line"], second["offset"], second["code"]) == (2, 0, "invalid_json")
    assert rows(run(data, "same" + way, first_line=5))[0]["line"] == 5
    assert run(BOM + b" \n", "same" + way) == b""
    assert run(BOM + b'{"a":x}', "same" + way) == core(BOM + b'{"a":x}')


@pytest.mark.parametrize("way", ASYNC)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_that_is_too_long(way: str, size: int) -> None:
    fits = b'{"a":"' + b"x" * 20 + b'"}'
    data = fits + b"\n" + fits + b" " * 200 + b"\n" + fits + b"\r\n" + fits
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    output = b"".join(
        forstcore.process(pieces, "same" + way, on_error="emit", max_line_size=len(fits))
    )
    errors = [row for row in rows(output) if "line" in row]
    assert [(row["line"], row["code"], row["offset"]) for row in errors] == [
        (2, "line_too_long", len(fits)),
        (3, "line_too_long", len(fits)),
    ]
    assert output.splitlines()[0] == output.splitlines()[3] == fits


# Without orjson.


WITHOUT = """
import sys
sys.modules["orjson"] = None
"""
SOME_OF_EVERYTHING = r"""
import forstcore
from tests.processors import routes
lines = [
    b'{"id":1,"v":[1.5,"\xc3\xbc",null]}',
    b'{"id":NaN}',
    b"[]",
    b'{"id":"\\ud800"}',
    b'{"refuse":"x"}',
    b'{"id":01}',
]
for name in ("same", "picky", "picky-async"):
    print(b"".join(forstcore.process(b"\n".join(lines), name, on_error="emit")).decode())
print(b"".join(forstcore.process(b'{"id":1}', "order", on_error="emit")).decode())
"""


def test_everything_works_without_orjson() -> None:
    with_it, without = (
        children.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            text=True,
            check=True,
        ).stdout
        for code in (SOME_OF_EVERYTHING, WITHOUT + SOME_OF_EVERYTHING)
    )
    assert with_it == without
    assert without.count("processor_failed") == 2
