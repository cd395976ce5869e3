"""Making a difference smaller: fewer records, fewer statements, simpler expressions."""

from __future__ import annotations

import ast
import copy
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.compiled.generated.exploring import Difference, Totals, check

__all__ = ["shrink"]

_MOST_STEPS = 3000


def shrink(found: Difference, directory: Path) -> Difference:
    """Return a smaller function and fewer records that still differ."""
    steps = 0

    def differs(source: str, data: bytes) -> Difference | None:
        nonlocal steps
        steps += 1
        if steps > _MOST_STEPS:
            return None
        try:
            result = check(source, data, directory, Totals())
        except Exception:
            # A smaller function that is none, or for which there is not enough memory.
            return None
        if result and not result.data:
            # An exception of the compiler is another fault, unless the fault is that exception.
            return result if result.got == found.got else None
        return result

    while True:
        before = found
        found = _fewer_lines(found, differs)
        found = _simpler_function(found, differs)
        found = _smaller_record(found, differs)
        if (found.source, found.data) == (before.source, before.data):
            return found


_Differs = Callable[[str, bytes], Difference | None]


def _fewer_lines(found: Difference, differs: _Differs) -> Difference:
    lines = found.data.splitlines(keepends=True)
    if len(lines) < 2:
        return found
    alone = differs(found.source, lines[-1])
    if alone:
        return alone
    size = len(lines) // 2
    while size:
        at = 0
        while at < len(lines) - 1:
            fewer = lines[:at] + lines[min(at + size, len(lines) - 1) :]
            smaller = differs(found.source, b"".join(fewer))
            if smaller:
                found, lines = smaller, smaller.data.splitlines(keepends=True)
            else:
                at += size
        size //= 2
    return found


def _simpler_function(found: Difference, differs: _Differs) -> Difference:
    head, start, text = found.source.partition("def f(")
    tree = ast.parse(start + text)
    changed = True
    while changed:
        changed = False
        for smaller in _simpler(tree):
            try:
                source = head + ast.unparse(ast.fix_missing_locations(smaller)) + "\n"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", SyntaxWarning)
                    source_is_whole = bool(compile(source, "f", "exec"))
            except (SyntaxError, ValueError, TypeError):
                continue
            result = differs(source, found.data) if source_is_whole else None
            if result and len(ast.dump(smaller)) < len(ast.dump(tree)):
                found, tree, changed = result, smaller, True
                break
    return found


def _simpler(tree: ast.Module) -> Iterator[ast.Module]:
    """Yield copies of a tree with one thing less."""
    for number, node in enumerate(ast.walk(tree)):
        for name in ("body", "orelse", "finalbody", "handlers", "values", "keys", "elts", "args"):
            parts = getattr(node, name, None)
            if not isinstance(parts, list) or isinstance(node, ast.Module):
                continue
            for at, part in enumerate(parts):
                for replacement in _instead(node, name, part):
                    smaller = copy.deepcopy(tree)
                    twin = next(each for i, each in enumerate(ast.walk(smaller)) if i == number)
                    getattr(twin, name)[at : at + 1] = copy.deepcopy(replacement)
                    if isinstance(twin, ast.Dict) and not replacement:
                        other = twin.keys if name == "values" else twin.values
                        del other[at]
                    yield smaller
        for name in ("value", "left", "right", "test", "iter", "elt", "func", "operand", "slice"):
            part = getattr(node, name, None)
            if not isinstance(part, ast.expr):
                continue
            for each in _expressions_in(part):
                smaller = copy.deepcopy(tree)
                twin = next(each for i, each in enumerate(ast.walk(smaller)) if i == number)
                setattr(twin, name, copy.deepcopy(each))
                yield smaller


def _instead(node: ast.AST, name: str, part: ast.AST) -> Iterator[list[ast.AST]]:
    yield []
    if isinstance(part, ast.stmt):
        for inner in ("body", "orelse", "finalbody"):
            statements = getattr(part, inner, None)
            if statements:
                yield statements
    elif isinstance(part, ast.expr):
        for each in _expressions_in(part):
            yield [each]


def _expressions_in(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what may stand for an expression: its parts, and constants."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.comprehension):
            yield child.iter
    if not isinstance(node, ast.Constant):
        yield ast.Constant(1)
        yield ast.Constant("a")


def _smaller_record(found: Difference, differs: _Differs) -> Difference:
    if not found.data:
        return found
    *before, last = found.data.splitlines(keepends=True)
    changed = True
    while changed:
        changed = False
        try:
            record = json.loads(last)
        except ValueError:
            return found
        for smaller in _smaller(record):
            line = json.dumps(smaller, ensure_ascii=False).encode(errors="surrogatepass") + b"\n"
            if len(line) >= len(last):
                continue
            result = differs(found.source, b"".join([*before, line]))
            if result:
                found, last, changed = result, line, True
                break
    return found


def _smaller(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key in value:
            yield {name: each for name, each in value.items() if name != key}
        for key, each in value.items():
            for smaller in _smaller(each):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield value[:at] + value[at + 1 :]
            for smaller in _smaller(each):
                yield [*value[:at], smaller, *value[at + 1 :]]
    elif isinstance(value, str) and value:
        yield ""
        yield value[: len(value) // 2]
        yield value[len(value) // 2 :]
        yield value[1:]
        yield value[:-1]
    elif isinstance(value, int | float) and value not in (0, 1):
        yield 0
        yield 1
