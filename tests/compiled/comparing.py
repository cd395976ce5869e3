"""Running a function as Python does, and as it was compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from forstcore._io.json_lines import dump_line
from forstcore._io.line_reader import LineReader, error_line, failure_of
from forstcore._proc import DEFAULT_MAX_LINE_SIZE, RecordStream
from forstcore.errors import RecordError
from forstcore.processors import as_processor

__all__ = ["Interpreted", "Run", "run_program"]

_MOST = 1 << 16  # Bytes of results: more would take new memory for each record given back.
_PIECE = 1 << 13


class Interpreted:
    """A function that Python runs, without the engine.

    Args:
        function: as a user writes it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        decode = as_processor(function).decode
        assert decode is not None
        self._reader = LineReader(decode, DEFAULT_MAX_LINE_SIZE)
        self._function = function

    def line(self, line: bytes, number: int) -> bytes:
        """Return the results of a line without LF, or its error line."""
        try:
            record = self._reader.read(line, number)
        except RecordError as error:
            return error_line(error)
        if record is None:
            return b""
        try:
            result = self._function(record)
            if result is None:
                return b""
            if isinstance(result, Iterable) and not isinstance(result, Mapping | str | bytes):
                return b"".join(map(dump_line, result))
            return dump_line(result)
        except Exception as error:
            return error_line(failure_of(error, number))

    def lines(self, data: bytes) -> list[bytes]:
        """Return the results of each line."""
        return [self.line(line, number) for number, line in enumerate(data.split(b"\n")[:-1], 1)]


@dataclass
class Run:
    """What a program made of an input.

    Attributes:
        output: results and error lines.
        lines: input lines.
        given_back: how many of them went to the function.
    """

    output: bytes
    lines: int
    given_back: int


def run_program(program: object, interpreted: Interpreted, data: bytes, most: int = _MOST) -> Run:
    """Run a program; the function gets what it gives back.

    Args:
        program: of the function.
        interpreted: the function.
        data: whole lines.
        most: bytes of results after which the core stops and is called again.
    """
    stream = RecordStream(processor=program, on_error="emit")
    at = end = 0
    out: list[bytes] = []
    given_back = 0
    while at < len(data):
        if at == end:
            end = data.rfind(b"\n", at, at + _PIECE) + 1 or data.index(b"\n", at) + 1
        out.append(stream.feed_part(data[at:end], most))
        at += stream.taken
        if stream.given_back:
            given_back += 1
            stop = data.index(b"\n", at)
            stream.skip_line()
            out.append(interpreted.line(data[at:stop], stream.lines))
            at = stop + 1
    out.append(stream.finish())
    return Run(b"".join(out), stream.lines, given_back)
