"""Filters before processors: the results are those of the records that match, and no others."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from forstcore import Filter, StreamingRecord
from forstcore._core.selection import LineSelector
from forstcore._proc import PASS_ON
from forstcore.engine.line_options import LineOptions
from forstcore.engine.runner_choice import runner_of
from forstcore.engine.runners import PythonRunner
from forstcore.processors import as_processor
from forstcore.wire import OnError, ResultOrder
from tests.processors.engines import collect, engine_for, source_of

WANTED = Filter({"kind": ["a", "b"]})
MOST = 400  # Bytes of the longest line.


@dataclasses.dataclass
class Sensor:
    n: int


def same(record: dict[str, Any]) -> dict[str, Any]:
    assert record.get("kind") in ("a", "b")
    return record


def refuses(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for turn in range(record["n"] % 3):
        yield {"n": record["n"], "turn": turn}


def typed(record: Sensor) -> Sensor:
    return record


def plain(record: StreamingRecord) -> StreamingRecord:
    return record


async def waits(record: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return same(record)


async def several(record: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    for result in refuses(record):
        yield result


PROCESSORS = {
    "built-in": None,
    "native": PASS_ON,
    "dict": same,
    "generator": refuses,
    "typed": typed,
    "record": plain,
    "async": waits,
    "async generator": several,
}


def lines() -> list[bytes]:
    found = [b'\xef\xbb\xbf{"kind":"a","n":0}']
    for n in range(1, 300):
        kind = "abcdefgh"[n * n % 8]
        record: dict[str, Any] = {"id": str(n), "kind": kind, "n": n}
        if n % 50 == 3:
            record["n"] = "wrong"
        found.append(json.dumps(record).encode())
        if n % 17 == 0:
            found.append(b"" if n % 2 else b' \t{"kind" : "\\u0061", "n":%d} ' % n)
        if n % 29 == 0:
            found += [b"junk", b"[1]", b'{"kind":"c"', b'{"kind":"b","x":"%b"}' % (b"x" * MOST)]
    return found


LINES = lines()
INPUT = b"\n".join(LINES)


def matches(line: bytes) -> bool | None:
    """Return whether a line is a record that matches, None if it is no record."""
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except ValueError:
        return None
    if not isinstance(record, dict) or len(line) > MOST:
        return None
    return record.get("kind") in ("a", "b")


def expected(name: str, on_error: OnError) -> tuple[list[bytes], int]:
    """Process each line alone, unless it does not match; also return how many do not."""
    processor = as_processor(
        PROCESSORS[{"async": "dict", "async generator": "generator"}.get(name, name)]
    )
    runner = runner_of(processor, LineOptions(on_error, MOST, keep_rejected=False))
    results = []
    filtered = 0
    for number, line in enumerate(LINES, 1):
        if matches(line) is False:
            filtered += 1
            continue
        outcome = runner.run(line + b"\n", number, lambda: False, 1 << 30)
        results += outcome.output.splitlines(keepends=True)
        if outcome.failure is not None:
            break
    return results, filtered


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("on_error", ["skip", "emit", "fail"])
@pytest.mark.parametrize("order", ["input", "completion"])
@pytest.mark.parametrize(("workers", "piece"), [(1, 1 << 20), (4, 1 << 20), (3, 97)])
def test_results_are_those_of_matching_records(
    name: str, on_error: OnError, order: ResultOrder, workers: int, piece: int
) -> None:
    pieces = [INPUT[i : i + piece] for i in range(0, len(INPUT), piece)]

    async def run() -> tuple[bytes, Any]:
        options = {"on_error": on_error, "order": order, "workers": workers}
        with engine_for(PROCESSORS[name], filter=WANTED, max_line_size=MOST, **options) as engine:
            return await collect(engine, source_of(pieces)), engine

    output, engine = asyncio.run(run())
    results, filtered = expected(name, on_error)
    if on_error == "fail":
        if order == "input":
            assert output.splitlines(keepends=True) == results
        assert engine.failed
        return
    if order == "input":
        assert output == b"".join(results)
    else:
        assert Counter(output.splitlines(keepends=True)) == Counter(results)
    assert engine.filtered == filtered
    blank = LINES.count(b"")
    assert engine.records + engine.errors + blank == engine.lines == len(LINES)


@pytest.mark.parametrize("name", ["dict", "native", "generator"])
def test_counts_are_right_wherever_a_batch_pauses(name: str) -> None:
    batch = INPUT + b"\n"
    options = LineOptions("emit", MOST, keep_rejected=True, record_filter=WANTED)
    runner = runner_of(as_processor(PROCESSORS[name]), options)
    whole = runner.run(batch, 1, lambda: False, 1 << 30)
    assert whole.rest == b""
    for most in (1, 100, 3000):
        parts = []
        rest, number = batch, 1
        while rest:
            outcome = runner.run(rest, number, lambda: False, most)
            parts.append(outcome)
            assert rest.endswith(outcome.rest)
            number += outcome.lines
            rest = outcome.rest
        assert b"".join(part.output for part in parts) == whole.output
        for count in ("records", "results", "filtered"):
            assert sum(getattr(part, count) for part in parts) == getattr(whole, count)


def test_what_is_behind_a_failure_does_not_count() -> None:
    batch = b'{"kind":"c"}\n{"kind":"a"}\njunk\n{"kind":"c"}\n{"kind":"a"}\n'
    for processor in (same, PASS_ON):
        options = LineOptions("fail", MOST, keep_rejected=False, record_filter=WANTED)
        runner = runner_of(as_processor(processor), options)
        outcome = runner.run(batch, 1, lambda: False, 1 << 30)
        assert outcome.failure is not None
        assert (outcome.failure.line, outcome.records, outcome.filtered) == (3, 2, 1)


def test_no_object_is_made_of_other_records() -> None:
    read: list[bytes] = []

    def decode(line: bytes) -> dict[str, Any]:
        read.append(line)
        return dict(json.loads(line))

    processor = dataclasses.replace(as_processor(same), decode=decode, group_reader=None)
    wanted = Filter({"kind": "a"})
    options = LineOptions("skip", MOST, keep_rejected=False, record_filter=wanted)
    runner = PythonRunner(processor, options)
    outcome = runner.run(b'{"kind":"c"}\n{"kind":"a"}\n' * 5, 1, lambda: False, 1 << 30)
    assert read == [b'{"kind":"a"}'] * 5
    assert (outcome.records, outcome.filtered, outcome.results) == (10, 5, 5)


def test_the_selector_says_where_lines_were() -> None:
    batch = b'{"kind":"c"}\n\n{"kind":"a"}\nx\n{"kind":"d"}\n'
    selected = LineSelector(WANTED, max_line_size=MOST).select(batch, 1)
    assert (selected.lines, selected.count) == (b'{"kind":"a"}\nx\n', 2)
    assert [selected.line_of(i) for i in range(3)] == [2, 3, 5]
    assert [selected.start_of(i) for i in range(3)] == [14, 27, len(batch)]
    assert [selected.filtered_before(i) for i in range(3)] == [1, 1, 2]
    with pytest.raises(IndexError):
        selected.line_of(3)
    with pytest.raises(ValueError, match="max_line_size"):
        LineSelector(WANTED, max_line_size=0)
