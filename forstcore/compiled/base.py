"""The base class of all parts of the compiler."""

from __future__ import annotations

import ast
import enum
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from forstcore.compiled.assembler import Assembler, Label
from forstcore.compiled.class_attributes import check_class_attribute
from forstcore.compiled.origins import origin_of
from forstcore.compiled.places import Place
from forstcore.compiled.remarks import Remark, Unsupported
from forstcore.compiled.scope import Origin, Path, Scope
from forstcore.compiled.source import MISSING, FunctionSource
from forstcore.compiled.tables import check_constant, check_table, check_value

__all__ = ["Base", "Changes", "StartAgain"]


class Changes:
    """How the function changes the record, which then becomes a separate object.

    Attributes:
        deep: whether nested parts are changed, too, not only the record itself.
        early: whether it is separate from the start of the function, not from the first change on.
    """

    def __init__(self, *, deep: bool, early: bool) -> None:
        self.deep = deep
        self.early = early


class StartAgain(Exception):
    """Raised when the compiler detects too late how the function changes the record.

    Or that another function is recursive, or gets a part of the record.
    """

    def __init__(self, changes: Changes | None) -> None:
        super().__init__()
        self.changes = changes


class Base:
    """The state of the compiler, and the resolution of names.

    Args:
        source: the function.
        changes: how it changes the record, None if not at all.

    Attributes:
        code: the program so far.
        scope: the variables at this point.
        remarks: places at which records are given back.
    """

    def __init__(self, source: FunctionSource, changes: Changes | None) -> None:
        self.code = Assembler()
        self.changes = changes
        self.scope = Scope(source, source.node)
        self.remarks: list[Remark] = []
        self.record_name = ""
        self.first_value: ast.expr | None = None  # that the first statement assigns or returns
        self.record_register: int | None = None  # once the record is an object of its own
        self.keeps_values = False  # whether the statement at this place may assign a variable
        self.keeps_record = False  # whether a variable may have the record as a whole in it
        self.branches = 0  # conditional statements and loops around this place
        self.returned = False  # whether some records do not get to this place
        self.tries = 0  # try statements around this place
        self.copies_names = False  # whether a name may be assigned within the expression

    @property
    def source(self) -> FunctionSource:
        return self.scope.source

    @contextmanager
    def at(self, node: ast.expr | ast.stmt) -> Iterator[None]:
        """Assign the instructions emitted in the block to a construct."""
        outer = self.code.source_place
        # Nodes created by the compiler have no place.
        if getattr(node, "lineno", None) is not None:
            self.code.source_place = self.source.place_of(node)
        try:
            yield
        finally:
            self.code.source_place = outer

    def give_back(self, error: Unsupported) -> None:
        """Emit code that gives the record back because of a construct that does not compile."""
        remark = self.source.remark(error)
        self.remarks.append(remark)
        outer = self.code.source_place
        place = Place(remark.file, remark.line, remark.column, None, remark.construct)
        self.code.source_place = place
        self.code.emit("GIVE_BACK")
        self.code.source_place = outer

    @contextmanager
    def temporaries(self) -> Iterator[None]:
        """Release the temporary registers that are taken in the block."""
        mark = self.code.mark()
        yield
        self.code.release(mark)

    # Expressions; see expressions.py.

    def value(self, node: ast.expr) -> int:
        """Emit code for an expression; return the register of its value."""
        raise NotImplementedError

    def into(self, node: ast.expr, to: int) -> None:
        """Emit code that computes an expression into a register, which it may read before."""
        raise NotImplementedError

    def row(self, nodes: Sequence[ast.expr | int | None]) -> tuple[int, list[tuple[int, ast.expr]]]:
        """Take registers in a row, at least one, for one instruction, with the constants in them.

        Args:
            nodes: for each an expression, or another register whose value it is to have; None if
                it is to have no value.

        Returns:
            The first register; and what is still to be computed, each with the register for it.
        """
        raise NotImplementedError

    def constant(self, value: Any, to: int | None = None) -> int:
        """Emit a constant into a register, or return that of the constant; see typed.py."""
        raise NotImplementedError

    def note_constant(self, value: Any) -> None:
        """Take note that the program has a constant; see instances.py."""

    def variable(self, node: ast.Name) -> int:
        """Return the register of a variable; emit a check if it may be unbound."""
        raise NotImplementedError

    # See statements.py, calls.py and dispatch.py.

    def iterable(self, node: ast.expr) -> int:
        """Return the register of what a loop iterates over."""
        raise NotImplementedError

    def is_function(self, node: ast.expr) -> bool:
        """Return whether the value of a variable is a function selected from a table."""
        raise NotImplementedError

    def assign(self, target: ast.expr, register: int, origin: Origin) -> None:
        """Emit code that assigns the value of a register."""
        raise NotImplementedError

    def call_native(
        self,
        node: ast.expr,
        name: str,
        arguments: Sequence[ast.expr],
        keywords: dict[str, ast.expr],
        to: int,
        *,
        first: int | None = None,
    ) -> None:
        """Emit the call of a function of the runtime; see FUNCTIONS in program.pyx."""
        raise NotImplementedError

    @contextmanager
    def uncaught(self) -> Iterator[None]:
        """Let no handler catch exceptions of the code emitted in the block: give the record back.

        For code that runs earlier than Python runs it, so that another exception could come first.
        """
        start = self.code.here()
        yield
        if self.tries:
            self.give_back_exceptions(start)

    def give_back_exceptions(self, start: Label) -> None:
        """Give the record back for exceptions since `start`; see exceptions.py."""
        raise NotImplementedError

    # Names.

    def path_of(self, node: ast.expr) -> Path | None:
        """Return the path of an expression that is an unchanged value of the record."""
        if isinstance(node, ast.Name):
            owner = self.scope.owner(node.id)
            return None if owner is None else owner.paths.get(node.id)
        if isinstance(node, ast.Subscript):
            key = node.slice
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                above = self.path_of(node.value)
                return None if above is None else (*above, key.value)
        return None

    def static(self, node: ast.expr) -> Any:
        """Resolve an expression of names and attributes outside of the function.

        Returns:
            The object; MISSING if it begins with a local variable or an unknown name.
        """
        if isinstance(node, ast.Name):
            owner = self.scope.owner(node.id)
            if owner is not None:
                return owner.imports.get(node.id, MISSING)
            return self.source.value_of(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.static(node.value)
            if isinstance(owner, types.ModuleType | type):
                return getattr(owner, node.attr, MISSING)
        return MISSING

    def constant_of(self, node: ast.Name) -> Any:
        """Return the constant value of a name from outside of the function.

        Raises:
            Unsupported: there is no such name, or it may change.
        """
        value = self.source.value_of(node.id)
        if value is MISSING:
            raise Unsupported(node, f"the name {node.id!r} is not defined")
        check_constant(self.source, node, value)
        return value

    def check_attribute(self, node: ast.Attribute, value: Any) -> None:
        """Check that an attribute of a module or class can be a constant.

        Raises:
            Unsupported: it may change, or is of a type that programs have no values of.
        """
        owner = self.static(node.value)
        if isinstance(owner, types.ModuleType) and isinstance(value, dict | list | set):
            check_table(self.source, node, owner, value)
        elif isinstance(owner, type) and not isinstance(value, enum.Enum) and _is_users(owner):
            check_class_attribute(self.source, node, owner, value)
        else:
            check_value(node, value)

    def origin_of(self, node: ast.expr) -> Origin:
        """Return where the value of an expression comes from."""
        return origin_of(node, self.scope, self.record_name)


def _is_users(kind: type) -> bool:
    return kind.__module__.partition(".")[0] not in sys.stdlib_module_names
