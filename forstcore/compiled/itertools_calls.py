"""Calls of itertools, functools and heapq, compiled to loops.

Iterators that they return become lists; see generators.py for when that makes no difference.
"""

from __future__ import annotations

import ast
import functools
import heapq
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.inlining import Inlining
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING
from forstcore.compiled.typed import is_none

__all__ = ["ItertoolsCalls"]

_TYPE_ERROR = 4  # FST_TYPE_ERROR
_MOST_POOLS = 6  # of product, which becomes as many loops
_OPERATORS = {
    **{operator.add: "ADD", operator.sub: "SUBTRACT", operator.mul: "MULTIPLY"},
    **{operator.truediv: "DIVIDE", operator.floordiv: "FLOOR_DIVIDE", operator.mod: "MODULO"},
    **{operator.or_: "OR", operator.and_: "AND", operator.xor: "XOR", operator.pow: "POWER"},
    **{operator.eq: "EQUAL", operator.ne: "NOT_EQUAL", operator.lt: "LESS"},
    **{operator.le: "LESS_EQUAL", operator.gt: "GREATER", operator.ge: "GREATER_EQUAL"},
}
# Functions of several values, by the names that the runtime has for them.
_NATIVE: dict[Any, str] = {each: each.__name__ for each in (max, min, pow, round, divmod, format)}


class ItertoolsCalls(Inlining):
    """Compile calls of functions that make an iterator of others, and of reduce and the like."""

    def call_itertools(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        """Compile a call that makes an iterator of others; return whether it is one."""
        if callee is functools.reduce and not keywords and len(node.args) in (2, 3):
            self._reduce(node, to)
            return True
        if callee is math.prod and len(node.args) == 1 and set(keywords) <= {"start"}:
            self._prod(node.args[0], keywords.get("start"), to)
            return True
        if callee is map and len(node.args) > 2 and not keywords:
            self.require_pure(node, node.args[0])
            self._items(node, self._map_several, to)
            return True
        if callee in (heapq.nlargest, heapq.nsmallest) and self._best_items(
            node, keywords, to, is_largest=callee is heapq.nlargest
        ):
            return True
        make = self._maker(node, callee, keywords)
        if make is None:
            return False
        arguments = [*node.args, *keywords.values()]
        self.check_consumed(node, f"itertools.{callee.__name__}", arguments)
        self._items(node, make, to)
        return True

    def _items(self, node: ast.Call, make: Callable[[ast.Call, int], None], to: int) -> None:
        """Emit a list of the items that `make` emits."""
        with self.uncaught(), self.temporaries():
            items = self.code.temporary()
            self.code.emit("LIST", items, items, 0)
            make(node, items)
            self.code.emit("MOVE", to, items)

    def _maker(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr]
    ) -> Callable[[ast.Call, int], None] | None:
        """Return what emits the items of a call; None if there is nothing."""
        if any(isinstance(each, ast.Starred) for each in node.args):
            return None
        if callee is itertools.accumulate:
            given = dict(zip(("iterable", "func"), node.args, strict=False)) | keywords
            is_usual = "iterable" in given and set(given) <= {"iterable", "func", "initial"}
            return functools.partial(self._accumulate, given) if is_usual else None
        if callee is itertools.product and set(keywords) <= {"repeat"}:
            return functools.partial(self._product, keywords.get("repeat"))
        if keywords:
            return None
        if callee is itertools.starmap and len(node.args) == 2:
            self.require_pure(node, node.args[0])
            return self._starmap
        if callee is itertools.islice and len(node.args) in (2, 3):
            return self._islice
        if callee in (itertools.takewhile, itertools.dropwhile) and len(node.args) == 2:
            self.require_pure(node, node.args[0])
            return self._takewhile if callee is itertools.takewhile else self._dropwhile
        return None

    def _accumulate(self, given: dict[str, ast.expr], node: ast.Call, to: int) -> None:
        function, initial = given.get("func"), given.get("initial")
        if function is not None and is_none(function):
            function = None
        with self.temporaries():
            total, result = self.code.temporary(), self.code.temporary()
            iterable = self.value(given["iterable"])
            has_one = self.constant(False, self.code.temporary())
            if initial is not None:
                self.into(initial, total)
                self.code.emit("IS_NOT", has_one, total, self.constant(None))
                none = Label()
                self.code.emit("JUMP_UNLESS", has_one, none)
                self.code.emit("APPEND", to, total)
                self.code.place(none)

            def add(item: int) -> None:
                first, behind = Label(), Label()
                self.code.emit("JUMP_UNLESS", has_one, first)
                if function is None:
                    self.code.emit("ADD", result, total, item)
                else:
                    self._combine(node, function, [total, item], result)
                self.code.emit("MOVE", total, result)
                self.code.emit("JUMP", behind)
                self.code.place(first)
                self.code.emit("MOVE", total, item)
                self.constant(True, has_one)
                self.code.place(behind)
                self.code.emit("APPEND", to, total)

            self.code.each(iterable, add)

    def _prod(self, iterable: ast.expr, start: ast.expr | None, to: int) -> None:
        """Emit math.prod, whose float products are those of `*`."""
        with self.temporaries():
            total = self.code.temporary()
            items = self.value(iterable)
            if start is None:
                self.constant(1, total)
            else:
                self.into(start, total)
            self.code.each(items, lambda item: self.code.emit("MULTIPLY", total, total, item))
            self.code.emit("MOVE", to, total)

    def _map_several(self, node: ast.Call, to: int) -> None:
        """Emit map with several iterables, which ends with the shortest."""
        function, *iterables = node.args
        count = len(iterables)
        with self.temporaries():
            zipped, result = self.code.temporary(), self.code.temporary()
            self.call_native(node, "zip", iterables, {}, zipped)

            def add(item: int) -> None:
                with self.temporaries():
                    values = self.code.temporary(count)
                    self.code.emit("UNPACK", item, values, count)
                    self._combine(node, function, range(values, values + count), result)
                self.code.emit("APPEND", to, result)

            self.code.each(zipped, add)

    def _starmap(self, node: ast.Call, to: int) -> None:
        function, iterable = node.args
        known = self.function_of(function)
        parameters = None if known is None else known.definition.args
        count = 2 if parameters is None else len(parameters.posonlyargs) + len(parameters.args)
        if parameters is not None and (parameters.defaults or parameters.vararg):
            raise Unsupported(function, "starmap of a function with defaults", "use a lambda")
        with self.temporaries():
            result = self.code.temporary()

            def add(item: int) -> None:
                with self.temporaries():
                    values = self.code.temporary(max(count, 1))
                    self.code.emit("UNPACK", item, values, count)
                    self._combine(node, function, range(values, values + count), result)
                self.code.emit("APPEND", to, result)

            self.code.each(self.value(iterable), add)

    def _product(self, repeat: ast.expr | None, node: ast.Call, to: int) -> None:
        times = repeat.value if isinstance(repeat, ast.Constant) else 1 if repeat is None else 0
        if type(times) is not int or not 0 < times * len(node.args) <= _MOST_POOLS:
            raise Unsupported(node, "product with so many iterables, or a variable repeat")
        with self.temporaries():
            pools = [self.code.temporary() for _ in node.args]
            for pool, iterable in zip(pools, node.args, strict=True):
                with self.temporaries():
                    self.code.emit("LIST", pool, pool, 0)
                    self.code.emit("EXTEND", pool, self.value(iterable))
            pools *= times
            row, result = self.code.temporary(len(pools)), self.code.temporary()

            def add(place: int, item: int) -> None:
                self.code.emit("MOVE", row + place, item)
                if place + 1 < len(pools):
                    self.code.each(pools[place + 1], functools.partial(add, place + 1))
                else:
                    self.code.emit("TUPLE", result, row, len(pools))
                    self.code.emit("APPEND", to, result)

            self.code.each(pools[0], functools.partial(add, 0))

    def _takewhile(self, node: ast.Call, to: int) -> None:
        end = Label()
        with self.temporaries():
            result = self.code.temporary()

            def add(item: int) -> None:
                self.apply(node.args[0], item, result)
                self.code.emit("JUMP_UNLESS", result, end)
                self.code.emit("APPEND", to, item)

            self.hand_over(node.args[0])
            self.code.each(self.value(node.args[1]), add)
        self.code.place(end)

    def _dropwhile(self, node: ast.Call, to: int) -> None:
        with self.temporaries():
            result = self.code.temporary()
            is_before = self.constant(True, self.code.temporary())

            def add(item: int) -> None:
                wanted, skip = Label(), Label()
                self.code.emit("JUMP_UNLESS", is_before, wanted)
                self.apply(node.args[0], item, result)
                self.code.emit("JUMP_IF", result, skip)
                self.constant(False, is_before)
                self.code.place(wanted)
                self.code.emit("APPEND", to, item)
                self.code.place(skip)

            self.hand_over(node.args[0])
            self.code.each(self.value(node.args[1]), add)

    def _islice(self, node: ast.Call, to: int) -> None:
        bounds = [each.value for each in node.args[1:] if isinstance(each, ast.Constant)]
        if len(bounds) != len(node.args) - 1 or not all(map(_is_bound, bounds)):
            raise Unsupported(node, "islice with bounds that are no constants", "use a slice")
        start, stop = bounds if len(bounds) == 2 else (None, bounds[0])
        with self.temporaries():
            self.code.emit("EXTEND", to, self.value(node.args[0]))
            part = self.code.temporary(3)
            for i, bound in enumerate((start, stop, None)):
                self.constant(bound, part + i)
            result = self.code.temporary()
            self.code.emit("SLICE", result, to, part)
            self.code.emit("MOVE", to, result)

    def _best_items(
        self, node: ast.Call, keywords: dict[str, ast.expr], to: int, *, is_largest: bool
    ) -> bool:
        """Emit the first items of all in their order, which Python says are the same.

        Returns:
            Whether the call is of the usual form.
        """
        given = dict(zip(("n", "iterable", "key"), node.args, strict=False)) | keywords
        count, iterable, key = (given.get(each) for each in ("n", "iterable", "key"))
        is_count = isinstance(count, ast.Constant) and type(count.value) is int and count.value > 0
        if iterable is None or not is_count or len(given) < len(node.args) + len(keywords):
            return False
        assert isinstance(count, ast.Constant)
        if set(given) - {"n", "iterable", "key"} or isinstance(iterable, ast.Starred):
            return False
        order: dict[str, ast.expr] = {}
        if key is not None and not is_none(key):
            order["key"] = key
        if is_largest:
            order["reverse"] = ast.copy_location(ast.Constant(True), node)
        named = [ast.keyword(name, value) for name, value in order.items()]
        call = ast.copy_location(ast.Call(node.func, [iterable], named), node)
        # Python compares fewer items, and so may find none that have no order.
        with self.uncaught(), self.temporaries():
            items, part = self.code.temporary(), self.code.temporary(3)
            self.call_static(call, sorted, order, items)
            for i, bound in enumerate((None, count.value, None)):
                self.constant(bound, part + i)
            result = self.code.temporary()
            self.code.emit("SLICE", result, items, part)
            self.code.emit("MOVE", to, result)
        return True

    def call_static(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> None:
        """Emit the call of a function that is known; see calls.py."""
        raise NotImplementedError

    def _reduce(self, node: ast.Call, to: int) -> None:
        """Emit functools.reduce."""
        function = node.args[0]
        with self.temporaries():
            total, result = self.code.temporary(), self.code.temporary()
            iterable = self.value(node.args[1])
            has_one = self.constant(len(node.args) == 3, self.code.temporary())
            if len(node.args) == 3:
                self.into(node.args[2], total)

            def step(item: int) -> None:
                first, behind = Label(), Label()
                self.code.emit("JUMP_UNLESS", has_one, first)
                self._combine(node, function, [total, item], result)
                self.code.emit("MOVE", total, result)
                self.code.emit("JUMP", behind)
                self.code.place(first)
                self.code.emit("MOVE", total, item)
                self.constant(True, has_one)
                self.code.place(behind)

            self.code.each(iterable, step)
            fine = Label()
            self.code.emit("JUMP_IF", has_one, fine)
            self.code.emit("RAISE", _TYPE_ERROR)
            self.code.place(fine)
            self.code.emit("MOVE", to, total)

    def _combine(self, node: ast.Call, function: ast.expr, values: Sequence[int], to: int) -> None:
        """Emit the call of a function of several values, which are in registers."""
        known = self.function_of(function)
        if known is not None:
            self.inline(node, known, values, {}, to)
            return
        callee = self.static(function)
        if callee is not MISSING and len(values) == 2 and _entry(_OPERATORS, callee) is not None:
            self.code.emit(_OPERATORS[callee], to, *values)
            return
        name = None if callee is MISSING else _entry(_NATIVE, callee)
        parameters = FUNCTIONS[name][1] if name is not None else ""
        if name is None or len(values) > len(parameters.partition(",*")[0].split(",")):
            raise Unsupported(function, f"the function {ast.unparse(function)}", "use a lambda")
        with self.temporaries():
            count = len([each for each in parameters.split(",") if each != "*"])
            block = self.code.temporary(count)
            for i in range(count):
                if i < len(values):
                    self.code.emit("MOVE", block + i, values[i])
                else:
                    self.code.emit("UNSET", block + i)
            self.code.emit("CALL", to, FUNCTIONS[name][0], block)


def _entry(table: dict[Any, str], callee: Any) -> str | None:
    """Look up an object, which may be unhashable, in a table."""
    return next((name for each, name in table.items() if each is callee), None)


def _is_bound(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)
