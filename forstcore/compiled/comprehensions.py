"""Loops within expressions: comprehensions, and functions that take a generator or a key."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.expressions import Expressions
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Origin, Scope, assigned_names
from forstcore.compiled.type_bits import BITS

__all__ = ["Comprehensions"]

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

VALUE_ERROR = 3  # FST_VALUE_ERROR


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
        """Emit the loops of a comprehension, with `body` in the innermost one."""
        names: Counter[str] = Counter()
        for each in node.generators:
            if each.is_async:
                raise Unsupported(node, "async in a comprehension")
            # := in it assigns a variable of the enclosing scope.
            names += Counter(assigned_names(ast.Expr(each.target)))
        once = frozenset(name for name, count in names.items() if count == 1)
        outer = self.scope
        # The first iterable belongs to the scope around.
        with self.temporaries():
            first = self.iterable(node.generators[0].iter)
            origin = self.origin_of(node.generators[0].iter)
            self.scope = Scope(
                outer.source,
                outer=outer,
                locals=frozenset(names),
                once=once,
                depth=outer.depth,
            )
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
            iterable = self.iterable(generator.iter)
            origin = self.origin_of(generator.iter)

        def process(item: int) -> None:
            unwanted = Label()
            self.assign(generator.target, item, origin.of_parts)
            self.note_types(generator.target, generator.iter)
            for test in generator.ifs:
                self.jump(test, unwanted, when=False)
            if at + 1 < len(generators):
                self._generators(generators, at + 1, None, Origin.OTHER, body)
            else:
                body()
            self.code.place(unwanted)

        self.code.each(iterable, process)

    # Functions.

    def call_with_loop(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        """Compile a call that becomes a loop; return whether it is one."""
        if callee in (sorted, min, max) and "key" in keywords:
            self._call_with_key(node, callee, keywords, to)
            return True
        if callee in (map, filter) and len(node.args) == 2 and not keywords:
            if callee is map:
                self.open(node.args[1])
            self._map_or_filter(node, callee is map, to)
            return True
        generator = node.args[0] if node.args else None
        if not isinstance(generator, ast.GeneratorExp):
            return False
        if callee in (any, all) and len(node.args) == 1 and not keywords:
            self._any_or_all(generator, callee is any, to)
        elif callee is next and len(node.args) <= 2 and not keywords:
            self._first(generator, node.args[1] if len(node.args) == 2 else None, to)
        elif callee is list:
            self._into_ListComp(generator, to)
        else:
            return False
        return True

    def _into_GeneratorExp(self, node: ast.GeneratorExp, to: int) -> None:
        if any(isinstance(each, ast.NamedExpr) for each in ast.walk(node)):
            # Python assigns while the consumer runs, which may end early.
            raise Unsupported(node, "an assignment in a generator", "use a list")
        # The caller iterates it at once.
        with self.uncaught():
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

    def _first(self, node: ast.GeneratorExp, otherwise: ast.expr | None, to: int) -> None:
        end = Label()
        # Python computes the iterable before the default.
        is_early = otherwise is not None and not isinstance(otherwise, ast.Constant | ast.Name)
        with self.uncaught() if is_early else nullcontext(), self.temporaries():
            result = self.code.temporary()
            if otherwise is not None:
                self.into(otherwise, result)

            def take() -> None:
                self.into(node.elt, result)
                self.code.emit("JUMP", end)

            self._loop(node, take)
            if otherwise is None:
                self.code.emit("GIVE_BACK")
            self.code.place(end)
            self.code.emit("MOVE", to, result)

    def _map_or_filter(self, node: ast.Call, is_map: bool, to: int) -> None:
        """Emit map or filter; the caller iterates the result at once."""
        function, iterable = node.args
        self.require_pure(node, function)
        with self.uncaught(), self.temporaries():
            items, result = self.code.temporary(), self.code.temporary()
            self.code.emit("LIST", items, items, 0)

            def add(item: int) -> None:
                skip = Label()
                if is_map:
                    self._apply_to_item(function, item, iterable, result)
                    self.code.emit("APPEND", items, result)
                    return
                if isinstance(function, ast.Constant) and function.value is None:
                    self.code.emit("JUMP_UNLESS", item, skip)
                else:
                    self.apply(function, item, result)
                    self.code.emit("JUMP_UNLESS", result, skip)
                self.code.emit("APPEND", items, item)
                self.code.place(skip)

            self.hand_over(function)
            self.code.each(self.value(iterable), add)
            self.code.emit("MOVE", to, items)

    # Keys.

    def _call_with_key(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> None:
        allowed = {"key", "reverse"} if callee is sorted else {"key", "default"}
        if len(node.args) != 1 or set(keywords) - allowed:
            raise Unsupported(node, f"a call of {callee.__name__} with other arguments")
        with self.temporaries():
            items = self.code.temporary()
            if callee is sorted:
                iterable = self.value(node.args[0])
                reverse = self._reverse(keywords)
                self._copy_list(iterable, items)
                self._sort(node.args[0], items, keywords["key"], reverse)
                self.code.emit("MOVE", to, items)
            else:
                self._best(node, callee is max, keywords, to)

    def _copy_list(self, iterable: int, to: int) -> None:
        block = self.code.temporary()
        self.code.emit("MOVE", block, iterable)
        self.code.emit("CALL", to, FUNCTIONS["list"][0], block)

    def best_item(self, node: ast.Call, to: int) -> None:
        """Emit a call of min or max with a key, whose result is an object with declared types."""
        keywords = {each.arg: each.value for each in node.keywords if each.arg is not None}
        with self.temporaries():
            best = self.code.temporary()
            self._call_with_key(node, self.static(node.func), keywords, best)
            self.code.emit("MOVE", to, best)

    def _apply_to_item(self, function: ast.expr, item: int, iterable: ast.expr, to: int) -> None:
        """Emit the call of a function with an item of an iterable, which may have a type."""
        types = self.element_types(iterable)
        if types is not None:
            if self.local_function(function) is None and self.function_of(function) is None:
                raise Unsupported(function, "objects with declared types", "use a lambda")
            self.item_types[item] = types
        try:
            self.apply(function, item, to)
        finally:
            self.item_types.pop(item, None)

    def require_pure(self, node: ast.Call, function: ast.expr) -> None:
        """Check that a function may be called before Python calls it; see inlining.py."""
        raise NotImplementedError

    def local_function(self, node: ast.expr) -> Any:
        """Return the function that an expression refers to; see inlining.py."""
        raise NotImplementedError

    def function_of(self, node: ast.expr) -> Any:
        """Return the function of the user that an expression refers to; see inlining.py."""
        raise NotImplementedError

    def _reverse(self, keywords: dict[str, ast.expr]) -> int:
        """Emit the argument `reverse`, which Python computes before any key."""
        if "reverse" not in keywords:
            return self.constant(False)
        reverse = self.value(keywords["reverse"])
        self.require_bool(reverse)
        return reverse

    def require_bool(self, reverse: int) -> None:
        """Give the record back unless `reverse` is a bool: Python takes only those of a C int."""
        fine = Label()
        with self.temporaries():
            test = self.code.temporary()
            self.code.emit("IS_A", test, reverse, BITS[bool])
            self.code.emit("JUMP_IF", test, fine)
            self.code.emit("GIVE_BACK")
            self.code.place(fine)

    def _sort(self, iterable: ast.expr, items: int, function: ast.expr, reverse: int) -> None:
        """Emit code that sorts the items of an iterable by a key, in a new list."""
        with self.temporaries():
            block = self.code.temporary(3)
            self.code.emit("LIST", block + 1, block, 0)

            def add(item: int) -> None:
                key = self.code.temporary()
                self._apply_to_item(function, item, iterable, key)
                self.code.emit("APPEND", block + 1, key)

            self.hand_over(function)
            self.code.each(items, add)
            self.code.emit("MOVE", block, items)
            self.code.emit("MOVE", block + 2, reverse)
            ignored = self.code.temporary()
            self.code.emit("CALL", ignored, FUNCTIONS["<sort by keys>"][0], block)

    def sort_in_place(
        self, node: ast.Call, owner: ast.expr, keywords: dict[str, ast.expr], to: int
    ) -> None:
        """Emit `list.sort` with a key."""
        if node.args or set(keywords) - {"key", "reverse"}:
            raise Unsupported(node, "a call of sort with other arguments")
        self.change(owner)
        with self.temporaries():
            items = self.value(owner)
            self.require_method("sort", items)
            self._sort(owner, items, keywords["key"], self._reverse(keywords))
        self.constant(None, to)

    def _best(self, node: ast.Call, is_max: bool, keywords: dict[str, ast.expr], to: int) -> None:
        """Emit min or max by a key: the first item with the lowest, or the highest."""
        found = Label()
        with self.temporaries():
            best, best_key = self.code.temporary(), self.code.temporary()
            key, test = self.code.temporary(), self.code.temporary()
            has_one = self.constant(False, self.code.temporary())

            def compare(item: int) -> None:
                better, skip = Label(), Label()
                self._apply_to_item(keywords["key"], item, node.args[0], key)
                self.code.emit("JUMP_UNLESS", has_one, better)
                self.code.emit("GREATER" if is_max else "LESS", test, key, best_key)
                self.code.emit("JUMP_UNLESS", test, skip)
                self.code.place(better)
                self.constant(True, has_one)
                self.code.emit("MOVE", best, item)
                self.code.emit("MOVE", best_key, key)
                self.code.place(skip)

            items = self.value(node.args[0])
            otherwise = self.value(keywords["default"]) if "default" in keywords else None
            self.hand_over(keywords["key"])
            self.code.each(items, compare)
            self.code.emit("JUMP_IF", has_one, found)
            if otherwise is not None:
                self.code.emit("MOVE", best, otherwise)
            else:
                self.code.emit("RAISE", VALUE_ERROR)
            self.code.place(found)
            self.code.emit("MOVE", to, best)

    def apply(self, node: ast.expr, argument: int, to: int) -> None:
        """Emit the call of a function that is an argument itself; see handed_over.py."""
        raise NotImplementedError

    def hand_over(self, function: ast.expr) -> None:
        """Emit what Python does with a function before it applies it; see handed_over.py."""
        raise NotImplementedError

    def require_method(self, name: str, owner: int) -> None:
        """Emit the AttributeError of an object that has no such method; see calls.py."""
        raise NotImplementedError

    def change(self, node: ast.expr) -> None:
        """Take note that the value of an expression is changed; see calls.py."""
        raise NotImplementedError
