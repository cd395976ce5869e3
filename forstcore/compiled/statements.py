"""Statements."""

from __future__ import annotations

import ast
from collections.abc import Callable

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.base import Changes, StartAgain
from forstcore.compiled.definitions import Definitions
from forstcore.compiled.expressions import operator_of
from forstcore.compiled.generators import consumed_calls, makes_iterator
from forstcore.compiled.matching import leaves
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Origin, Path
from forstcore.compiled.statement_forms import keyword_of, reads, returned_at_once
from forstcore.compiled.statuses import RAISED
from forstcore.compiled.tables import MUTATORS

__all__ = ["Statements"]

_ASSIGN_NOTHING = (ast.Assert, ast.Expr, ast.If, ast.Return, ast.While)
"""Statements of which only the parts assign variables."""


class Statements(Definitions):
    """Compile statements.

    An unsupported statement gives the record back, so that a function compiles if its usual path
    is supported. The function does not compile only if every record reaches such a statement.
    """

    def block(self, statements: list[ast.stmt]) -> None:
        i = 0
        while i < len(statements):
            node = statements[i]
            both = returned_at_once(node, statements[i + 1 :])
            i += 1
            if both is not None:
                node = both
                i += 1
            self._statement(node)
            if isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break):
                return

    def _statement(self, node: ast.stmt) -> None:
        mark = self.code.mark()
        outer, self.code.source_place = self.code.source_place, self.source.place_of(node)
        self.copies_names = any(isinstance(each, ast.NamedExpr) for each in ast.walk(node))
        self.consumed |= consumed_calls(node)
        if isinstance(node, ast.Return) and node.value is not None and self.scope.result is None:
            self.consumed[node.value] = []
        self._take_over_record(node)
        kept_values = self.keeps_values
        self.keeps_values = self.copies_names or not isinstance(node, _ASSIGN_NOTHING)
        method = getattr(self, f"_do_{type(node).__name__}", None)
        try:
            if method is None:
                raise Unsupported(node, f"the statement {keyword_of(node)!r}")
            method(node)
        except Unsupported as error:
            if error.node is None:
                error.node = node
            if error.fatal or not (self.branches or self.returned):
                raise
            self.code.undo(mark)
            self.give_back(error)
        self.keeps_values = kept_values
        self.code.release(mark)
        self.code.source_place = outer

    # The record as a separate object.

    def _take_over_record(self, node: ast.stmt) -> None:
        """Make the record a separate object before the first statement that changes it."""
        if self.changes is None or self.record_register is not None or self.scope.depth:
            return
        if not self.changes.early:
            if not self._changes_something(node):
                return
            if self.branches or self._has_copies() or not self._names_record():
                raise StartAgain(Changes(deep=self.changes.deep, early=True))
        self.take_over_record()

    def _has_copies(self) -> bool:
        """Return whether variables may hold the unchanged value of what the function changes."""
        assert self.changes is not None
        origins = self.scope.origins.values()
        return self.keeps_record or (
            self.changes.deep and any(each in (Origin.INSIDE, Origin.NEW) for each in origins)
        )

    def _names_record(self) -> bool:
        """Return whether the parameter, and no other variable, has the record as its value."""
        scope, name = self.scope, self.record_name
        if name not in scope.registers:
            return True  # It is not a variable, but a name for the record.
        others = (origin for other, origin in scope.origins.items() if other != name)
        is_parameter = name in scope.bound and name not in scope.assigned
        return is_parameter and all(each is Origin.OTHER for each in others)

    def _changes_something(self, node: ast.stmt) -> bool:
        """Return whether a statement might change an object."""
        for each in ast.walk(node):
            match each:
                case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.AugAssign():
                    return True
                case ast.Attribute(attr=attr) if attr in MUTATORS:
                    return True
                case ast.Call(func=ast.Attribute() as function):
                    # A function of the user may change its arguments, and may return them.
                    if self.is_own_call(function):
                        return True
                case ast.Call():
                    return True
        return False

    def take_over_record(self) -> None:
        """Emit code that makes the record a separate object, which has no paths from here on."""
        register = self.record_register = self.code.variable()
        self.code.emit("RECORD", register)
        assert self.changes is not None
        self.code.emit("THAW", register, int(self.changes.deep))
        paths, self.scope.paths = self.scope.paths, {}
        if self.record_name in self.scope.registers:
            self.code.emit("MOVE", self.scope.registers[self.record_name], register)
        for name, path in paths.items():
            origin = Origin.INSIDE if path else Origin.RECORD
            if not path:
                self.scope.registers[name] = register
            else:
                to = self.scope.registers[name] = self.code.variable()
                self.code.emit("MOVE", to, register)
                for key in path:
                    with self.temporaries():
                        part = self.code.temporary()
                        self.code.emit("GET_ITEM", part, to, self.constant(key))
                        self.code.emit("MOVE", to, part)
            self.scope.origins[name] = origin
            self.scope.bound.add(name)

    # Assignments.

    def _do_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.GeneratorExp):
            raise Unsupported(node.value, "a generator that is kept", "use a list: [… for … in …]")
        if len(node.targets) == 1:
            path = self._path_for(node.targets[0], node.value)
            if path is not None:
                self.scope.paths[path[0]] = path[1]
                return
        origin = self.origin_of(node.value)
        target = node.targets[0]
        if len(node.targets) == 1:
            match target, node.value:
                case ast.Name(id=name), ast.Lambda() as function if name in self.scope.once:
                    self.define(name, node, function)
                    return
                case ast.Name(), value:
                    self._assign_name(target, value, origin)
                    return
                case (ast.Tuple(elts=targets) | ast.List(elts=targets), ast.Tuple(elts=values)):
                    starred = any(isinstance(each, ast.Starred) for each in (*targets, *values))
                    if len(targets) == len(values) and not starred:
                        self._assign_each(targets, values)
                        return
        register = self.value(node.value)
        for each in node.targets:
            self.assign(each, register, origin)

    def _assign_each(self, targets: list[ast.expr], values: list[ast.expr]) -> None:
        # No target has its value before all values have been computed.
        paths, rest = [], []
        for target, value in zip(targets, values, strict=True):
            path = self._path_for(target, value)
            if path is not None:
                paths.append(path)
                continue
            register = self.code.temporary()
            self.into(value, register)
            rest.append((target, register, self.origin_of(value)))
        self.scope.paths.update(paths)
        for target, register, origin in rest:
            self.assign(target, register, origin)

    def _assign_name(self, target: ast.Name, value: ast.expr, origin: Origin) -> None:
        owner = self.scope.owner(target.id)
        assert owner is not None
        if makes_iterator(value):
            self.iterators.add(target.id)
        if self.keep_member(target, value) or self.keep_choice(target, value):
            return
        typed = self.typed_value(value)
        if typed is not None and typed[1] == () and target.id in owner.once:
            owner.registers[target.id] = self.code.variable()
            self.code.emit("MOVE", owner.registers[target.id], self.typed_object(value))
            owner.bind(target.id, origin)
            owner.types[target.id] = typed[0]
            return
        register = owner.registers.get(target.id)
        if register is None:
            register = self.code.variable()
        if self.tries or reads(value, target.id):
            self.into(value, register)
        else:
            self.into_new(value, register)
        owner.registers[target.id] = register
        owner.bind(target.id, origin)

    def _path_for(self, target: ast.expr, value: ast.expr) -> tuple[str, Path] | None:
        """Return the variable and the path that it is a name for, if it is assigned only here."""
        path = self.path_of(value)
        if path is None or not isinstance(target, ast.Name) or target.id not in self.scope.once:
            return None
        if self.branches > self.scope.branches or target.id in self.scope.registers:
            return None
        if path:
            self.code.emit("REQUIRE", self.code.path(path))
        return target.id, path

    def assign(self, target: ast.expr, register: int, origin: Origin) -> None:
        match target:
            case ast.Name():
                owner = self.scope.owner(target.id)
                if owner is None:
                    raise Unsupported(target, f"an assignment to the global {target.id!r}")
                if target.id in owner.members:
                    raise Unsupported(target, f"{target.id!r}, which is a member of an enumeration")
                if target.id not in owner.registers:
                    owner.registers[target.id] = self.code.variable()
                self.code.emit("MOVE", owner.registers[target.id], register)
                owner.bind(target.id, origin)
            case ast.Tuple() | ast.List():
                if any(isinstance(each, ast.Starred) for each in target.elts):
                    self._unpack_starred(target, register)
                    return
                with self.temporaries():
                    first = self.code.temporary(max(len(target.elts), 1))
                    self.unpack(register, first, len(target.elts))
                    part = origin.of_parts
                    for i, each in enumerate(target.elts):
                        self.assign(each, first + i, part)
            case ast.Subscript():
                self.change(target.value)
                if isinstance(target.slice, ast.Slice):
                    self._set_slice(target.value, target.slice, register)
                    return
                with self.temporaries():
                    container = self.value(target.value)
                    self.code.emit("SET_ITEM", container, self.value(target.slice), register)
            case ast.Attribute() if self.assign_field(target, register):
                pass
            case _:
                raise Unsupported(target, f"an assignment to {ast.unparse(target)}")

    def _set_slice(self, owner: ast.expr, part: ast.Slice, items: int | None) -> None:
        """Emit the assignment of items to a slice; its deletion if there are none."""
        number, _ = FUNCTIONS["<set slice>"]
        with self.temporaries():
            block = self.code.temporary(5)
            self.into(owner, block)
            for i, bound in enumerate((part.lower, part.upper, part.step), 1):
                if bound is None:
                    self.code.emit("UNSET", block + i)
                else:
                    self.into(bound, block + i)
            if items is None:
                self.code.emit("UNSET", block + 4)
            else:
                self.code.emit("MOVE", block + 4, items)
            self.code.emit("CALL", self.code.temporary(), number, block)

    def _unpack_starred(self, target: ast.Tuple | ast.List, register: int) -> None:
        """Emit the assignment of a sequence to targets, one of which is starred."""
        star = next(i for i, each in enumerate(target.elts) if isinstance(each, ast.Starred))
        behind = len(target.elts) - star - 1
        number, _ = FUNCTIONS["list"]
        with self.temporaries():
            items, length, least = self.code.temporary(), self.code.temporary(), Label()
            block = self.code.temporary(3)
            self.code.emit("MOVE", block, register)
            self.code.emit("CALL", items, number, block)
            self.code.emit("MOVE", block, items)
            self.code.emit("CALL", length, FUNCTIONS["len"][0], block)
            self.code.emit("LESS", length, length, self.constant(star + behind))
            self.code.emit("JUMP_UNLESS", length, least)
            self.code.emit("RAISE", RAISED[ValueError])
            self.code.place(least)
            for i, each in enumerate(target.elts):
                part = self.code.temporary()
                if isinstance(each, ast.Starred):
                    self.constant(star, block)
                    self.constant(-behind if behind else None, block + 1)
                    self.constant(None, block + 2)
                    self.code.emit("SLICE", part, items, block)
                    each = each.value
                else:
                    index = self.constant(i if i < star else i - len(target.elts))
                    self.code.emit("GET_ITEM", part, items, index)
                self.assign(each, part, Origin.INSIDE)

    def _do_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            assign = ast.Assign([node.target], node.value)
            self._do_Assign(ast.copy_location(assign, node))

    def _do_AugAssign(self, node: ast.AugAssign) -> None:
        name = operator_of(node)
        match node.target:
            case ast.Name():
                left = self.value(node.target)
                right = self.value(node.value)
                self._in_place(name, left, right, node)
            case ast.Subscript() if not isinstance(node.target.slice, ast.Slice):
                self.change(node.target.value)
                container = self.value(node.target.value)
                key = self.code.temporary()
                self.into(node.target.slice, key)
                left = self.code.temporary()
                self.code.emit("GET_ITEM", left, container, key)
                result = self._operate_in_place(name, left, self.value(node.value), node)
                self.code.emit("SET_ITEM", container, key, result)
            case ast.Attribute(value=owner) if self.is_read_again(owner, node.value):
                left = self.code.temporary()
                self.into(ast.Attribute(node.target.value, node.target.attr, ast.Load()), left)
                self._in_place(name, left, self.value(node.value), node)
            case _:
                raise Unsupported(node, f"an assignment to {ast.unparse(node.target)}")

    def _in_place(self, name: str, left: int, right: int, node: ast.AugAssign) -> None:
        self.assign(
            node.target,
            self._operate_in_place(name, left, right, node),
            self.origin_of(node.target),
        )

    def _operate_in_place(self, name: str, left: int, right: int, node: ast.AugAssign) -> int:
        """Emit an operator that changes a list, dict or set in place."""
        result, end = self.code.temporary(), Label()
        self.operate_on_instance(node, result, left, right, end)
        if name in ("ADD", "OR"):
            self.code.emit(f"{name}_IN_PLACE", result, left, right)
        else:
            self.code.emit("REFUSE_CONTAINER", left)
            self.code.emit(name, result, left, right)
        self.code.place(end)
        return result

    def _do_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            match target:
                case ast.Subscript(value=owner, slice=ast.Slice() as part):
                    self.change(owner)
                    self._set_slice(owner, part, None)
                case ast.Subscript():
                    self.change(target.value)
                    container = self.value(target.value)
                    self.code.emit("DELETE_ITEM", container, self.value(target.slice))
                case ast.Name():
                    self.code.emit("UNSET", self.variable(target))
                    self.scope.bound.discard(target.id)
                case _:
                    raise Unsupported(target, f"del {ast.unparse(target)}")

    # Control.

    def _do_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Yield | ast.YieldFrom):
            if self.scope.yielded is None:
                self.do_yield(node.value)
            elif isinstance(node.value, ast.YieldFrom):
                self.code.emit("EXTEND", self.scope.yielded, self.value(node.value.value))
            else:
                value = node.value.value or ast.copy_location(ast.Constant(None), node)
                self.code.emit("APPEND", self.scope.yielded, self.value(value))
            return
        self.value(node.value)

    def _do_Pass(self, node: ast.Pass) -> None:
        pass

    def _do_If(self, node: ast.If) -> None:
        otherwise, end = Label(), Label()
        self.jump(node.test, otherwise, when=False)
        before = set(self.scope.bound)
        self.branch(node.body)
        bound = None if leaves(node.body) else set(self.scope.bound)
        if node.orelse:
            if bound is not None:
                self.code.emit("JUMP", end)
            self.code.place(otherwise)
            self.scope.bound = set(before)
            self.branch(node.orelse)
            if leaves(node.orelse):
                self.scope.bound = bound if bound is not None else before
            elif bound is not None:
                self.scope.bound &= bound
            self.code.place(end)
        else:
            self.code.place(otherwise)
            self.scope.bound = before if bound is None else before & bound

    def branch(self, statements: list[ast.stmt]) -> None:
        self.branches += 1
        try:
            self.block(statements)
        finally:
            self.branches -= 1

    def _do_For(self, node: ast.For) -> None:
        origin = self.origin_of(node.iter)
        iterable = self.iterable(node.iter)
        iterator, item = self.code.variable(), self.code.temporary()
        self.code.emit("ITERATE", iterator, iterable)

        def begin(end: Label) -> None:
            self.code.emit("NEXT", item, iterator, end)
            self.assign(node.target, item, origin.of_parts)
            self.note_types(node.target, node.iter)

        self._run_loop(node, begin)

    def _do_While(self, node: ast.While) -> None:
        self._run_loop(node, lambda end: self.jump(node.test, end, when=False))

    def _run_loop(self, node: ast.For | ast.While, begin: Callable[[Label], None]) -> None:
        """Emit a loop; `begin` emits what begins each turn, or jumps to the end of the loop."""
        end, out = Label(), Label()
        start = self.code.here()
        # Neither the body nor what is behind `else` may have run when the loop is over.
        before = set(self.scope.bound)
        begin(end)
        self.loops.append((start, out))
        try:
            self.branch(node.body)
        finally:
            self.loops.pop()
        self.code.emit("JUMP", start)
        self.code.place(end)
        self.scope.bound = set(before)
        self.branch(node.orelse)
        self.code.place(out)
        self.scope.bound = before

    def _do_Break(self, node: ast.Break) -> None:
        self.leave(function=False)
        self.code.emit("JUMP", self.loops[-1][1])

    def _do_Continue(self, node: ast.Continue) -> None:
        self.leave(function=False)
        self.code.emit("JUMP", self.loops[-1][0])

    def _do_Return(self, node: ast.Return) -> None:
        scope, value = self.scope, node.value
        if scope.yielded is not None:
            if value is not None:
                self.value(value)
            self.leave(function=True)
            assert scope.end is not None
            self.code.emit("JUMP", scope.end)
        elif scope.result is not None:
            with self.temporaries():
                # Code that runs before it returns may call the function again.
                result = self.code.temporary() if self.finals else scope.result
                if value is not None and scope.returns is not None:
                    self.number_of(value, scope.returns, result)
                elif value is not None:
                    self.into(value, result)
                elif scope.is_recursive or self.finals:
                    self.constant(None, result)
                self.leave(function=True)
                if result != scope.result:
                    self.code.emit("MOVE", scope.result, result)
            assert scope.end is not None
            self.code.emit("JUMP", scope.end)
        elif value is None or not self.finals:
            self.leave(function=True)
            self.do_return(value)
        else:
            with self.temporaries():
                result = self.code.temporary()
                self.into(value, result)
                self.leave(function=True)
                self.code.emit(*(("FINISH",) if self.is_generator else ("RETURN", result)))
        self.returned = True
