"""Compiled processors in the engine: records given back are processed by Python, in their turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import forstcore
from forstcore import Filter
from forstcore.engine.compiled_runner import CompiledRunner
from forstcore.engine.line_options import LineOptions
from forstcore.engine.runners import BatchRunner, PythonRunner
from forstcore.engine.sequencer import Outcome
from forstcore.processors import Processor, as_processor
from forstcore.wire import OnError
from tests.processors.engines import collect, engine_for, source_of

MOST = 300  # Bytes of the longest line.
HUGE = 1 << 70  # An integer that no program computes with.
CALLS: list[int] = []


def above(record: dict[str, Any]) -> Any:
    if record["n"] % 7 == 3:
        return None
    return {"id": record["id"], "n": record["n"] + 1}


def several(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for turn in range(record["n"] % 3):
        yield {"id": record["id"], "turn": turn}


def lines(is_huge: Callable[[int], bool], count: int = 3000) -> bytes:
    found = []
    for i in range(count):
        found.append(b'{"id":"%d","n":%d}' % (i, HUGE + i if is_huge(i) else i))
        if i % 41 == 40:
            found += [b"", b"nope", b'{"n":1}', b'{"id":"%b","n":0}' % (b"x" * MOST)]
    return b"\n".join(found) + b"\n"


PATTERNS = {
    "none": lambda i: False,
    "some": lambda i: i % 10 == 9,
    "every other": lambda i: i % 2 == 1,
    "most": lambda i: i % 10 != 9,
    "all": lambda i: True,
    "runs": lambda i: i // 100 % 2 == 1,
    "late": lambda i: i > 2000,
}


def runner_for(
    kind: type[BatchRunner],
    function: Callable[..., Any],
    on_error: OnError = "emit",
    record_filter: Filter | None = None,
) -> Any:
    processor = as_processor(function)
    options = LineOptions(on_error, MOST, keep_rejected=True, record_filter=record_filter)
    if kind is CompiledRunner:
        assert processor.program is not None
        return CompiledRunner(processor, processor.program, options)
    return PythonRunner(processor, options)


def parts_of(
    runner: BatchRunner, batch: bytes, most: int = 1 << 30, size: int = 0
) -> list[Outcome]:
    """Process a batch, cut into smaller ones of that size, to its end."""
    found = []
    number = 1
    while batch:
        end = batch.find(b"\n", size) + 1 if size else len(batch)
        outcome = runner.run(batch[:end] or batch, number, lambda: False, most)
        found.append(outcome)
        if outcome.failure is not None:
            break
        taken = (end or len(batch)) - len(outcome.rest)
        number += batch.count(b"\n", 0, taken)
        assert not outcome.rest or outcome.lines == batch.count(b"\n", 0, taken)
        batch = batch[taken:]
    return found


def totals(parts: list[Outcome]) -> dict[str, Any]:
    rejected = []
    before = 0
    for part in parts:
        if part.rejected is not None:
            rejected += [
                (line, before + place)
                for line, place in zip(part.rejected, part.rejected.places, strict=True)
            ]
        before += part.output.count(b"\n")
    errors: dict[str, int] = {}
    for part in parts:
        for code, count in (part.errors or {}).items():
            errors[code] = errors.get(code, 0) + count
    failure = parts[-1].failure
    return {
        "output": b"".join(part.output for part in parts),
        "records": sum(part.records for part in parts),
        "results": sum(part.results for part in parts),
        "filtered": sum(part.filtered for part in parts),
        "errors": errors,
        "failure": failure and (failure.line, failure.code, failure.offset),
        "rejected": rejected,
    }


@pytest.mark.one_in(3)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("on_error", ["emit", "fail"])
@pytest.mark.parametrize("function", [above, several])
def test_outcomes_are_those_of_python(
    pattern: str, on_error: OnError, function: Callable[..., Any]
) -> None:
    batch = lines(PATTERNS[pattern])
    expected = totals(parts_of(runner_for(PythonRunner, function, on_error), batch))
    for most, size in ((1 << 30, 0), (500, 0), (1 << 30, 1), (4000, 9000)):
        parts = parts_of(runner_for(CompiledRunner, function, on_error), batch, most, size)
        assert totals(parts) == expected
        given_back = sum(part.given_back for part in parts)
        if on_error == "emit":
            # With missing members, too.
            least = sum(map(PATTERNS[pattern], range(3000)))
            assert given_back >= least + 3000 // 41
            assert pattern != "none" or given_back == 3000 // 41


@pytest.mark.parametrize("pattern", PATTERNS)
def test_with_a_filter(pattern: str) -> None:
    batch = lines(PATTERNS[pattern])
    wanted = Filter({"id": {"prefix": "1"}})
    python = runner_for(PythonRunner, above, record_filter=wanted)
    expected = totals(parts_of(python, batch))
    for most, size in ((1 << 30, 0), (500, 0), (4000, 9000)):
        runner = runner_for(CompiledRunner, above, record_filter=wanted)
        assert totals(parts_of(runner, batch, most, size)) == expected


def test_a_function_that_gives_most_back_is_left_to_python() -> None:
    for pattern, goes_on in (("none", True), ("some", True), ("most", False), ("all", False)):
        runner = runner_for(CompiledRunner, above)
        parts_of(runner, lines(PATTERNS[pattern]), size=5000)
        assert runner.never_waits is goes_on, pattern


def test_no_function_is_called_where_nothing_may_wait() -> None:
    runner = runner_for(CompiledRunner, above)
    batch = b'{"id":"1","n":1}\n{"id":"2","n":%d}\n{"id":"3","n":3}\n' % HUGE
    outcome = runner.run(batch, 1, lambda: False, 1 << 30, may_wait=False)
    assert (outcome.output, outcome.records) == (b'{"id":"1","n":2}\n', 1)
    assert (outcome.needs_thread, outcome.lines) == (True, 1)
    assert outcome.rest == batch[17:]


def test_records_given_back_keep_their_turn() -> None:
    """Also where single records are processed in the event loop."""

    def divides(record: dict[str, Any]) -> dict[str, Any]:
        return {"share": 1 // record["n"]}

    async def run() -> tuple[bytes, Any]:
        assert as_processor(divides).program is not None
        with engine_for(divides, on_error="emit", workers=2) as engine:
            pieces = [b'{"n":%d}\n' % (i % 4) for i in range(400)]
            return await collect(engine, source_of(pieces)), engine

    output, engine = asyncio.run(run())
    results = [json.loads(line) for line in output.splitlines()]
    assert len(results) == 400
    assert [each.get("line") for each in results[::4]] == list(range(1, 401, 4))
    assert engine.given_back >= engine.errors == 100


def test_compiled_is_what_the_declaration_says() -> None:
    def loop(record: dict[str, Any]) -> Any:
        global CALLS
        CALLS = []
        return record

    assert as_processor(above, compiled=True).program is not None
    assert as_processor(above, compiled=False).program is None
    assert as_processor(loop).program is None
    with pytest.raises(TypeError, match=r"'loop' does not compile: .*_runner\.py:\d+:\d+: "):
        as_processor(loop, compiled=True)
    with pytest.raises(TypeError, match="native processor is compiled already"):
        as_processor(forstcore._proc.PASS_ON, compiled=True)


def test_a_declared_choice_holds_for_the_function() -> None:
    def never(record: dict[str, Any]) -> Any:
        return record

    forstcore.processor("never-compiled", compiled=False)(never)
    assert as_processor("never-compiled").program is None
    assert as_processor(never).program is None


def test_a_processor_that_is_compiled_can_be_pickled() -> None:
    cloudpickle = pytest.importorskip("cloudpickle", reason="needs dask")
    processor = as_processor(above)
    assert processor.program is not None
    again: Processor = cloudpickle.loads(cloudpickle.dumps(processor))
    assert again.program is not None
    assert b"".join(forstcore.process(b'{"id":"1","n":1}', again)) == b'{"id":"1","n":2}\n'
