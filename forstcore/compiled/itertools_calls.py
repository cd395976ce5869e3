"""Calls of itertools, functools and heapq, compiled to loops.

Iterators that they return become lists; see generators.py for when that makes no difference.
"""

from __future__ import annotations

import ast
import functools
import heapq
import itertools
import operator
from collections.abc import Callable
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.inlining import Inlining
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.typed import is_none

__all__ = ["ItertoolsCalls"]

_TYPE_ERROR = 4  # FST_TYPE_ERROR
_OPERATORS = {operator.add: "ADD", operator.mul: "MULTIPLY", operator.or_: "OR"}


class ItertoolsCalls(Inlining):
    """Compile calls of accumulate, islice, takewhile, dropwhile, reduce, nlargest and nsmallest."""

    def call_itertools(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        """Compile a call that makes an iterator of others; return whether it is one."""
        if callee is functools.reduce and not keywords and len(node.args) in (2, 3):
            self._reduce(node, to)
            return True
        if callee in (heapq.nlargest, heapq.nsmallest) and self._best_items(
            node, keywords, to, is_largest=callee is heapq.nlargest
        ):
            return True
        make = self._maker(node, callee)
        if make is None or keywords:
            return False
        self.check_consumed(node, f"itertools.{callee.__name__}", node.args)
        with self.uncaught(), self.temporaries():
            items = self.code.temporary()
            self.code.emit("LIST", items, items, 0)
            make(node, items)
            self.code.emit("MOVE", to, items)
        return True

    def _maker(self, node: ast.Call, callee: Any) -> Callable[[ast.Call, int], None] | None:
        """Return what emits the items of a call; None if there is nothing."""
        if any(isinstance(each, ast.Starred) for each in node.args):
            return None
        if callee is itertools.accumulate and len(node.args) == 1:
            return self._accumulate
        if callee is itertools.islice and len(node.args) in (2, 3):
            return self._islice
        if callee in (itertools.takewhile, itertools.dropwhile) and len(node.args) == 2:
            self.require_pure(node, node.args[0])
            return self._takewhile if callee is itertools.takewhile else self._dropwhile
        return None

    def _accumulate(self, node: ast.Call, to: int) -> None:
        with self.temporaries():
            total = self.code.temporary()
            has_one = self.constant(False, self.code.temporary())

            def add(item: int) -> None:
                first, behind = Label(), Label()
                self.code.emit("JUMP_UNLESS", has_one, first)
                self.code.emit("ADD", total, total, item)
                self.code.emit("JUMP", behind)
                self.code.place(first)
                self.code.emit("MOVE", total, item)
                self.constant(True, has_one)
                self.code.place(behind)
                self.code.emit("APPEND", to, total)

            self.code.each(self.value(node.args[0]), add)

    def _takewhile(self, node: ast.Call, to: int) -> None:
        end = Label()
        with self.temporaries():
            result = self.code.temporary()

            def add(item: int) -> None:
                self.apply(node.args[0], item, result)
                self.code.emit("JUMP_UNLESS", result, end)
                self.code.emit("APPEND", to, item)

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
                self._combine(node, function, total, item, result)
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

    def _combine(self, node: ast.Call, function: ast.expr, one: int, other: int, to: int) -> None:
        """Emit the call of a function of two values."""
        known = self.function_of(function)
        if known is not None:
            self.inline(node, known, [one, other], {}, to)
            return
        name = _OPERATORS.get(self.static(function))
        if name is None:
            raise Unsupported(function, f"the function {ast.unparse(function)}", "use a lambda")
        self.code.emit(name, to, one, other)


def _is_bound(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)
