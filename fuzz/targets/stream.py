"""Arbitrary bytes in arbitrary chunks, through a stream with the built-in processor."""

from __future__ import annotations

from forstcore._proc import LineSplitter, count_lines
from fuzz.choices import Choices
from fuzz.cuts import alone, cut, sizes
from fuzz.oracle import as_orjson, as_reference
from fuzz.runs import MODES, Options, invariant

__all__ = ["LIMITS", "check"]

LIMITS = [1 << 20, 1, 2, 7, 31, 32, 33, 63, 64, 65, 100, 1000]


def _split(text: bytes, turns: list[int], limit: int) -> None:
    """Check the lines that a splitter returns."""
    splitter = LineSplitter(max_line_size=limit)
    lines = [line for chunk in cut(text, turns) for line in splitter.feed(alone(chunk))]
    lines += splitter.finish()
    expected = text.split(b"\n")
    if not expected[-1]:
        expected.pop()
    kept = [line for line in expected if len(line) <= limit]
    assert lines == kept
    assert (splitter.lines, splitter.dropped) == (len(expected), len(expected) - len(kept))


def check(data: bytes) -> None:
    """Check one input: six bytes for options, then the bytes of the stream."""
    choices = Choices(data)
    mode, first = divmod(choices.number(6), 2)
    options = Options(MODES[mode], choices.pick(LIMITS), 1 + first)
    turns = sizes(choices)
    text = choices.rest()
    as_reference(text, options, invariant(text, turns, options))
    for line in text.split(b"\n"):
        as_orjson(line)
    _split(text, turns, options.max_line_size)
    assert count_lines(text) == text.count(b"\n")
