"""Calls: of functions of the runtime, of methods, and of the user's own functions."""

from __future__ import annotations

import ast
import dataclasses
import functools
import operator
import re
import types
import typing
from collections.abc import Sequence
from typing import Any

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.base import Changes, StartAgain
from forstcore.compiled.expression_forms import may_raise
from forstcore.compiled.formats import joined_format
from forstcore.compiled.instance_classes import instance_class
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Origin
from forstcore.compiled.source import MISSING, plain_function
from forstcore.compiled.starred_calls import StarredCalls
from forstcore.compiled.tables import MUTATORS, is_scalar
from forstcore.compiled.type_bits import BITS, bits_with, isinstance_bits

__all__ = ["Calls", "name_of"]

_ATTRIBUTE_ERROR = 5  # The number of this fst_status.


class Calls(StarredCalls):
    """Compile calls."""

    def _into_Call(self, node: ast.Call, to: int) -> None:
        if self.call_starred(node, to):
            return
        keywords: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Unsupported(node, "** in a call", "name the arguments")
            keywords[keyword.arg] = keyword.value
        if _assigns_late(node):
            raise Unsupported(
                node, "an assignment behind a generator or lambda", "assign it before"
            )
        callee = self.static(node.func)
        if any(isinstance(each, ast.Starred) for each in node.args) and callee is not zip:
            raise Unsupported(node, "* in a call", "write the arguments one by one")
        local = self.local_function(node.func)
        if local is not None:
            self.inline(node, local, list(node.args), dict(keywords), to)
        elif callee is not MISSING:
            self.call_static(node, callee, keywords, to)
        elif (
            self.call_choice(node, keywords, to)
            or self.call_own_method(node, keywords, to)
            or self.call_method_of_instance(node, keywords, to)
            or self.call_instance(node, keywords, to)
        ):
            return
        elif isinstance(node.func, ast.Attribute):
            self._call_method(node, node.func, keywords, to)
        else:
            raise Unsupported(node, f"a call of {ast.unparse(node.func)}")

    # Functions that are known.

    def call_static(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> None:
        if callee is isinstance and len(node.args) == 2 and not keywords:
            self._isinstance(node, to)
            return
        if self.call_special(node, callee, keywords, to):
            return
        if callee in (len, bool) and len(node.args) == 1:
            self.open(node.args[0])
        if callee is dict and keywords and len(node.args) <= 1:
            self.dict_with(node, keywords, to)
            return
        if self.call_itertools(node, callee, keywords, to):
            return
        if self.call_with_loop(node, callee, keywords, to):
            return
        if isinstance(callee, functools.partial):
            self._call_partial(node, callee, keywords, to)
            return
        if isinstance(callee, types.MethodDescriptorType) and node.args:
            with self.temporaries():
                owner = self.code.temporary()
                self.into(node.args[0], owner)
                self.call_descriptor(node, callee, owner, node.args, keywords, to)
            return
        function = plain_function(callee)
        if function is not None:
            self.inline(node, self.global_function(node, function), node.args, keywords, to)
            return
        method = self.class_method(node, callee)
        if method is not None:
            self.inline(node, method, node.args, keywords, to)
            return
        if self.call_re(node, callee, keywords, to):
            return
        if self.call_library(node, callee, keywords, to):
            return
        if isinstance(callee, type) and _may_have_instances(callee):
            if self.make_instance(node, callee, node.args, keywords, to):
                return
            construct = f"an instance of {callee.__name__}, which is more than its fields"
            raise Unsupported(node, construct, "use a plain class, a dataclass or a dict")
        is_replace = callee is dataclasses.replace and len(node.args) == 1
        if is_replace and self.replace_fields(node, node.args[0], to, of_tuples=False):
            return
        self.call_native(node, name_of(callee), node.args, keywords, to)

    def call_descriptor(
        self,
        node: ast.expr,
        method: types.MethodDescriptorType,
        owner: int,
        arguments: Sequence[ast.expr],
        keywords: dict[str, ast.expr],
        to: int,
    ) -> None:
        """Emit a call such as str.upper(text); unlike the method, it raises TypeError."""
        kind = method.__objclass__
        if kind not in BITS:
            raise Unsupported(node, f"a call of {method.__qualname__}")
        fine = Label()
        with self.temporaries():
            test = self.code.temporary()
            self.code.emit("IS_A", test, owner, BITS[kind])
            self.code.emit("JUMP_IF", test, fine)
            self.code.emit("GIVE_BACK")
            self.code.place(fine)
        self.call_native(node, f".{method.__name__}", arguments, keywords, to, first=owner)

    def _call_partial(
        self, node: ast.Call, partial: Any, keywords: dict[str, ast.expr], to: int
    ) -> None:
        """Emit the call of a functools.partial, whose arguments come first."""
        if not all(map(is_scalar, (*partial.args, *partial.keywords.values()))):
            raise Unsupported(node, "a functools.partial with such arguments", "use a function")
        first = [ast.copy_location(ast.Constant(each), node) for each in partial.args]
        named = {
            name: ast.copy_location(ast.Constant(value), node)
            for name, value in partial.keywords.items()
        }
        call = ast.copy_location(ast.Call(node.func, [*first, *node.args], node.keywords), node)
        if node in self.consumed:
            self.consumed[call] = self.consumed[node]
        self.call_static(call, partial.func, {**named, **keywords}, to)

    def _isinstance(self, node: ast.Call, to: int) -> None:
        kind = self.static(node.args[1])
        with self.temporaries():
            if isinstance(kind, type) and _may_have_instances(kind):
                result = self.code.temporary()
                if self.is_instance(self.value(node.args[0]), kind, result):
                    self.code.emit("MOVE", to, result)
                    return
        bits = self._bits_of(node.args[1])
        with self.temporaries():
            self.code.emit("IS_A", to, self.value(node.args[0]), bits)

    def _bits_of(self, node: ast.expr) -> int:
        """Return the bits of the types that the second argument of isinstance stands for."""
        match node:
            case ast.Tuple(elts=kinds):
                return functools.reduce(operator.or_, map(self._bits_of, kinds), 0)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._bits_of(left) | self._bits_of(right)
            case ast.Constant(value=None):
                return BITS[type(None)]
        kinds = self.static(node)
        bits = 0
        for kind in kinds if isinstance(kinds, tuple) else typing.get_args(kinds) or [kinds]:
            of_kind = isinstance_bits(kind)
            if not of_kind:
                raise Unsupported(node, f"isinstance with {ast.unparse(node)}")
            bits |= of_kind
        return bits

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
        """Emit the call of a function of the runtime.

        Args:
            node: for the error.
            name: of the function, as in FUNCTIONS.
            arguments, keywords: of the call.
            to: register of the result.
            first: register of a first argument that has been computed.
        """
        shown = name.lstrip(".@")
        if name not in FUNCTIONS:
            kind = "the attribute" if name[0] == "@" else "a call of"
            raise Unsupported(node, f"{kind} {shown}")
        number, parameters = FUNCTIONS[name]
        with self.temporaries():
            slots = _bind(node, shown, parameters, arguments, keywords, skip=first is not None)
            block, computed = self.row(slots if first is None else [first, *slots[1:]])
            if first is None and name[0] == "." and slots[0] is not None:
                if computed and computed[0][0] == block:
                    self.into(computed.pop(0)[1], block)
                first = block
            # What has been computed before is a pattern, or an object that is known otherwise.
            if name[0] == "." and first == block and any(map(may_raise, slots[1:])):
                self.require_method(shown, block)
            order = [*arguments, *keywords.values()]
            for register, argument in sorted(computed, key=lambda each: order.index(each[1])):
                self.into(argument, register)
            if "reverse" in keywords:
                self.require_bool(block + slots.index(keywords["reverse"]))
            if name in ("int", "float") and len(order) == 1:
                self.number_from(name, block, to)
            else:
                self.code.emit("CALL", to, number, block)

    def require_method(self, name: str, owner: int) -> None:
        """Raise AttributeError if an object has no such method.

        Python looks for it before it computes the arguments. That matters only where an exception
        that one of them raises would be caught.
        """
        if not self.tries:
            return
        bits = bits_with(name)
        behind = Label()
        has = self.code.temporary()
        if bits:
            self.code.emit("IS_A", has, owner, bits)
        else:
            # A method of matches and dates: that there is no match is what happens.
            self.code.emit("IS_NOT", has, owner, self.constant(None))
        self.code.emit("JUMP_IF", has, behind)
        self.code.emit("RAISE", _ATTRIBUTE_ERROR)
        self.code.place(behind)

    # Methods.

    def _call_method(
        self,
        node: ast.Call,
        method: ast.Attribute,
        keywords: dict[str, ast.expr],
        to: int,
    ) -> None:
        name, owner = method.attr, method.value
        static = self.static(owner)
        if isinstance(static, re.Pattern):
            with self.temporaries():
                register = self.value(owner)
                self.call_pattern(node, register, static, name, node.args, keywords, to)
            return
        if name in MUTATORS:
            self.change(owner)
        if name == "get" and not keywords and 1 <= len(node.args) <= 2:
            path, key = self.path_of(owner), node.args[0]
            is_plain = path is not None and self.has_plain_parts(path)
            name_of_member = key.value if isinstance(key, ast.Constant) else None
            if path is not None and is_plain and isinstance(name_of_member, str):
                self._get(node, (*path, name_of_member), to)
                return
        if name == "format":
            text = owner.value if isinstance(owner, ast.Constant) else static
            if isinstance(text, str):
                if isinstance(owner, ast.Name):
                    self.constant_of(owner)
                # Python computes all arguments before it formats one.
                with self.uncaught():
                    self.into(joined_format(node, text, keywords), to)
                return
        if name == "replace" and keywords and not node.args:
            with self.temporaries():
                register = self.value(owner)
                self.call_native(node, "<replace fields>", [owner], keywords, to, first=register)
            return
        if name == "update" and keywords and len(node.args) <= 1:
            self.update_with(node, owner, keywords, to)
            return
        if name == "sort" and "key" in keywords:
            self.sort_in_place(node, owner, keywords, to)
            return
        self.call_native(node, f".{name}", [owner, *node.args], keywords, to)

    def _get(self, node: ast.Call, path: tuple[str, ...], to: int) -> None:
        if self.types is not None and path[:-1] in self.types.members:
            self.get_declared(node, path, to)
            return
        if self.types is not None and path[:-1] in self.types.elements:
            raise Unsupported(node, "an object with declared types as a whole")
        with self.temporaries():
            if len(node.args) < 2:
                otherwise = self.constant(None)
            else:
                if self.tries and may_raise(node.args[1]):
                    assert isinstance(node.func, ast.Attribute)
                    self.require_method("get", self.value(node.func.value))
                otherwise = self.value(node.args[1])
            self.code.emit("LOAD_OR", to, self.code.path(path), otherwise)

    def change(self, node: ast.expr) -> None:
        """Take note that the value of an expression is changed here."""
        origin = self.origin_of(node)
        if origin in (Origin.OTHER, Origin.NEW):
            return
        if self.types is not None:
            raise Unsupported(node, "a change of a record of a declared type")
        deep = origin is Origin.INSIDE
        if self.changes is None or (deep and not self.changes.deep):
            raise StartAgain(Changes(deep=deep, early=self.changes is not None))
        if self.record_register is None:
            # The record is not yet an object of its own.
            raise StartAgain(Changes(deep=self.changes.deep, early=True))


def name_of(callee: Any) -> str:
    """Return the name of a function as the table of the runtime has it."""
    module = getattr(callee, "__module__", None)
    owner = getattr(callee, "__self__", None)
    name = getattr(callee, "__qualname__", None) or getattr(callee, "__name__", "")
    if isinstance(owner, type):
        return f"{owner.__module__}.{owner.__qualname__}.{callee.__name__}"
    return str(name) if module in (None, "builtins") else f"{module}.{name}"


def _bind(
    node: ast.expr,
    shown: str,
    parameters: str,
    arguments: Sequence[ast.expr],
    keywords: dict[str, ast.expr],
    *,
    skip: bool,
) -> list[ast.expr | None]:
    """Return the argument for each parameter of a function of the runtime."""
    names: list[str] = []
    optional = set()
    positional = None
    for each in parameters.split(",") if parameters else []:
        if each == "*":
            positional = len(names)
            continue
        names.append(each.removesuffix("?"))
        if each.endswith("?"):
            optional.add(names[-1])
    if len(arguments) > (len(names) if positional is None else positional):
        raise Unsupported(node, f"a call of {shown} with so many arguments")
    slots: dict[str, ast.expr | None] = dict(zip(names, arguments, strict=False))
    for name, value in keywords.items():
        if name not in names or name in slots:
            raise Unsupported(node, f"a call of {shown} with {name}=")
        slots[name] = value
    for i, name in enumerate(names):
        if name not in slots:
            if name not in optional and not (skip and i == 0):
                raise Unsupported(node, f"a call of {shown} without {name}")
            slots[name] = None
    return [slots[name] for name in names]


def _assigns_late(node: ast.Call) -> bool:
    """Whether an argument assigns a variable that Python has set when an earlier one is used.

    That are fields of `format`, and generators and functions, which run last in Python.
    """
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    is_format = isinstance(node.func, ast.Attribute) and node.func.attr == "format"
    is_behind = is_format
    for argument in arguments:
        parts = list(ast.walk(argument))
        if is_behind and any(isinstance(each, ast.NamedExpr) for each in parts):
            return True
        is_behind |= any(isinstance(each, ast.GeneratorExp | ast.Lambda) for each in parts)
    return False


def _may_have_instances(kind: type) -> bool:
    """Whether a class is a plain one, a dataclass, a Struct or a NamedTuple."""
    fields = ("__dataclass_fields__", "__struct_fields__", "_fields")
    return any(hasattr(kind, each) for each in fields) or instance_class(kind) is not None
