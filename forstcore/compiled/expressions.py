"""Expressions: values, operators, conditions and displays."""

from __future__ import annotations

import ast
import enum
from collections.abc import Sequence
from typing import Any

from forstcore._core.program import FUNCTIONS, NO_VALUE
from forstcore.compiled.assembler import Label
from forstcore.compiled.big_integers import integer_beyond_64_bits, power_beyond_integers
from forstcore.compiled.expression_forms import index_of, is_with_none
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING
from forstcore.compiled.tables import check_value, plain_value
from forstcore.compiled.type_bits import BITS
from forstcore.compiled.typed import Typed

__all__ = ["Expressions"]

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "ADD",
    ast.Sub: "SUBTRACT",
    ast.Mult: "MULTIPLY",
    ast.Div: "DIVIDE",
    ast.FloorDiv: "FLOOR_DIVIDE",
    ast.Mod: "MODULO",
    ast.Pow: "POWER",
    ast.BitAnd: "AND",
    ast.BitOr: "OR",
    ast.BitXor: "XOR",
    ast.LShift: "SHIFT_LEFT",
    ast.RShift: "SHIFT_RIGHT",
}
_UNARY: dict[type[ast.unaryop], str] = {
    ast.USub: "NEGATE",
    ast.UAdd: "POSITIVE",
    ast.Invert: "INVERT",
    ast.Not: "NOT",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "EQUAL",
    ast.NotEq: "NOT_EQUAL",
    ast.Lt: "LESS",
    ast.LtE: "LESS_EQUAL",
    ast.Gt: "GREATER",
    ast.GtE: "GREATER_EQUAL",
    ast.In: "IN",
    ast.NotIn: "NOT_IN",
    ast.Is: "IS",
    ast.IsNot: "IS_NOT",
}
_NAMES = {
    ast.Await: "await",
    ast.Yield: "yield within an expression",
    ast.YieldFrom: "yield from within an expression",
    ast.Lambda: "a lambda that is not called where it is written",
    ast.GeneratorExp: "a generator that is kept",
    ast.Starred: "* within this",
}


def operator_of(node: ast.BinOp | ast.AugAssign) -> str:
    """Return the instruction for a binary operator.

    Raises:
        Unsupported: there is none.
    """
    try:
        return _BINARY[type(node.op)]
    except KeyError:
        raise Unsupported(node, "this operator") from None


class Expressions(Typed):
    """Compile expressions."""

    def value(self, node: ast.expr) -> int:
        constant = self.constant_value(node)
        if constant is not MISSING:
            return self.constant(constant)
        if isinstance(node, ast.Name) and not self.copies_names:
            owner = self.scope.owner(node.id)
            if owner is not None and node.id not in owner.paths:
                self.refuse_whole(node)
                return self.variable(node)
        to = self.code.temporary()
        self.into(node, to)
        return to

    def into(self, node: ast.expr, to: int) -> None:
        if self.code.is_temporary(to):
            self.into_new(node, to)
        else:
            # The expression may read the variable.
            with self.temporaries():
                result = self.code.temporary()
                self.into_new(node, result)
                self.code.emit("MOVE", to, result)

    def into_new(self, node: ast.expr, to: int) -> None:
        """As `into`, for a register that the expression does not read."""
        constant = self.constant_value(node)
        if constant is not MISSING:
            self.constant(constant, to)
            return
        self.refuse_whole(node)
        with self.at(node):
            path = self.path_of(node)
            if path is not None:
                self.load(node, path, to)
                return
            method = getattr(self, f"_into_{type(node).__name__}", None)
            if method is None:
                raise Unsupported(node, _NAMES.get(type(node), type(node).__name__))
            method(node, to)

    def row(self, nodes: Sequence[ast.expr | int | None]) -> tuple[int, list[tuple[int, ast.expr]]]:
        values = [self._known_value(node) for node in nodes]
        row = self.code.row(values)
        computed = []
        for register, (node, value) in enumerate(zip(nodes, values, strict=True), row):
            if value is MISSING and isinstance(node, int):
                self.code.emit("MOVE", register, node)
            elif value is MISSING and isinstance(node, ast.expr):
                computed.append((register, node))
        return row, computed

    def _known_value(self, node: ast.expr | int | None) -> Any:
        if node is None:
            return NO_VALUE
        if isinstance(node, int):
            return self.code.value_of(node)
        value = self.constant_value(node)
        self.note_constant(value)
        return value

    def fill(self, nodes: Sequence[ast.expr | None]) -> int:
        """Emit code that computes expressions into registers in a row; return the first of them."""
        row, computed = self.row(nodes)
        for register, node in computed:
            self.into(node, register)
        return row

    def variable(self, node: ast.Name) -> int:
        """Return the register of a variable, with a check where it may have no value."""
        owner = self.scope.owner(node.id)
        assert owner is not None
        if node.id not in owner.registers:
            owner.registers[node.id] = self.code.variable()
        register = owner.registers[node.id]
        if node.id not in owner.bound:
            if node.id not in owner.assigned:
                owner.read_early.add(node.id)
            self.code.emit("CHECK", register)
        return register

    # Names and constants.

    def constant_value(self, node: ast.expr) -> Any:
        """Return the value of an expression that is a constant of the program.

        Returns:
            MISSING if it is none.

        Raises:
            Unsupported: it would be one, but is of a type that programs have no values of.
        """
        match node:
            case ast.Constant(value=value):
                if isinstance(value, complex) or value is ...:
                    raise Unsupported(node, f"a constant of type {type(value).__name__}")
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return MISSING if isinstance(number, bool) else -number
            case ast.Name(id=name):
                owner = self.scope.owner(name)
                if owner is None:
                    return self.constant_of(node)
                if name in owner.imports:
                    check_value(node, owner.imports[name])
                    return owner.imports[name]
            case ast.Tuple():
                members = _constants_of(node)
                return MISSING if members is None else tuple(members)
            case ast.BinOp():
                value = integer_beyond_64_bits(node)
                return MISSING if value is None else value
            case ast.Attribute(value=owner_node, attr=attr):
                value = self.static(node)
                if value is MISSING and attr in ("value", "name"):
                    owner = self.static(owner_node)
                    value = getattr(owner, attr) if isinstance(owner, enum.Enum) else MISSING
                if value is not MISSING:
                    self.check_attribute(node, value)
                return value
        return MISSING

    def _into_Name(self, node: ast.Name, to: int) -> None:
        self.code.emit("MOVE", to, self.variable(node))

    def _into_NamedExpr(self, node: ast.NamedExpr, to: int) -> None:
        self.into(node.value, to)
        owner = self.scope.owner(node.target.id)
        was_bound = owner is not None and node.target.id in owner.bound
        self.assign(node.target, to, self.origin_of(node.value))
        if owner is not None and not was_bound:
            # Not every way through an expression comes here.
            owner.bound.discard(node.target.id)

    def _into_Attribute(self, node: ast.Attribute, to: int) -> None:
        if not self.load_member(node, to):
            self.call_native(node, f"@{node.attr}", [node.value], {}, to)

    # Operators.

    def _into_BinOp(self, node: ast.BinOp, to: int) -> None:
        name = operator_of(node)
        # The result of % for a member of an enumeration depends on its class.
        operand = self.value if isinstance(node.op, ast.Mod) else self.operand
        with self.temporaries():
            left = operand(node.left)
            power = None
            if name == "DIVIDE":
                power = power_beyond_integers(node.right, self.constant_value)
            right = operand(node.right) if power is None else self.constant(power)
            self.operate(name, to, left, right)

    def operand(self, node: ast.expr) -> int:
        """As `value`, where a member of an enumeration of int or str is as good as its value."""
        value = self.member_value(node)
        return self.value(node) if value is MISSING else self.constant(value)

    def member_value(self, node: ast.expr) -> Any:
        """Return the value of a member of an enumeration of int or str; MISSING if it is none."""
        member = self.static(node) if isinstance(node, ast.Attribute) else MISSING
        return plain_value(member)

    def _into_UnaryOp(self, node: ast.UnaryOp, to: int) -> None:
        if isinstance(node.op, ast.Not):
            self.open(node.operand)
        with self.temporaries():
            self.code.emit(_UNARY[type(node.op)], to, self.value(node.operand))

    def _into_BoolOp(self, node: ast.BoolOp, to: int) -> None:
        jump = "JUMP_IF" if isinstance(node.op, ast.Or) else "JUMP_UNLESS"
        end = Label()
        for i, each in enumerate(node.values):
            self.into(each, to)
            if i < len(node.values) - 1:
                self.code.emit(jump, to, end)
        self.code.place(end)

    def _into_IfExp(self, node: ast.IfExp, to: int) -> None:
        otherwise, end = Label(), Label()
        self.jump(node.test, otherwise, when=False)
        self.into(node.body, to)
        self.code.emit("JUMP", end)
        self.code.place(otherwise)
        self.into(node.orelse, to)
        self.code.place(end)

    def _into_Compare(self, node: ast.Compare, to: int) -> None:
        if self._compare_type(node, to):
            return
        end = Label()
        with self.temporaries():
            if is_with_none(node) and self.typed_value(node.left) is not None:
                left = self.typed_object(node.left)
            elif is_with_none(node) and self.class_of(node.left) is not None:
                left = self.object_or_none(node.left)
            elif is_with_none(node) and self.is_function(node.left):
                assert isinstance(node.left, ast.Name)
                left = self.variable(node.left)
            else:
                if is_with_none(node):
                    self.open(node.left)
                left = self.operand(node.left)
            for i, (operator, right_node) in enumerate(
                zip(node.ops, node.comparators, strict=True)
            ):
                if i:
                    self.code.emit("JUMP_UNLESS", to, end)
                left = self._compare(node, left, operator, right_node, to, first=i == 0)
        self.code.place(end)

    def _compare_type(self, node: ast.Compare, to: int) -> bool:
        """Emit `type(value) is kind`, or with == or in; return whether it is one."""
        match node:
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="type") as callee, args=[value], keywords=[]),
                ops=[ast.Is() | ast.IsNot() | ast.Eq() | ast.NotEq() as operator],
                comparators=[ast.Name() as right],
            ) if self.static(callee) is type:
                kinds = [right]
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="type") as callee, args=[value], keywords=[]),
                ops=[ast.In() | ast.NotIn() as operator],
                comparators=[ast.Tuple(elts=kinds) | ast.Set(elts=kinds) | ast.List(elts=kinds)],
            ) if self.static(callee) is type:
                pass
            case _:
                return False
        bits = 0
        for each in kinds:
            kind = self.static(each)
            # Of dict and tuple there are subclasses in programs, too.
            if not (isinstance(kind, type) and kind in BITS) or kind in (dict, tuple):
                raise Unsupported(each, f"type(…) with {ast.unparse(each)}", "use isinstance")
            bits |= BITS[kind]
        with self.temporaries():
            result, register, end = self.code.temporary(), self.value(value), Label()
            self.code.emit("IS_A", result, register, bits)
            if bits & BITS[int] and not bits & BITS[bool]:
                # isinstance says that a bool is an int, too.
                self.code.emit("JUMP_UNLESS", result, end)
                self.code.emit("IS_A", result, register, BITS[bool])
                self.code.emit("NOT", result, result)
                self.code.place(end)
            if isinstance(operator, ast.IsNot | ast.NotEq | ast.NotIn):
                self.code.emit("NOT", result, result)
            self.code.emit("MOVE", to, result)
        return True

    def _compare(
        self,
        node: ast.Compare,
        left: int,
        operator: ast.cmpop,
        right: ast.expr,
        to: int,
        *,
        first: bool,
    ) -> int:
        name = _COMPARE[type(operator)]
        if name in ("IS", "IS_NOT"):
            sides = [right, node.left] if first else [right]
            if not any(
                isinstance(each, ast.Constant) and each.value in (None, True, False)
                for each in sides
            ):
                raise Unsupported(node, "a comparison of identities", "compare values with ==")
        if name in ("IN", "NOT_IN") and first and isinstance(node.left, ast.Constant):
            path = self.path_of(right)
            is_plain = path is not None and self.has_plain_parts(path)
            if path is not None and is_plain and isinstance(node.left.value, str):
                if self.types is not None and path in self.types.members:
                    raise Unsupported(node, "in with an object of a declared type")
                number = self.code.path((*path, node.left.value))
                self.code.emit("HAS", to, number, int(name == "NOT_IN"))
                return to
        if name in ("IN", "NOT_IN") and isinstance(right, ast.Set | ast.List | ast.Tuple):
            members = self._members_of(right)
            if members is not None:
                kind = set if isinstance(right, ast.Set) else tuple
                register = self.constant(kind(members))
                self.code.emit(name, to, left, register)
                return register
        register = self.operand(right)
        self.code.emit(name, to, left, register)
        return register

    def _members_of(self, node: ast.Set | ast.List | ast.Tuple) -> list[Any] | None:
        """As `_constants_of`, with members of enumerations as their values."""
        values = [self.member_value(each) for each in node.elts]
        rest = [each for each, value in zip(node.elts, values, strict=True) if value is MISSING]
        constants = _constants_of(ast.Tuple(rest, ast.Load()))
        if constants is None:
            return None
        others = iter(constants)
        return [next(others) if value is MISSING else value for value in values]

    # Conditions.

    def jump(self, node: ast.expr, target: Label, *, when: bool) -> None:
        """Emit a jump to `target` if an expression is true, or false; otherwise continue."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.jump(node.operand, target, when=not when)
            return
        if isinstance(node, ast.BoolOp):
            is_any = isinstance(node.op, ast.Or)
            if is_any is when:
                for each in node.values:
                    self.jump(each, target, when=when)
            else:
                skip = Label()
                for each in node.values[:-1]:
                    self.jump(each, skip, when=not when)
                self.jump(node.values[-1], target, when=when)
                self.code.place(skip)
            return
        with self.temporaries():
            if isinstance(node, ast.Name) and self.is_function(node):
                register = self.variable(node)
            else:
                self.open(node)
                register = self.value(node)
            self.code.emit("JUMP_IF" if when else "JUMP_UNLESS", register, target)

    # Subscripts.

    def _into_Subscript(self, node: ast.Subscript, to: int) -> None:
        if self.types is not None and self.load_member(node, to):
            return
        with self.temporaries():
            container = self.value(node.value)
            if isinstance(node.slice, ast.Slice):
                parts = (node.slice.lower, node.slice.upper, node.slice.step)
                first = self.fill([ast.Constant(None) if each is None else each for each in parts])
                self.code.emit("SLICE", to, container, first)
            elif not self.code.take_item(container, index_of(node.slice), to):
                self.get_item(to, container, self.operand(node.slice))

    # Displays.

    def _into_List(self, node: ast.List, to: int) -> None:
        self._sequence("LIST", node.elts, to)

    def _into_Tuple(self, node: ast.Tuple, to: int) -> None:
        if any(isinstance(each, ast.Starred) for each in node.elts):
            with self.temporaries():
                items = self.code.temporary()
                self._sequence("LIST", node.elts, items)
                self.code.emit("CALL", to, FUNCTIONS["tuple"][0], items)
        else:
            self._sequence("TUPLE", node.elts, to)

    def _into_Set(self, node: ast.Set, to: int) -> None:
        self._sequence("SET", node.elts, to)

    def _sequence(self, name: str, items: list[ast.expr], to: int) -> None:
        plain = next((i for i, e in enumerate(items) if isinstance(e, ast.Starred)), len(items))
        with self.temporaries():
            self.code.emit(name, to, self.fill(items[:plain]), plain)
        for each in items[plain:]:
            with self.temporaries():
                if name == "SET":
                    self._add_to_set(each, to)
                elif isinstance(each, ast.Starred):
                    self.code.emit("EXTEND", to, self.value(each.value))
                else:
                    self.code.emit("APPEND", to, self.value(each))

    def _add_to_set(self, item: ast.expr, to: int) -> None:
        if isinstance(item, ast.Starred):
            items = self.value(item.value)
            self.code.each(items, lambda each: self.code.emit("ADD_TO_SET", to, each))
        else:
            self.code.emit("ADD_TO_SET", to, self.value(item))

    def _into_Dict(self, node: ast.Dict, to: int) -> None:
        plain = next((i for i, key in enumerate(node.keys) if key is None), len(node.keys))
        with self.temporaries():
            members = zip(node.keys[:plain], node.values[:plain], strict=True)
            first = self.fill([each for member in members for each in member])
            self.code.emit("DICT", to, first, 2 * plain)
        for key, value in zip(node.keys[plain:], node.values[plain:], strict=True):
            with self.temporaries():
                if key is None:
                    self.code.emit("MERGE", to, self.value(value))
                else:
                    register = self.value(key)
                    self.code.emit("SET_ITEM", to, register, self.value(value))

    def _into_JoinedStr(self, node: ast.JoinedStr, to: int) -> None:
        with self.temporaries():
            first = self.fill(node.values)
            self.code.emit("JOIN", to, first, len(node.values))

    def formatted(self, node: ast.FormattedValue) -> int:
        """Emit the value of a field of an f-string; return its register."""
        return self.value(node.value)

    def _into_FormattedValue(self, node: ast.FormattedValue, to: int) -> None:
        with self.temporaries():
            value = self.formatted(node)
            match node.format_spec:
                case None:
                    self.constant("", to)
                case ast.JoinedStr(values=[ast.Constant(value=specification)]):
                    self.constant(specification, to)
                case specification:
                    self.into(specification, to)
            self.code.emit("FORMAT", to, value, max(node.conversion, 0))


def _constants_of(node: ast.Set | ast.List | ast.Tuple) -> list[Any] | None:
    """Return the elements of a display if all are constants."""
    values = []
    for each in node.elts:
        if not isinstance(each, ast.Constant) or isinstance(each.value, bytes | complex):
            return None
        if each.value is ...:
            return None
        values.append(each.value)
    return values
