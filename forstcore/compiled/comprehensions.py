"""Loops within expressions: comprehensions, and functions that take a generator or a key."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.expressions import Expressions
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Origin, Scope, assigned_names

__all__ = ["Comprehensions"]

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Comprehensions(Expressions):
    """Compile comprehensions and generator expressions."""

    def _into_ListComp(self, node: ast.ListComp | ast.GeneratorExp, to: int) -> None:
        with self.temporaries():
            items = self.code.temporary()
            self.code.emit("LIST", items, items, 0)

            def add() -> None:
                with self.temporaries():
                    self.code.emit("APPEND", items, self.value(node.elt))

            self._loop(node, add)
            self.code.emit("MOVE", to, items)

    def _into_SetComp(self, node: ast.SetComp, to: int) -> None:
        with self.temporaries():
            items = self.code.temporary()
            self.code.emit("SET", items, items, 0)

            def add() -> None:
                with self.temporaries():
                    self.code.emit("ADD_TO_SET", items, self.value(node.elt))

            self._loop(node, add)
            self.code.emit("MOVE", to, items)

    def _into_DictComp(self, node: ast.DictComp, to: int) -> None:
        with self.temporaries():
            items = self.code.temporary()
            self.code.emit("DICT", items, items, 0)

            def add() -> None:
                with self.temporaries():
                    key = self.value(node.key)
                    self.code.emit("SET_ITEM", items, key, self.value(node.value))

            self._loop(node, add)
            self.code.emit("MOVE", to, items)

    def _loop(self, node: _Comprehension, body: Callable[[], None]) -> None:
        """Emit the loops of a comprehension, which run `body` in their innermost."""
        names: set[str] = set()
        for each in node.generators:
            if each.is_async:
                raise Unsupported(node, "async in a comprehension")
            names |= set(assigned_names(each))
        outer = self.scope
        # The first iterable belongs to the scope around.
        with self.temporaries():
            first = self.value(node.generators[0].iter)
            origin = self.origin_of(node.generators[0].iter)
            self.scope = Scope(outer.source, outer, locals=frozenset(names), depth=outer.depth)
            try:
                self._generators(node.generators, 0, first, origin, body)
            finally:
                self.scope = outer

    def _generators(
        self,
        generators: list[ast.comprehension],
        at: int,
        iterable: int | None,
        origin: Origin,
        body: Callable[[], None],
    ) -> None:
        generator = generators[at]
        if iterable is None:
            iterable = self.value(generator.iter)
            origin = self.origin_of(generator.iter)
        iterator, item = self.code.temporary(), self.code.temporary()
        self.code.emit("ITERATE", iterator, iterable)
        end = Label()
        start = self.code.here()
        self.code.emit("NEXT", item, iterator, end)
        part = Origin.OTHER if origin is Origin.OTHER else Origin.INSIDE
        self.assign(generator.target, item, part)
        for test in generator.ifs:
            self.jump(test, start, when=False)
        if at + 1 < len(generators):
            self._generators(generators, at + 1, None, Origin.OTHER, body)
        else:
            body()
        self.code.emit("JUMP", start)
        self.code.place(end)

    # Functions.

    def call_with_loop(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        """Compile a call that runs a loop of ours; return whether it is one."""
        if callee in (sorted, min, max) and "key" in keywords:
            raise Unsupported(node, "key=")
        generator = node.args[0] if node.args else None
        if not isinstance(generator, ast.GeneratorExp):
            return False
        if callee in (any, all) and len(node.args) == 1 and not keywords:
            self._any_or_all(generator, callee is any, to)
        elif callee is next and len(node.args) == 2 and not keywords:
            self._first(generator, node.args[1], to)
        elif callee is list:
            self._into_ListComp(generator, to)
        else:
            return False
        return True

    def _into_GeneratorExp(self, node: ast.GeneratorExp, to: int) -> None:
        # Whoever takes it from here iterates it at once.
        self._into_ListComp(node, to)

    def _any_or_all(self, node: ast.GeneratorExp, is_any: bool, to: int) -> None:
        end = Label()
        with self.temporaries():
            result = self.code.temporary()
            self.constant(not is_any, result)

            def test() -> None:
                skip = Label()
                self.jump(node.elt, skip, when=not is_any)
                self.constant(is_any, result)
                self.code.emit("JUMP", end)
                self.code.place(skip)

            self._loop(node, test)
            self.code.place(end)
            self.code.emit("MOVE", to, result)

    def _first(self, node: ast.GeneratorExp, otherwise: ast.expr, to: int) -> None:
        end = Label()
        with self.temporaries():
            result = self.code.temporary()
            self.into(otherwise, result)

            def take() -> None:
                self.into(node.elt, result)
                self.code.emit("JUMP", end)

            self._loop(node, take)
            self.code.place(end)
            self.code.emit("MOVE", to, result)
