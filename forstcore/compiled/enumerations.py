"""Members of enumerations: in variables, looked up by value or name, returned by helpers.

In a program a member is its number, counted from 1, and None is None. Only code that takes its
value or name, or compares it with other members, may see the number, so an expression that is a
member does not compile where a value is expected.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.function_arguments import Function
from forstcore.compiled.instance_truth import InstanceTruth
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Kind, Origin, Scope, assigned_names
from forstcore.compiled.source import MISSING, plain_function
from forstcore.compiled.tables import (
    check_functions,
    is_immutable,
    is_scalar,
    is_usual_enumeration,
    plain_value,
)
from forstcore.compiled.type_bits import BITS, INT
from forstcore.compiled.typed import is_none

__all__ = ["Enumerations"]

_SCALARS = BITS[str] | BITS[int] | BITS[bool] | BITS[float] | BITS[type(None)]
_ATTRIBUTES = ("value", "name")


class Enumerations(InstanceTruth):
    """Compile operations on members of enumerations."""

    def kind_of(self, node: ast.expr) -> Kind | None:
        """Return the enumeration that an expression is a member of, or None; None if of none."""
        declared = self.declared_kind(node)
        if declared is not None:
            return declared
        match node:
            case ast.Name(id=name):
                owner = self.scope.owner(name)
                return None if owner is None else owner.members.get(name)
            case ast.IfExp(body=body, orelse=orelse):
                return _only(self.kind_of(each) for each in (body, orelse) if not is_none(each))
        kind = _kind_in(node, self.static)
        if kind is None and isinstance(node, ast.Call):
            kind = self._returned_by(node)
        if kind is None:
            table = self._table_of_members(node)
            kind = None if table is None else _only(map(type, table.values()))
        return kind

    def _returned_by(self, node: ast.Call) -> Kind | None:
        """Return the enumeration of which all return values of a function are members, or None."""
        function = self._helper(node)
        if function is None or not isinstance(function.definition, ast.FunctionDef):
            return None
        own = assigned_names(function.definition)

        def static(each: ast.expr) -> Any:
            match each:
                case ast.Name(id=name) if name in function.bound:
                    return function.bound[name]
                case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in function.bound:
                    return getattr(function.bound[name], attr, None)
            is_own = any(isinstance(n, ast.Name) and n.id in own for n in ast.walk(each))
            return None if is_own else function.source.static(each)

        returned = [each.value for each in _returns(function.definition.body)]
        values = [each for each in returned if each is not None and not is_none(each)]
        return _only(_kind_in(each, static) for each in values)

    def _helper(self, node: ast.Call) -> Function | None:
        """Return the function of the module that is called."""
        callee = self.static(node.func)
        if any(isinstance(each, ast.Starred) for each in node.args):
            return None
        try:
            function = plain_function(callee)
            if function is None:
                return self.class_method(node, callee)
            return self.global_function(node, function)
        except Unsupported:
            return None

    def _table_of_members(self, node: ast.expr) -> dict[Any, enum.Enum] | None:
        """Return the constant table that an expression picks a member from."""
        match node:
            case ast.Subscript(value=table, slice=key) if not isinstance(key, ast.Slice):
                pass
            case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[_] | [_, _]):
                if node.keywords:
                    return None
            case _:
                return None
        if not isinstance(table, ast.Name | ast.Attribute):
            return None
        value = self.static(table)
        if type(value) is not dict or _only(map(_kind_of_member, value.values())) is None:
            return None
        if not all(map(is_immutable, value)):
            return None
        return value

    # Numbers.

    def number_of(self, node: ast.expr, kind: Kind, to: int) -> None:
        """Emit the number of a member of an enumeration, or None.

        Raises:
            Unsupported: the expression is no member of it.
        """
        if is_none(node):
            self.constant(None, to)
            return
        if self.kind_of(node) is not kind:
            raise Unsupported(node, f"something else than a member of {kind.__name__}")
        numbers = _numbers_of(kind)
        with self.at(node):
            match node:
                case _ if self.declared_kind(node) is not None:
                    by_value = {each.value: number for each, number in numbers.items()}
                    with self.temporaries():
                        value = self.code.temporary()
                        self.load_value_of_member(node, value)
                        self.code.emit(
                            "GET_ITEM", to, self.constant({None: None, **by_value}), value
                        )
                case ast.Name():
                    self.code.emit("MOVE", to, self.variable(node))
                case ast.IfExp():
                    self._number_of_either(node, kind, to)
                case ast.Attribute():
                    self.constant(numbers[self.static(node)], to)
                case ast.Call(func=function, args=[value]) if self.static(function) is kind:
                    self._number_by_value(value, kind, to)
                case ast.Subscript(value=owner, slice=key) if self.static(owner) is kind:
                    by_name = {name: numbers[each] for name, each in kind.__members__.items()}
                    with self.temporaries():
                        register = self.value(key)
                        self.code.emit("GET_ITEM", to, self.constant(by_name), register)
                case ast.Call() if self._table_of_members(node) is None:
                    self._number_from_helper(node, kind, to)
                case ast.Call() | ast.Subscript():
                    self._number_from_table(node, kind, to)

    def _number_of_either(self, node: ast.IfExp, kind: Kind, to: int) -> None:
        otherwise, end = Label(), Label()
        self.jump(node.test, otherwise, when=False)
        self.number_of(node.body, kind, to)
        self.code.emit("JUMP", end)
        self.code.place(otherwise)
        self.number_of(node.orelse, kind, to)
        self.code.place(end)

    def _number_by_value(self, value: ast.expr, kind: Kind, to: int) -> None:
        numbers = _numbers_of(kind)
        by_value = self.constant({each.value: number for each, number in numbers.items()})
        with self.temporaries():
            key, test, is_one = self.value(value), self.code.temporary(), Label()
            # Others may have no hash, for which Python compares the values of all members.
            self._require(key, _SCALARS)
            self.code.emit("IN", test, key, by_value)
            self.code.emit("JUMP_IF", test, is_one)
            self.raise_no_member(key, kind)
            self.code.place(is_one)
            self.code.emit("GET_ITEM", to, by_value, key)

    def _number_from_helper(self, node: ast.Call, kind: Kind, to: int) -> None:
        function = self._helper(node)
        assert function is not None
        keywords = {each.arg: each.value for each in node.keywords if each.arg is not None}
        if len(keywords) < len(node.keywords):
            raise Unsupported(node, "** in a call", "name the arguments")
        self.inline(node, function, node.args, keywords, to, returns=kind)

    def _number_from_table(self, node: ast.Call | ast.Subscript, kind: Kind, to: int) -> None:
        table = self._table_of_members(node)
        assert table is not None
        picked = node.func if isinstance(node, ast.Call) else node
        assert isinstance(picked, ast.Attribute | ast.Subscript)
        name = picked.value
        assert isinstance(name, ast.Name | ast.Attribute)
        owner = self.static(name.value) if isinstance(name, ast.Attribute) else None
        check_functions(self.source, name, owner, table)
        numbers = _numbers_of(kind)
        with self.temporaries():
            known = self.constant({key: numbers[each] for key, each in table.items()})
            if isinstance(node, ast.Subscript):
                self.code.emit("GET_ITEM", to, known, self.value(node.slice))
                return
            default = self.code.temporary()
            key, test, end = self.value(node.args[0]), self.code.temporary(), Label()
            if len(node.args) == 2:
                self.number_of(node.args[1], kind, default)
            else:
                self.constant(None, default)
            self.code.emit("IN", test, key, known)
            self.code.emit("MOVE", to, default)
            self.code.emit("JUMP_UNLESS", test, end)
            self.code.emit("GET_ITEM", to, known, key)
            self.code.place(end)

    def _require(self, register: int, bits: int) -> None:
        """Give the record back unless a value is of one of some types."""
        fine = Label()
        with self.temporaries():
            test = self.code.temporary()
            self.code.emit("IS_A", test, register, bits)
            self.code.emit("JUMP_IF", test, fine)
            self.code.emit("GIVE_BACK")
            self.code.place(fine)

    # Where members are allowed.

    def keep_member(self, name: ast.Name, value: ast.expr) -> bool:
        """Emit the assignment of a member of an enumeration; return whether it is one."""
        owner = self.scope.owner(name.id)
        assert owner is not None
        kind = owner.members.get(name.id)
        if kind is None:
            kind = self._kind_assigned(name.id, owner, set()) if is_none(value) else None
            kind = kind or self.kind_of(value)
            if kind is None:
                return False
            if not owner.may_be_special(name.id):
                construct = f"{name.id!r}, which is a member of an enumeration and something else"
                raise Unsupported(value, construct)
        register = owner.registers.get(name.id)
        if register is None:
            register = self.code.variable()
        with self.temporaries():
            number = self.code.temporary()
            self.number_of(value, kind, number)
            self.code.emit("MOVE", register, number)
        owner.registers[name.id] = register
        owner.bind(name.id, Origin.OTHER)
        owner.members[name.id] = kind
        return True

    def _kind_assigned(self, name: str, owner: Scope, seen: set[str]) -> Kind | None:
        """Return the enumeration that all values of a variable are members of, or None."""
        seen.add(name)
        kinds: set[Kind | None] = set()
        for node in ast.walk(owner.definition) if owner.definition is not None else ():
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    if isinstance(value, ast.Name) and self.scope.owner(value.id) is owner:
                        if value.id not in seen:
                            kinds.add(self._kind_assigned(value.id, owner, seen))
                    elif not is_none(value):
                        kinds.add(self.kind_of(value))
        return _only(kinds)

    def pass_member(self, argument: ast.expr, name: str, scope: Scope) -> bool:
        """Emit the argument of a function that is inlined; return whether it is a member."""
        kind = self.kind_of(argument)
        if kind is None:
            return False
        register = scope.registers[name] = self.code.variable()
        with self.temporaries():
            number = self.code.temporary()
            self.number_of(argument, kind, number)
            self.code.emit("MOVE", register, number)
        scope.members[name] = kind
        return True

    def refuse_whole(self, node: ast.expr) -> None:
        super().refuse_whole(node)
        if isinstance(node, ast.Name) and self.kind_of(node) is not None:
            construct = f"{node.id!r} is a member of an enumeration"
            raise Unsupported(node, construct, f"use its value: {node.id}.value")

    def _into_Attribute(self, node: ast.Attribute, to: int) -> None:
        kind = self.kind_of(node.value) if node.attr in _ATTRIBUTES else None
        if kind is None:
            super()._into_Attribute(node, to)
            return
        attributes = tuple(getattr(each, node.attr) for each in kind)
        if not is_immutable(attributes):
            raise Unsupported(node, f"the values of {kind.__name__}")
        with self.temporaries():
            number = self.code.temporary()
            self.number_of(node.value, kind, number)
            self._require(number, INT)  # It may be None.
            self.code.emit("GET_ITEM", to, self.constant((None, *attributes)), number)

    def _into_Compare(self, node: ast.Compare, to: int) -> None:
        if len(node.ops) == 1 and self._compare_members(node, node.comparators[0], to):
            return
        super()._into_Compare(node, to)

    def _compare_members(self, node: ast.Compare, right: ast.expr, to: int) -> bool:
        """Emit a comparison of members of one enumeration; return whether it is one."""
        operator = node.ops[0]
        others = [right]
        is_in = isinstance(operator, ast.In | ast.NotIn)
        if is_in and isinstance(right, ast.Tuple | ast.List | ast.Set) and right.elts:
            others = right.elts
        elif is_in or not isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
            return False
        sides = [node.left, *others]
        kind = _only(self.kind_of(each) for each in sides if not is_none(each))
        if kind is None:
            return False
        is_not = isinstance(operator, ast.NotIn | ast.IsNot | ast.NotEq)
        with self.temporaries():
            left, result = self.code.temporary(), self.code.temporary()
            self.number_of(node.left, kind, left)
            first = self.code.temporary(len(others))
            for i, each in enumerate(others):
                self.number_of(each, kind, first + i)
            if is_in:
                self.code.emit("TUPLE", result, first, len(others))
                self.code.emit("NOT_IN" if is_not else "IN", to, left, result)
            else:
                self.code.emit("NOT_EQUAL" if is_not else "EQUAL", to, left, first)
        return True

    # Where a member is as good as its value.

    def operand(self, node: ast.expr) -> int:
        kind = self._kind_of_value(node)
        if kind is None or any(plain_value(each) is MISSING for each in kind):
            return super().operand(node)
        return self._plain(node, kind, tuple(plain_value(each) for each in kind))

    def formatted(self, node: ast.FormattedValue) -> int:
        kind = self._kind_of_value(node.value)
        if kind is None or node.conversion not in (-1, ord("s")) or not _shows_value(kind):
            return super().formatted(node)
        return self._plain(node.value, kind, tuple(plain_value(each) for each in kind))

    def written_member(self, node: ast.expr) -> int | None:
        """Emit the value as which a member is written to a result; None if it is no member."""
        kind = self._kind_of_value(node)
        if kind is None or not all(is_scalar(each.value) for each in kind):
            return None
        return self._plain(node, kind, tuple(each.value for each in kind))

    def _kind_of_value(self, node: ast.expr) -> Kind | None:
        is_one = isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.IfExp | ast.Attribute)
        return self.kind_of(node) if is_one else None

    def _plain(self, node: ast.expr, kind: Kind, values: tuple[Any, ...]) -> int:
        """Emit the value of a member, or None; return its register."""
        result, end = self.code.temporary(), Label()
        with self.temporaries():
            number, test = self.code.temporary(), self.code.temporary()
            self.number_of(node, kind, number)
            self.code.emit("MOVE", result, number)
            self.code.emit("IS_A", test, number, INT)
            self.code.emit("JUMP_UNLESS", test, end)
            self.code.emit("GET_ITEM", result, self.constant((None, *values)), number)
        self.code.place(end)
        return result

    def match_members(self, node: ast.Match, kind: Kind) -> ast.Match:
        """Return a match statement whose patterns are numbers in place of members.

        Raises:
            Unsupported: a pattern is no member, nor None or _.
        """
        cases = [
            ast.match_case(self._numbered(each.pattern, kind), each.guard, each.body)
            for each in node.cases
        ]
        return ast.copy_location(ast.Match(node.subject, cases), node)

    def _numbered(self, pattern: ast.pattern, kind: Kind) -> ast.pattern:
        match pattern:
            case ast.MatchValue(value=value) if self.kind_of(value) is kind:
                number = ast.Constant(_numbers_of(kind)[self.static(value)])
                return ast.copy_location(ast.MatchValue(number), pattern)
            case ast.MatchOr(patterns=patterns):
                numbered = [self._numbered(each, kind) for each in patterns]
                return ast.copy_location(ast.MatchOr(numbered), pattern)
            case ast.MatchSingleton(value=None) | ast.MatchAs(pattern=None, name=None):
                return pattern
        raise Unsupported(pattern, f"a pattern that is no member of {kind.__name__}")


def _kind_in(node: ast.expr, static: Callable[[ast.expr], Any]) -> Kind | None:
    """Return the enumeration that an expression without variables is a member of."""
    match node:
        case ast.Attribute():
            return _kind_of_member(static(node))
        case ast.Call(func=function, args=[value], keywords=[]):
            kind = _as_kind(static(function))
            if kind is None or isinstance(value, ast.Starred):
                return None
            return kind if all(is_immutable(each.value) for each in kind) else None
        case ast.Subscript(value=owner, slice=key) if not isinstance(key, ast.Slice):
            return _as_kind(static(owner))
        case ast.IfExp(body=body, orelse=orelse):
            sides = (each for each in (body, orelse) if not is_none(each))
            return _only(_kind_in(each, static) for each in sides)
    return None


def _kind_of_member(value: Any) -> Kind | None:
    return _as_kind(type(value)) if isinstance(value, enum.Enum) else None


def _as_kind(value: Any) -> Kind | None:
    """Return an enumeration whose members compare, and are looked up, as usual."""
    is_kind = isinstance(value, type) and issubclass(value, enum.Enum)
    return value if is_kind and is_usual_enumeration(value) else None


def _shows_value(kind: Kind) -> bool:
    """Whether str and format of a member are those of its value."""
    if any(plain_value(each) is MISSING for each in kind):
        return False
    usual = enum.IntEnum if issubclass(kind, enum.IntEnum) else enum.StrEnum
    return issubclass(kind, usual) and all(
        getattr(kind, name) is getattr(usual, name) for name in ("__str__", "__format__")
    )


def _numbers_of(kind: Kind) -> dict[enum.Enum, int]:
    return {each: number for number, each in enumerate(kind, 1)}


def _only(kinds: Any) -> Kind | None:
    """Return the kind that all are; None if they differ, or there is none."""
    found = set(kinds)
    return found.pop() if len(found) == 1 else None


def _returns(statements: list[ast.stmt]) -> list[ast.Return]:
    """Return what returns from a function, without the functions that are defined in it."""
    found: list[ast.Return] = []
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            found.append(node)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
    return found
