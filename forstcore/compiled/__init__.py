"""The compiler: translates a Python function that processes records into a program of the core.

A function compiles if programs support the operations on its usual path. A record for which a
program cannot be exact is left to the function itself, so the results are always those of Python.
"""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from forstcore._core.program import Program
from forstcore.compiled.assigned_fields import assigned_fields, with_variables
from forstcore.compiled.base import Changes, StartAgain
from forstcore.compiled.generators import yields
from forstcore.compiled.instance_classes import InstanceClass
from forstcore.compiled.places import Place
from forstcore.compiled.record_types import RecordTypes
from forstcore.compiled.remarks import NotCompiled, Remark, Unsupported
from forstcore.compiled.scope import Origin, assigned_names
from forstcore.compiled.source import FunctionSource
from forstcore.compiled.statements import Statements
from forstcore.compiled.tables import is_scalar

__all__ = ["Compiled", "NotCompiled", "Place", "Remark", "compile_processor"]

_MOST_STARTS = 40


@dataclass(frozen=True)
class Compiled:
    """A function that has been compiled.

    Attributes:
        program: for `RecordStream`.
        gives_back: places at which records are given back to the function.

    Thread-safety: immutable.
    """

    program: Program
    gives_back: tuple[Remark, ...]


def compile_processor(
    function: Callable[..., Any], kind: str = "dict", takes: Any = dict
) -> Compiled | NotCompiled:
    """Compile a function that processes records.

    Args:
        function: a function that may be a processor.
        kind: the kind of its record, as in `Processor`.
        takes: the annotation of its record.

    Returns:
        The program, or where and why the function does not compile.

    Thread-safety: may be called from any thread.
    """
    try:
        source = _source_of(function)
        types = _types_of(kind, takes)
    except Unsupported as error:
        code = getattr(inspect.unwrap(function), "__code__", None)
        file = code.co_filename if code else repr(function)
        line = code.co_firstlineno if code else 1
        return NotCompiled(file, line, 1, error.construct, error.advice)
    try:
        assigned = assigned_fields(source.node, types)
    except Unsupported as error:
        return _not_compiled(source, error)
    if assigned:
        assert isinstance(source.node, ast.FunctionDef)
        source.node = with_variables(source.node, assigned)
    changes: Changes | None = None
    recursive: dict[Any, set[str]] = {}
    classes: dict[type, InstanceClass] = {}
    for _ in range(_MOST_STARTS):
        compiler = _Compiler(source, changes)
        compiler.types = types
        compiler.recursive = recursive
        compiler.assigned = assigned
        compiler.classes = classes
        try:
            return Compiled(compiler.compile(), tuple(compiler.remarks))
        except StartAgain as again:
            changes = again.changes
        except Unsupported as error:
            return _not_compiled(source, error)
        except (ValueError, UnicodeEncodeError, RecursionError) as error:
            return NotCompiled(source.file, source.first_line, 1, str(error))
    return NotCompiled(source.file, source.first_line, 1, "what it changes is unclear")


def _not_compiled(source: FunctionSource, error: Unsupported) -> NotCompiled:
    remark = source.remark(error, NotCompiled)
    assert isinstance(remark, NotCompiled)
    return remark


def _types_of(kind: str, takes: Any) -> RecordTypes | None:
    """Return the declared types of the record, None if it is a dict."""
    if kind == "record":
        return RecordTypes.of_streaming_record()
    return RecordTypes.of(takes) if kind == "typed" else None


def _source_of(function: Callable[..., Any]) -> FunctionSource:
    if not isinstance(function, types.FunctionType):
        raise Unsupported(None, f"a {type(function).__name__}", "use def")
    if hasattr(function, "__wrapped__"):
        raise Unsupported(None, "a decorator around the function")
    source = FunctionSource(function)
    if isinstance(source.node, ast.AsyncFunctionDef):
        raise Unsupported(None, "an async function", "use def, if it need not wait")
    return source


def _first_value(body: list[ast.stmt]) -> ast.expr | None:
    """Return the expression that the first statement assigns or returns, if it does."""
    has_text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    match body[1:2] if has_text else body[:1]:
        case [ast.Assign(value=value) | ast.AnnAssign(value=value) | ast.Return(value=value)]:
            return value
    return None


class _Compiler(Statements):
    def compile(self) -> Program:
        """Return the program.

        Raises:
            Unsupported: the function cannot be compiled.
            StartAgain: it must be compiled again with other `changes`.
            ValueError: it is too long.
        """
        node = self.source.node
        counts = assigned_names(node)
        scope = self.scope
        scope.locals = frozenset(counts)
        scope.once = frozenset(name for name, count in counts.items() if count == 1)
        self.code.source_place = self.source.place_of(node)
        self.check_types()
        self._take_parameters(node.args)
        if isinstance(node, ast.Lambda):
            self.do_return(node.body)
        else:
            assert isinstance(node, ast.FunctionDef)
            self.is_generator = yields(node)
            self.first_value = _first_value(node.body)
            self.block(node.body)
        return self.code.finish()

    def _take_parameters(self, parameters: ast.arguments) -> None:
        names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
        if not names:
            raise Unsupported(None, "a function without a parameter for the record")
        defaults = self.source.defaults()
        self.record_name = names[0]
        if names[0] in self.scope.once:
            self.scope.paths[names[0]] = ()
        elif self.types is not None:
            construct = f"another value of {names[0]!r}, which has a declared type"
            raise Unsupported(None, construct, "use another name")
        else:
            register = self.scope.registers[names[0]] = self.code.variable()
            self.code.emit("RECORD", register)
            self.scope.bound.add(names[0])
            self.scope.origins[names[0]] = Origin.RECORD
        for name in (*names[1:], *(each.arg for each in parameters.kwonlyargs)):
            value = defaults.get(name)
            if not is_scalar(value):
                raise Unsupported(None, f"the default of the parameter {name!r}")
            register = self.scope.registers[name] = self.code.variable()
            self.constant(value, register)
            self.scope.bound.add(name)
        if parameters.vararg or parameters.kwarg:
            raise Unsupported(None, "a function that takes * or **")
