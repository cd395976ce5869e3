"""Functions in constant tables: HANDLERS[kind](record), and for check in CHECKS: check(record).

In a program the table has numbers in place of the functions, and a call compares the number with
that of each function, which is compiled inline. A variable may have such a number as its
value, but may only be called or compared with None.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.enumerations import Enumerations
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Origin
from forstcore.compiled.source import MISSING
from forstcore.compiled.tables import check_functions, is_immutable, plain_value
from forstcore.compiled.typed import is_none

__all__ = ["Dispatch"]

_MOST = 64  # Maximum functions in a table: each is compiled inline at the call.


@dataclass(frozen=True)
class Choice:
    """The functions that an expression may select from a table.

    Attributes:
        functions: the functions; the number of each is its position, counted from 1.
        number: the expression for the number, None where there is no function.
    """

    functions: tuple[Callable[..., Any], ...]
    number: ast.expr


@dataclass(frozen=True)
class _Rows:
    """The items of a loop over functions.

    Attributes:
        numbers: the items, with numbers in place of functions.
        columns: the functions at each place of an item, None where there are none.
        are_tuples: whether items are tuples; otherwise there is one column.
    """

    numbers: tuple[Any, ...]
    columns: tuple[tuple[Callable[..., Any], ...] | None, ...]
    are_tuples: bool

    @classmethod
    def of(cls, items: Sequence[Any]) -> _Rows | None:
        """Return the rows for items; None if they are neither functions nor have some."""
        are_tuples = bool(items) and all(type(each) is tuple for each in items)
        tuples = items if are_tuples else [(each,) for each in items]
        if len({len(each) for each in tuples}) != 1:
            return None
        columns: list[tuple[Callable[..., Any], ...] | None] = []
        numbers: list[Sequence[Any]] = []
        for column in zip(*tuples, strict=True):
            is_function = all(map(_is_function, column))
            if not is_function and not all(map(is_immutable, column)):
                return None
            columns.append(column if is_function else None)
            numbers.append(range(1, len(column) + 1) if is_function else column)
        if not any(columns):
            return None
        rows = tuple(zip(*numbers, strict=True))
        return cls(rows if are_tuples else tuple(row[0] for row in rows), (*columns,), are_tuples)


class Dispatch(Enumerations):
    """Compile calls of functions selected from a table."""

    def choice_of(self, node: ast.expr) -> Choice | None:
        """Return the functions that an expression selects from a table; None if it selects none.

        Raises:
            Unsupported: it does, but the table may change.
        """
        match node:
            case ast.Subscript(value=table, slice=key):
                default: ast.expr | None = None
                is_get = False
            case ast.Call(
                func=ast.Attribute(value=table, attr="get"), args=[key, *rest], keywords=[]
            ) if len(rest) < 2:
                default = rest[0] if rest else None
                is_get = True
            case _:
                return None
        known = self._table(table)
        if known is None or isinstance(key, ast.Slice | ast.Starred):
            return None
        functions = [*{id(each): each for each in known.values()}.values()]
        places = {id(each): i for i, each in enumerate(functions, 1)}
        numbers: dict[Any, int] = {}
        for name, function in known.items():
            plain = plain_value(name)
            numbers[name if plain is MISSING else plain] = places[id(function)]
        # Nodes without a place in the source belong to the surrounding expression.
        constant = ast.Constant(numbers)  # type: ignore[arg-type]
        if not is_get:
            picked: ast.expr = ast.Subscript(constant, key, ast.Load())
        else:
            arguments = [key]
            if default is not None and not is_none(default):
                functions.append(self._default(default))
                arguments.append(ast.Constant(len(functions)))
            picked = ast.Call(ast.Attribute(constant, "get", ast.Load()), arguments, [])
        return Choice(tuple(functions), picked)

    def _table(self, node: ast.expr) -> Mapping[Any, Callable[..., Any]] | None:
        """Return the functions of a table by their keys; None if it is no table of functions."""
        if not isinstance(node, ast.Name | ast.Attribute):
            return None
        value = self.static(node)
        if type(value) is not dict or not value or not all(map(callable, value.values())):
            return None
        self._check_table(node, value)
        if not all(is_immutable(key) or plain_value(key) is not MISSING for key in value):
            raise Unsupported(node, f"{ast.unparse(node)!r} has keys that are no JSON")
        return value

    def _check_table(self, node: ast.Name | ast.Attribute, value: Any) -> None:
        owner = self.static(node.value) if isinstance(node, ast.Attribute) else None
        if len(value) > _MOST:
            raise Unsupported(node, f"a table of more than {_MOST} functions")
        check_functions(self.source, node, owner, value)

    def _default(self, node: ast.expr) -> Callable[..., Any]:
        function = self.static(node)
        if function is MISSING or not callable(function) or isinstance(function, type(None)):
            raise Unsupported(node, f"the default {ast.unparse(node)} of a table of functions")
        return function  # type: ignore[no-any-return]

    def chosen(self, node: ast.expr) -> tuple[Callable[..., Any], ...] | None:
        """Return the functions that the value of a variable may be; None if it is no such one."""
        if not isinstance(node, ast.Name):
            return None
        owner = self.scope.owner(node.id)
        return None if owner is None else owner.choices.get(node.id)

    def is_function(self, node: ast.expr) -> bool:
        return self.chosen(node) is not None

    def refuse_whole(self, node: ast.expr) -> None:
        super().refuse_whole(node)
        if self.is_function(node):
            raise Unsupported(node, "a function as a value", "call it")

    def keep_choice(self, name: ast.Name, value: ast.expr) -> bool:
        """Emit the assignment of a function selected from a table; return whether it is one."""
        choice = self.choice_of(value)
        if choice is None:
            return False
        owner = self.scope.owner(name.id)
        assert owner is not None
        if name.id not in owner.once or not owner.may_be_special(name.id):
            raise Unsupported(value, f"{name.id!r}, which is a function and something else")
        register = owner.registers[name.id] = self.code.variable()
        self.into(choice.number, register)
        owner.bind(name.id, Origin.OTHER)
        owner.choices[name.id] = choice.functions
        return True

    # Loops over functions.

    def iterable(self, node: ast.expr) -> int:
        rows = self._rows(node)
        if rows is not None:
            return self.constant(rows.numbers)
        self.open(node)
        return self.value(node)

    def note_types(self, target: ast.expr, iterable: ast.expr) -> None:
        super().note_types(target, iterable)
        rows = self._rows(iterable)
        if rows is None:
            return
        targets = target.elts if rows.are_tuples and isinstance(target, ast.Tuple) else [target]
        if rows.are_tuples != isinstance(target, ast.Tuple):
            raise Unsupported(target, "functions in tuples", "unpack them in the loop")
        for name, functions in zip(targets, rows.columns, strict=False):
            if functions is None:
                continue
            owner = self.scope.owner(name.id) if isinstance(name, ast.Name) else None
            if owner is None or not isinstance(name, ast.Name) or name.id not in owner.once:
                raise Unsupported(target, "a function as a value of these variables")
            owner.choices[name.id] = functions

    def _rows(self, node: ast.expr) -> _Rows | None:
        """Return the functions that a loop iterates over; None if it iterates over others."""
        table: ast.expr = node
        view = ""
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[], keywords=[]):
                if attr in ("items", "values"):
                    table, view = value, attr
        if not isinstance(table, ast.Name | ast.Attribute):
            return None
        value = self.static(table)
        if type(value) is not (dict if view else list) and (view or type(value) is not tuple):
            return None
        items = [*getattr(value, view)()] if view else [*value]
        rows = _Rows.of(items)
        if rows is not None:
            self._check_table(table, value)
        return rows

    # Calls.

    def call_choice(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> bool:
        """Emit the call of a function selected from a table; return whether it is one."""
        functions = self.chosen(node.func)
        choice = None if functions is not None else self.choice_of(node.func)
        if functions is None and choice is None:
            return False
        with self.temporaries():
            number, result = self.code.temporary(), self.code.temporary()
            if choice is not None:
                functions = choice.functions
                self.into(choice.number, number)
            else:
                assert isinstance(node.func, ast.Name)
                self.code.emit("MOVE", number, self.variable(node.func))
            assert functions is not None
            end = Label()
            self.branches += 1
            try:
                for i, function in enumerate(functions, 1):
                    self._call_if(node, i, number, function, keywords, result, end)
            finally:
                self.branches -= 1
            # It is None, which Python cannot call.
            self.code.emit("GIVE_BACK")
            self.code.place(end)
            self.code.emit("MOVE", to, result)
        return True

    def _call_if(
        self,
        node: ast.Call,
        i: int,
        number: int,
        function: Callable[..., Any],
        keywords: dict[str, ast.expr],
        result: int,
        end: Label,
    ) -> None:
        """Emit the call of one function, if it has the selected number."""
        following = Label()
        bound = set(self.scope.bound)
        mark = self.code.mark()
        with self.temporaries():
            test = self.code.temporary()
            self.code.emit("EQUAL", test, number, self.constant(i))
            self.code.emit("JUMP_UNLESS", test, following)
        try:
            self.call_static(node, function, keywords, result)
        except Unsupported as error:
            if error.fatal:
                raise
            self.code.undo(mark)
            with self.temporaries():
                test = self.code.temporary()
                self.code.emit("EQUAL", test, number, self.constant(i))
                self.code.emit("JUMP_UNLESS", test, following)
            self.give_back(error)
        self.code.emit("JUMP", end)
        self.code.place(following)
        self.scope.bound &= bound

    def call_static(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> None:
        """Emit the call of a function that is known; see calls.py."""
        raise NotImplementedError


def _is_function(value: Any) -> bool:
    return callable(value) and not is_immutable(value)
