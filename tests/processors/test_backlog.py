"""The numbers of lines that wait, and of those whose results have been handed out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from forstcore.engine import Engine, line_queue, sequencer
from forstcore.engine.backlog import Backlog
from forstcore.engine.sequencer import Outcome
from forstcore.errors import RecordError
from forstcore.processors import BUILT_IN


def backlog(*, as_completed: bool = False) -> Backlog:
    return Backlog(11, 2, 3, as_completed=as_completed)


@pytest.mark.parametrize("as_completed", [False, True])
def test_lines_that_nobody_counted_are_numbered(*, as_completed: bool) -> None:
    waiting = backlog(as_completed=as_completed)
    for piece in (b"1\n2\n", b"3\n", b"4\n5\n6\n"):
        waiting.put(piece, None)
    first, lines = waiting.start_batch(4)
    assert (first.number, lines) == (11, b"1\n2\n")
    # The first one has not been processed, so its lines have to be counted.
    second, lines = waiting.start_batch(2)
    assert (second.number, lines) == (13, b"3\n")
    waiting.done(second, Outcome(lines=1))
    third, lines = waiting.start_batch(6)
    assert (third.number, lines) == (14, b"4\n5\n6\n")
    waiting.mark(0, "end")
    waiting.mark(2, "later")
    waiting.done(first, Outcome(rest=b"2\n", lines=1))
    waiting.take()
    assert waiting.lines == (0 if as_completed else 1)
    ((rest, lines),) = waiting.take_unfinished()
    assert (rest.number, lines) == (12, b"2\n")
    waiting.done(rest, Outcome())
    waiting.done(third, Outcome(lines=3))
    while waiting.take():
        pass
    assert waiting.lines == 6
    assert waiting.take_marks() == ["end"]
    waiting.put(b"7\n8\n", None)
    last, _ = waiting.start_batch(9)
    assert last.number == 17
    waiting.done(last, Outcome(lines=2))
    waiting.take()
    assert waiting.take_marks() == ["later"]


def test_a_mark_behind_a_failure_is_not_due() -> None:
    waiting = backlog()
    waiting.put(b"1\nx\n3\n", None)
    job, _ = waiting.start_batch(9)
    waiting.done(job, Outcome(failure=RecordError("invalid_json", "no value", 12, 0)))
    waiting.take()
    assert waiting.lines == 2
    waiting.mark(0, "end")
    assert not waiting.has_due_marks


def test_a_single_worker_takes_the_number_of_lines_from_the_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(lines: bytes) -> int:
        raise AssertionError(f"{len(lines)} bytes were counted")

    monkeypatch.setattr(line_queue, "count_lines", refuse)
    monkeypatch.setattr(sequencer, "count_lines", refuse)
    piece = b'{"id":"1"}\n' * 1000

    async def run() -> int:
        engine = Engine(BUILT_IN, None, alone=True)

        async def source() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield piece

        async for _ in engine.run(source()):
            pass
        return engine.lines

    assert asyncio.run(run()) == 5000
