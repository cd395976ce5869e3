"""Calls with * and **, and those whose keyword arguments become members of a dict."""

from __future__ import annotations

import ast
import string
from collections.abc import Callable, Sequence
from typing import Any

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.dispatch import Dispatch
from forstcore.compiled.function_arguments import Argument, Function
from forstcore.compiled.instance_classes import InstanceClass
from forstcore.compiled.source import MISSING
from forstcore.compiled.tables import is_immutable
from forstcore.compiled.type_bits import BITS

__all__ = ["StarredCalls"]


class StarredCalls(Dispatch):
    """Compile calls whose arguments are computed into registers before the call."""

    def call_starred(self, node: ast.Call, to: int) -> bool:
        """Emit a call with * as its last positional argument, or with **.

        Returns:
            Whether it is one, of what can be called so.
        """
        stars = [each for each in node.args if isinstance(each, ast.Starred)]
        doubles = [each.value for each in node.keywords if each.arg is None]
        if not stars and not doubles:
            return False
        callee = self.static(node.func)
        if doubles and self._call_rewritten(node, callee, doubles[0], to):
            return True
        target = self._target(node, callee)
        if target is None or len(stars) + len(doubles) > 1:
            return False
        if stars and node.args[-1] is not stars[0]:
            return False
        positional, every = _parameters(target)
        # In Python another argument may raise first.
        with self.uncaught(), self.temporaries():
            plain = node.args[: len(node.args) - len(stars)]
            arguments: list[Argument] = [self._computed(each) for each in plain]
            given = {each.arg for each in node.keywords}
            if stars:
                rest = [each for each in positional[len(plain) :] if each not in given]
                arguments += self._unpacked(stars[0], len(rest))
            named: dict[str, Argument] = {
                each.arg: self._computed(each.value) for each in node.keywords if each.arg
            }
            if doubles:
                rest = [each for each in every if each not in positional[: len(plain)]]
                rest = [each for each in rest if each not in given]
                named |= self._members(doubles[0], rest, self._defaults(target))
            result = self.code.temporary()
            if isinstance(callee, type) or isinstance(target, InstanceClass):
                self.make_instance(node, callee, arguments, named, result)
            else:
                self.inline(node, target, arguments, named, result)
            self.code.emit("MOVE", to, result)
        return True

    def _target(self, node: ast.Call, callee: Any) -> Function | InstanceClass | None:
        """Return what a call is of, if it is a function or a class of the user."""
        if isinstance(callee, type):
            found = self.note_class(callee)
            if found is None or not found.is_plain:
                return found
            init = self.constructor(node, found)
            if init is not None:
                init.bound = {next(iter(_parameters(init)[0])): callee}
                return _without_rest(init)
            return None
        function = self.function_of(node.func)
        if function is None or not isinstance(function, Function):
            return None
        return _without_rest(function)

    def _defaults(self, target: Function | InstanceClass) -> dict[str, Any]:
        """Return the defaults of parameters: arguments, or types of empty containers."""
        if isinstance(target, Function):
            return {**target.defaults}
        return {
            name: default if isinstance(default, type) else self.constant(default)
            for name, default in target.defaults.items()
            if isinstance(default, type) or is_immutable(default)
        }

    def _call_rewritten(self, node: ast.Call, callee: Any, members: ast.expr, to: int) -> bool:
        """Emit calls of `format` and `dict` with **, by other means; return whether it is one."""
        match node:
            case ast.Call(args=[*first], keywords=[_]) if callee is dict and len(first) < 2:
                with self.uncaught():
                    self._dict_of(first, lambda added: self._named_copy(members, added), to)
                return True
            case ast.Call(
                func=ast.Attribute(value=ast.Constant(value=str() as text) as owner, attr="format"),
                args=args,
                keywords=[_],
            ) if isinstance(members, ast.Name):
                fields = [each[1] for each in string.Formatter().parse(text)]
                names = dict.fromkeys(each for each in fields if each and not each.isdecimal())
                if not all(name.isidentifier() for name in names):
                    return False
                keywords = [
                    ast.keyword(name, ast.Subscript(members, ast.Constant(name), ast.Load()))
                    for name in names
                ]
                method = ast.Attribute(owner, "format", ast.Load())
                rewritten = ast.Call(method, args, keywords)
            case _:
                return False
        for each in ast.walk(rewritten):
            if isinstance(each, ast.expr) and not hasattr(each, "lineno"):
                ast.copy_location(each, node)
        with self.uncaught(), self.temporaries():
            result = self.code.temporary()
            self._require_names(self._computed(members))
            self.into(rewritten, result)
            self.code.emit("MOVE", to, result)
        return True

    def _computed(self, node: ast.expr) -> int:
        """Emit an expression into a register of its own."""
        register = self.code.temporary()
        self.into(node, register)
        return register

    def _require_names(self, register: int) -> None:
        """Give the record back unless a value is a dict whose keys can be names of arguments."""

        def check(key: int) -> None:
            fine, test = Label(), self.code.temporary()
            self.code.emit("IS_A", test, key, BITS[str])
            self.code.emit("JUMP_IF", test, fine)
            self.code.emit("GIVE_BACK")
            self.code.place(fine)

        self._require_dict(register)
        self.code.each(register, check)

    def _require_dict(self, register: int) -> None:
        fine, test = Label(), self.code.temporary()
        self.code.emit("IS_A", test, register, BITS[dict])
        self.code.emit("JUMP_IF", test, fine)
        self.code.emit("GIVE_BACK")
        self.code.place(fine)

    def _require_length(self, container: int, length: int) -> None:
        """Give the record back unless a container has so many items."""
        fine, block, test = Label(), self.code.temporary(), self.code.temporary()
        self.code.emit("MOVE", block, container)
        self.code.emit("CALL", test, FUNCTIONS["len"][0], block)
        self.code.emit("EQUAL", test, test, length)
        self.code.emit("JUMP_IF", test, fine)
        self.code.emit("GIVE_BACK")
        self.code.place(fine)

    def _unpacked(self, node: ast.Starred, count: int) -> Sequence[int]:
        """Emit the items of a sequence that has so many; with others the record is given back."""
        block, items = self.code.temporary(), self.code.temporary()
        self.into(node.value, block)
        self.code.emit("CALL", items, FUNCTIONS["list"][0], block)
        self._require_length(items, self.constant(count))
        found = [self.code.temporary() for _ in range(count)]
        for i, register in enumerate(found):
            self.code.emit("GET_ITEM", register, items, self.constant(i))
        return found

    def _members(
        self, node: ast.expr, names: list[str], defaults: dict[str, Any]
    ) -> dict[str, Argument]:
        """Emit the members of a dict for parameters; with others the record is given back."""
        members = self._computed(node)
        self._require_dict(members)
        count, test = self.code.temporary(), self.code.temporary()
        self.constant(0, count)
        found: dict[str, Argument] = {}
        for name in names:
            register = found[name] = self.code.temporary()
            is_absent, following = Label(), Label()
            self.code.emit("IN", test, self.constant(name), members)
            self.code.emit("JUMP_UNLESS", test, is_absent)
            self.code.emit("GET_ITEM", register, members, self.constant(name))
            self.code.emit("ADD", count, count, self.constant(1))
            self.code.emit("JUMP", following)
            self.code.place(is_absent)
            default = defaults.get(name, MISSING)
            if default is MISSING:
                self.code.emit("GIVE_BACK")
            elif isinstance(default, ast.expr):
                self.into(default, register)
            elif isinstance(default, type):
                self.field_default(default, register)
            else:
                self.code.emit("MOVE", register, default)
            self.code.place(following)
        self._require_length(members, count)
        return found

    # Keyword arguments as members of a dict.

    def dict_with(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> None:
        """Emit dict(…, name=value)."""
        self._dict_of(node.args, lambda added: self._named_values(keywords, added), to)

    def _dict_of(self, first: list[ast.expr], add: Callable[[int], None], to: int) -> None:
        """Emit a call of dict.

        Args:
            first: its positional argument, if there is one.
            add: emits a new dict of the other arguments into a register.
            to: register of the result.
        """
        with self.temporaries():
            block, made = self.code.temporary(), self.code.temporary()
            for each in first:
                self.into(each, block)
            added = self.code.temporary()
            add(added)
            if first:
                self.code.emit("CALL", made, FUNCTIONS["dict"][0], block)
                self.code.emit("MERGE", made, added)
                self.code.emit("MOVE", to, made)
            else:
                self.code.emit("MOVE", to, added)

    def _named_copy(self, members: ast.expr, to: int) -> None:
        """Emit a copy of a dict whose keys can be names of arguments."""
        with self.temporaries():
            given = self._computed(members)
            self._require_names(given)
            self.code.emit("CALL", to, FUNCTIONS["dict"][0], given)

    def update_with(
        self, node: ast.Call, owner: ast.expr, keywords: dict[str, ast.expr], to: int
    ) -> None:
        """Emit dict.update(…, name=value)."""
        number, parameters = FUNCTIONS[".update"]
        with self.temporaries():
            target = self._computed(owner)
            self._require_dict(target)
            arguments = [self.code.temporary() for _ in node.args]
            for each, register in zip(node.args, arguments, strict=True):
                self.into(each, register)
            arguments.append(self.code.temporary())
            self._named_values(keywords, arguments[-1])
            slots = parameters.count(",") + 1
            block = self.code.temporary(slots)
            for register in arguments:
                self.code.emit("MOVE", block, target)
                self.code.emit("MOVE", block + 1, register)
                for i in range(2, slots):
                    self.code.emit("UNSET", block + i)
                self.code.emit("CALL", to, number, block)

    def _named_values(self, values: dict[str, ast.expr], to: int) -> None:
        """Emit a dict of keyword arguments."""
        with self.temporaries():
            first = self.code.temporary(2 * len(values))
            for i, (name, value) in enumerate(values.items()):
                self.constant(name, first + 2 * i)
                self.into(value, first + 2 * i + 1)
            self.code.emit("DICT", to, first, 2 * len(values))


def _without_rest(function: Function) -> Function | None:
    """Return a function, unless it takes any arguments with * or **."""
    parameters = function.definition.args
    return None if parameters.vararg or parameters.kwarg else function


def _parameters(target: Function | InstanceClass) -> tuple[list[str], list[str]]:
    """Return the names that can be given by position, and all of them."""
    if isinstance(target, InstanceClass):
        names = list(target.parameters)
        return names[: target.positional], names
    parameters = target.definition.args
    bound = len(target.bound)
    plain = [each.arg for each in (*parameters.posonlyargs, *parameters.args)][bound:]
    named = [each.arg for each in (*parameters.args, *parameters.kwonlyargs)]
    return plain, [each for each in named if each not in target.bound]
