"""The oracle of compiled processors: the same function, run by Python."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Iterable
from typing import Any

from forstcore._proc import RecordStream
from forstcore.compiled import Compiled, NotCompiled, compile_processor
from forstcore.engine.runners import PythonRunner
from forstcore.processors import as_processor

__all__ = ["compile_any", "compiled", "interpret", "lines_of", "run", "same"]

_MOST_OUTPUT = 1 << 30


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


def interpret(function: Callable[..., Any], data: bytes, first: int = 1) -> bytes:
    """Return the output of a function that Python runs, error lines included."""
    runner = PythonRunner(as_processor(function), "emit", 1 << 20, keep_rejected=False)
    return runner.run(data, first, lambda: False, _MOST_OUTPUT).output


def run(function: Callable[..., Any], data: bytes) -> tuple[bytes, int]:
    """Return the output of a compiled function, and how many records it gave back."""
    stream = RecordStream(on_error="emit", processor=compiled(function).program)
    output = []
    given_back = 0
    while data:
        output.append(stream.feed_part(data, _MOST_OUTPUT))
        data = data[stream.taken :]
        if stream.given_back:
            given_back += 1
            line, _, data = data.partition(b"\n")
            output.append(interpret(function, line + b"\n", stream.lines + 1))
            stream.skip_line()
    return b"".join(output), given_back


def same(function: Callable[..., Any], records: Iterable[Any]) -> int:
    """Check that compiling changes nothing; return how many records were given back."""
    data = lines_of(records)
    expected = interpret(function, data)
    output, given_back = run(function, data)
    for number, (got, wanted) in enumerate(
        zip(output.splitlines(), expected.splitlines(), strict=False)
    ):
        assert got == wanted, f"result {number}"
    assert output == expected
    return given_back
