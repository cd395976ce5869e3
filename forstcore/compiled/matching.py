"""The match statement."""

from __future__ import annotations

import ast

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.results import Results
from forstcore.compiled.type_bits import BITS, DICT, LIST, TUPLE

__all__ = ["Matching"]


class Matching(Results):
    """Compile match statements.

    Captures are assigned when the whole pattern has matched, as in CPython.
    """

    def _do_Match(self, node: ast.Match) -> None:
        subject = self.code.variable()
        kind = self.kind_of(node.subject)
        if kind is None:
            self.into(node.subject, subject)
        else:
            node = self.match_members(node, kind)
            with self.temporaries():
                number = self.code.temporary()
                self.number_of(node.subject, kind, number)
                self.code.emit("MOVE", subject, number)
        origin = self.origin_of(node.subject)
        part = origin.of_parts
        end = Label()
        before = set(self.scope.bound)
        bounds: list[set[str]] = []
        irrefutable = False
        for case in node.cases:
            otherwise = Label()
            self.scope.bound = set(before)
            with self.temporaries():
                captures: list[tuple[str, int]] = []
                self._match(case.pattern, subject, otherwise, captures)
                for name, register in captures:
                    self.assign(ast.Name(name, ast.Store()), register, part)
            if case.guard is not None:
                self.jump(case.guard, otherwise, when=False)
            elif isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None:
                irrefutable = True
            self.branch(case.body)
            if not leaves(case.body):
                bounds.append(set(self.scope.bound))
            self.code.emit("JUMP", end)
            self.code.place(otherwise)
        if not irrefutable:
            bounds.append(before)
        self.code.place(end)
        self.scope.bound = set.intersection(*bounds) if bounds else before

    def _match(
        self, pattern: ast.pattern, subject: int, fail: Label, captures: list[tuple[str, int]]
    ) -> None:
        """Emit code that jumps to `fail` unless a value matches a pattern."""
        test = self.code.temporary()
        match pattern:
            case ast.MatchValue(value=value):
                self.code.emit("EQUAL", test, subject, self.operand(value))
                self.code.emit("JUMP_UNLESS", test, fail)
            case ast.MatchSingleton(value=constant):
                self.code.emit("IS", test, subject, self.constant(constant))
                self.code.emit("JUMP_UNLESS", test, fail)
            case ast.MatchAs(pattern=inner, name=name):
                if inner is not None:
                    self._match(inner, subject, fail, captures)
                if name is not None:
                    captures.append((name, subject))
            case ast.MatchOr(patterns=patterns):
                self._match_any(patterns, subject, fail, captures)
            case ast.MatchSequence(patterns=patterns):
                self._match_sequence(patterns, subject, fail, captures)
            case ast.MatchMapping():
                self._match_mapping(pattern, subject, fail, captures)
            case ast.MatchClass():
                self._match_class(pattern, subject, fail, captures)
            case _:
                raise Unsupported(pattern, "this pattern of match")

    def _match_any(
        self,
        patterns: list[ast.pattern],
        subject: int,
        fail: Label,
        captures: list[tuple[str, int]],
    ) -> None:
        found = Label()
        # All alternatives capture the same names.
        registers = {name: self.code.temporary() for name in _captured(patterns[0])}
        for i, each in enumerate(patterns):
            otherwise = fail if i == len(patterns) - 1 else Label()
            inner: list[tuple[str, int]] = []
            self._match(each, subject, otherwise, inner)
            for name, register in inner:
                self.code.emit("MOVE", registers[name], register)
            self.code.emit("JUMP", found)
            if otherwise is not fail:
                self.code.place(otherwise)
        self.code.place(found)
        captures += registers.items()

    def _match_sequence(
        self,
        patterns: list[ast.pattern],
        subject: int,
        fail: Label,
        captures: list[tuple[str, int]],
    ) -> None:
        star = next((i for i, e in enumerate(patterns) if isinstance(e, ast.MatchStar)), None)
        test, block = self.code.temporary(), self.code.temporary()
        self.code.emit("IS_A", test, subject, LIST | TUPLE)
        self.code.emit("JUMP_UNLESS", test, fail)
        self.code.emit("MOVE", block, subject)
        self.code.emit("CALL", test, FUNCTIONS["len"][0], block)
        fits = self.code.temporary()
        count = len(patterns) if star is None else len(patterns) - 1
        compare = "EQUAL" if star is None else "GREATER_EQUAL"
        self.code.emit(compare, fits, test, self.constant(count))
        self.code.emit("JUMP_UNLESS", fits, fail)
        for i, each in enumerate(patterns):
            item = self.code.temporary()
            if isinstance(each, ast.MatchStar):
                if each.name is not None:
                    self._rest_of_sequence(subject, i, i + 1 - len(patterns), item)
                    captures.append((each.name, item))
                continue
            place = i if star is None or i < star else i - len(patterns)
            self.code.emit("GET_ITEM", item, subject, self.constant(place))
            self._match(each, item, fail, captures)

    def _rest_of_sequence(self, subject: int, start: int, stop: int, to: int) -> None:
        """Emit code that makes a list of the items from one on, without the last -`stop`."""
        first = self.code.temporary(3)
        self.constant(start, first)
        self.constant(stop or None, first + 1)
        self.constant(None, first + 2)
        self.code.emit("SLICE", to, subject, first)
        self.code.emit("MOVE", first, to)
        self.code.emit("CALL", to, FUNCTIONS["list"][0], first)

    def _match_mapping(
        self,
        pattern: ast.MatchMapping,
        subject: int,
        fail: Label,
        captures: list[tuple[str, int]],
    ) -> None:
        test = self.code.temporary()
        self.code.emit("IS_A", test, subject, DICT)
        self.code.emit("JUMP_UNLESS", test, fail)
        keys = [self.value(each) for each in pattern.keys]
        for key in keys:
            self.code.emit("IN", test, key, subject)
            self.code.emit("JUMP_UNLESS", test, fail)
        for key, each in zip(keys, pattern.patterns, strict=True):
            item = self.code.temporary()
            self.code.emit("GET_ITEM", item, subject, key)
            self._match(each, item, fail, captures)
        if pattern.rest is not None:
            rest = self.code.temporary()
            self.code.emit("DICT", rest, rest, 0)
            self.code.emit("MERGE", rest, subject)
            for key in keys:
                self.code.emit("DELETE_ITEM", rest, key)
            captures.append((pattern.rest, rest))

    def _match_class(
        self,
        pattern: ast.MatchClass,
        subject: int,
        fail: Label,
        captures: list[tuple[str, int]],
    ) -> None:
        kind = self.static(pattern.cls)
        is_own = isinstance(kind, type) and hasattr(kind, "__match_args__")
        if is_own and self._match_instance(pattern, kind, subject, fail, captures):
            return
        if not isinstance(kind, type) or kind not in BITS or len(pattern.patterns) > 1:
            raise Unsupported(pattern, f"the pattern {ast.unparse(pattern)}")
        if pattern.kwd_patterns:
            raise Unsupported(pattern, f"the pattern {ast.unparse(pattern)}")
        test = self.code.temporary()
        self.code.emit("IS_A", test, subject, BITS[kind])
        self.code.emit("JUMP_UNLESS", test, fail)
        for each in pattern.patterns:
            self._match(each, subject, fail, captures)

    def _match_instance(
        self,
        pattern: ast.MatchClass,
        kind: type,
        subject: int,
        fail: Label,
        captures: list[tuple[str, int]],
    ) -> bool:
        """Emit the match of an instance by its fields; return whether programs have such."""
        positional: tuple[str, ...] = getattr(kind, "__match_args__", ())
        names = [*positional[: len(pattern.patterns)], *pattern.kwd_attrs]
        patterns = [*pattern.patterns, *pattern.kwd_patterns]
        if len(names) < len(patterns):
            return False
        test = self.code.temporary()
        if not self.is_instance(subject, kind, test):
            return False
        self.code.emit("JUMP_UNLESS", test, fail)
        if not set(names) <= set(self.classes[kind].parameters):
            raise Unsupported(pattern, f"the pattern {ast.unparse(pattern)}")
        for name, each in zip(names, patterns, strict=True):
            item = self.code.temporary()
            self.code.emit("FIELD", item, subject, self.code.constant(name))
            self._match(each, item, fail, captures)
        return True

    def branch(self, statements: list[ast.stmt]) -> None:
        """Emit statements that not every record comes to; see statements.py."""
        raise NotImplementedError


def _captured(pattern: ast.pattern) -> list[str]:
    """Return the names that a pattern captures."""
    names = []
    for each in ast.walk(pattern):
        if isinstance(each, ast.MatchAs | ast.MatchStar) and each.name is not None:
            names.append(each.name)
        if isinstance(each, ast.MatchMapping) and each.rest is not None:
            names.append(each.rest)
    return names


def leaves(statements: list[ast.stmt]) -> bool:
    """Whether control never reaches the code after a block."""
    if not statements:
        return False
    last = statements[-1]
    if isinstance(last, ast.If):
        return leaves(last.body) and leaves(last.orelse)
    return isinstance(last, ast.Return | ast.Raise | ast.Continue | ast.Break)
