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
        self.into(node.subject, subject)
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
        """Emit what jumps to `fail` unless a value matches a pattern."""
        test = self.code.temporary()
        match pattern:
            case ast.MatchValue(value=value):
                self.code.emit("EQUAL", test, subject, self.value(value))
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
                self._match_any(patterns, subject, fail)
            case ast.MatchSequence(patterns=patterns):
                self._match_sequence(patterns, subject, fail, captures)
            case ast.MatchMapping(rest=None):
                self._match_mapping(pattern, subject, fail, captures)
            case ast.MatchClass(kwd_patterns=[]):
                self._match_class(pattern, subject, fail, captures)
            case _:
                raise Unsupported(pattern, "this pattern of match")

    def _match_any(self, patterns: list[ast.pattern], subject: int, fail: Label) -> None:
        found = Label()
        for i, each in enumerate(patterns):
            otherwise = fail if i == len(patterns) - 1 else Label()
            captures: list[tuple[str, int]] = []
            self._match(each, subject, otherwise, captures)
            if captures:
                raise Unsupported(each, "a name within | in a pattern")
            self.code.emit("JUMP", found)
            if otherwise is not fail:
                self.code.place(otherwise)
        self.code.place(found)

    def _match_sequence(
        self,
        patterns: list[ast.pattern],
        subject: int,
        fail: Label,
        captures: list[tuple[str, int]],
    ) -> None:
        if any(isinstance(each, ast.MatchStar) for each in patterns):
            raise Unsupported(patterns[0], "* in a pattern")
        test, block = self.code.temporary(), self.code.temporary()
        self.code.emit("IS_A", test, subject, LIST | TUPLE)
        self.code.emit("JUMP_UNLESS", test, fail)
        self.code.emit("MOVE", block, subject)
        self.code.emit("CALL", test, FUNCTIONS["len"][0], block)
        equal = self.code.temporary()
        self.code.emit("EQUAL", equal, test, self.constant(len(patterns)))
        self.code.emit("JUMP_UNLESS", equal, fail)
        for i, each in enumerate(patterns):
            item = self.code.temporary()
            self.code.emit("GET_ITEM", item, subject, self.constant(i))
            self._match(each, item, fail, captures)

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

    def _match_class(
        self,
        pattern: ast.MatchClass,
        subject: int,
        fail: Label,
        captures: list[tuple[str, int]],
    ) -> None:
        kind = self.static(pattern.cls)
        if not isinstance(kind, type) or kind not in BITS or len(pattern.patterns) > 1:
            raise Unsupported(pattern, f"the pattern {ast.unparse(pattern)}")
        test = self.code.temporary()
        self.code.emit("IS_A", test, subject, BITS[kind])
        self.code.emit("JUMP_UNLESS", test, fail)
        for each in pattern.patterns:
            self._match(each, subject, fail, captures)

    def branch(self, statements: list[ast.stmt]) -> None:
        """Emit statements that not every record comes to; see statements.py."""
        raise NotImplementedError


def leaves(statements: list[ast.stmt]) -> bool:
    """Whether nothing behind a block runs after it."""
    if not statements:
        return False
    last = statements[-1]
    if isinstance(last, ast.If):
        return leaves(last.body) and leaves(last.orelse)
    return isinstance(last, ast.Return | ast.Raise | ast.Continue | ast.Break)
