"""The oracle of compiled processors: the same function, run by Python."""

from __future__ import annotations

import inspect
import json
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from forstcore._io.json_lines import dump_line
from forstcore._io.line_reader import LineReader, error_line, failure_of
from forstcore._proc import DEFAULT_MAX_LINE_SIZE, RecordStream
from forstcore.compiled import Compiled, NotCompiled, compile_processor
from forstcore.errors import RecordError
from forstcore.processors import as_processor

__all__ = ["Interpreted", "Run", "compile_any", "compiled", "lines_of", "run_program", "same"]

_MOST = 1 << 16  # Bytes of results: more would take new memory for each record given back.
_PIECE = 1 << 13


def compile_any(function: Callable[..., Any]) -> Compiled | NotCompiled:
    """Compile a function with the type that its parameter is annotated with."""
    first = next(iter(inspect.signature(function).parameters))
    takes = typing.get_type_hints(function).get(first, dict)
    return compile_processor(function, as_processor(function).kind, takes)


def compiled(function: Callable[..., Any]) -> Compiled:
    """Compile a function that has to compile."""
    result = compile_any(function)
    assert not isinstance(result, NotCompiled), str(result)
    return result


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
    """The output of a program.

    Attributes:
        output: results and error lines.
        lines: input lines.
        given_back: how many of them went to the function.
        places: lines of the source where that happened.
    """

    output: bytes = b""
    lines: int = 0
    given_back: int = 0
    places: Counter[int] = field(default_factory=Counter)


def run_program(program: object, interpreted: Interpreted, data: bytes, most: int = _MOST) -> Run:
    """Run a program; the function processes the records that it gives back.

    Args:
        program: of the function.
        interpreted: the function.
        data: whole lines.
        most: bytes of results after which the core stops and is called again.
    """
    stream = RecordStream(processor=program, on_error="emit")
    run = Run()
    out: list[bytes] = []
    at = end = 0
    while at < len(data):
        if at == end:
            end = data.rfind(b"\n", at, at + _PIECE) + 1 or data.index(b"\n", at) + 1
        out.append(stream.feed_part(data[at:end], most))
        at += stream.taken
        if stream.given_back:
            run.given_back += 1
            place = stream.given_back_at
            run.places[place[0].line if place else 0] += 1
            stop = data.index(b"\n", at)
            stream.skip_line()
            out.append(interpreted.line(data[at:stop], stream.lines))
            at = stop + 1
    out.append(stream.finish())
    run.output = b"".join(out)
    run.lines = stream.lines
    return run


def lines_of(records: Iterable[Any]) -> bytes:
    """Write records as lines; text and bytes are lines as they are."""
    lines = []
    for each in records:
        if isinstance(each, str):
            each = each.encode()
        elif not isinstance(each, bytes):
            each = json.dumps(each, ensure_ascii=False).encode()
        lines.append(each + b"\n")
    return b"".join(lines)


def same(function: Callable[..., Any], records: Iterable[Any], most: int = _MOST) -> int:
    """Check that compiling changes nothing; return how many records were given back.

    Args:
        function: a function that has to compile.
        records: as for `lines_of`.
        most: as for `run_program`.
    """
    data = lines_of(records)
    interpreted = Interpreted(function)
    run = run_program(compiled(function).program, interpreted, data, most)
    expected = interpreted.lines(data)
    at = 0
    for line, due in zip(data.split(b"\n"), expected, strict=False):
        assert (line, run.output[at : at + len(due)]) == (line, due)
        at += len(due)
    assert run.output[at:] == b""
    assert run.lines == len(expected)
    return run.given_back
