"""Comparing generated functions with what they are compiled to."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from forstcore.compiled import Compiled
from tests.compiled.generated.records import make_lines
from tests.compiled.generated.statements import make_function
from tests.compiled.oracle import Interpreted, compile_any, run_program

__all__ = ["Difference", "Totals", "check", "explore", "pair_of"]


@dataclass
class Difference:
    """A record for which a program does something else than the function.

    Attributes:
        source: the module with the function `f`.
        data: lines; the last one differs.
        expected, got: the results of that line in Python, and of the program; without lines, what
            the compiler raises.
    """

    source: str
    data: bytes
    expected: bytes
    got: bytes

    def __str__(self) -> str:
        function = self.source[self.source.index("def f(") :]
        record = self.data.decode(errors="backslashreplace")
        return (
            f"function:\n{function}\nrecords:\n{record}"
            f"expected: {self.expected!r}\ngot:      {self.got!r}\n"
        )


@dataclass
class Totals:
    """Counts of what was compared."""

    functions: int = 0
    compiled: int = 0
    pairs: int = 0
    failed: int = 0
    given_back: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        share = 100 * self.given_back / self.pairs if self.pairs else 0
        errors = 100 * self.failed / self.pairs if self.pairs else 0
        return (
            f"{self.compiled} of {self.functions} functions compiled, {self.pairs} pairs, "
            f"{errors:.0f} % errors, {share:.0f} % given back"
        )


def pair_of(seed: str, count: int) -> tuple[str, bytes]:
    """Return the module and the records that belong to a seed."""
    source = make_function(Random(seed))
    return source, make_lines(Random(f"{seed} records"), source[source.index("def f(") :], count)


@contextmanager
def loaded(source: str, directory: Path) -> Iterator[Callable[..., Any]]:
    """Import a module; yield its function `f`."""
    name = "generated_functions"
    path = directory / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102
        yield module.f
    finally:
        del sys.modules[name]


def check(source: str, data: bytes, directory: Path, totals: Totals) -> Difference | None:
    """Compare a function with its program; return the first difference."""
    with loaded(source, directory) as function:
        totals.functions += 1
        try:
            compiled = compile_any(function)
        except Exception as error:
            return Difference(source, b"", b"", f"{type(error).__name__}: {error}".encode())
        if not isinstance(compiled, Compiled):
            totals.reasons[compiled.construct] += 1
            return None
        totals.compiled += 1
        interpreted = Interpreted(function)
        expected = interpreted.lines(data)
        run = run_program(compiled.program, interpreted, data)
    totals.pairs += len(expected)
    totals.failed += sum(each.startswith(b'{"status":"error"') for each in expected)
    totals.given_back += run.given_back
    if run.output == b"".join(expected) and run.lines == len(expected):
        return None
    at = 0
    lines = data.split(b"\n")
    for number, each in enumerate(expected):
        if run.output[at : at + len(each)] != each:
            got = run.output[at:].split(b"\n")[0]
            return Difference(source, b"\n".join([*lines[: number + 1], b""]), each, got)
        at += len(each)
    return Difference(source, data, b"", run.output[at:])


def explore(
    seed: str, count: int, records: int, directory: Path, totals: Totals
) -> Iterator[tuple[str, Difference]]:
    """Compare functions; yield the differences with their seeds.

    Args:
        seed: of all; that of each function has its number in addition.
        count: how many functions.
        records: for each function.
        directory: for the modules.
        totals: counts what was compared.
    """
    for number in range(count):
        name = f"{seed}/{number}"
        source, data = pair_of(name, records)
        found = check(source, data, directory, totals)
        if found is not None:
            yield name, found
