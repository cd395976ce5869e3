"""Random functions of records."""

from __future__ import annotations

import ast
import contextlib
import re
import warnings
from random import Random
from typing import Final

from tests.compiled.generated.f_strings import FormattedStrings
from tests.compiled.generated.failing import make_failing_function
from tests.compiled.generated.functions import STATEMENTS
from tests.compiled.generated.instance_parts import (
    INSTANCE_KINDS,
    INSTANCE_STATEMENTS,
    SHOWN,
)
from tests.compiled.generated.library_parts import LIBRARY_STATEMENTS
from tests.compiled.generated.local_functions import LocalFunctions
from tests.compiled.generated.scope import PRELUDE
from tests.compiled.generated.typed import with_types
from tests.compiled.patterns import PATTERNS, random_pattern

__all__ = ["make_function"]

_KINDS: Final = (
    *("int", "int", "float", "str", "str", "str", "bool", "strs", "nums", "items", "counts"),
    *("any", "dict", "date", *INSTANCE_KINDS),
)
_CAUGHT: Final = (
    *("KeyError", "ValueError", "(KeyError, TypeError)", "ZeroDivisionError", "IndexError"),
    *("AttributeError", "Exception", "LookupError", "(ValueError, TypeError)", "ArithmeticError"),
)


_SUPPRESSED: Final = ("KeyError", "ValueError, TypeError", "Exception", "LookupError")


def make_function(chance: Random) -> str:
    """Return the source of a module with a function of a record, `f`."""
    if chance.random() < 0.3:
        return f"{PRELUDE}\n\n{make_failing_function(chance)}"
    while True:
        body = _Function(chance).lines()
        text = "\n".join(["def f(r):", *(f"    {line}" for line in body)])
        # Before Python 3.12, f-strings cannot have all expressions.
        with contextlib.suppress(ValueError, SyntaxError):
            source = ast.unparse(FormattedStrings().visit(ast.parse(text))) + "\n"
            ast.parse(source)
            types = ""
            if chance.random() < 0.15:
                types, source = with_types(source, chance)
            return f"{PRELUDE}PX = {_pattern(chance)}\n\n\n{types}{source}"


def _pattern(chance: Random) -> str:
    """Return a regular expression that takes no exponential time."""
    flags = chance.choice((0, 0, 0, re.IGNORECASE, re.MULTILINE, re.DOTALL, re.ASCII))
    while True:
        pattern = random_pattern(chance) if chance.random() < 0.5 else chance.choice(PATTERNS)
        with contextlib.suppress(re.error, OverflowError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern, flags)
            if pattern in PATTERNS or sum(map(pattern.count, "*+{")) < 2:
                return f"re.compile({pattern!r}, {int(flags)})"


class _Function(LocalFunctions):
    def __init__(self, chance: Random) -> None:
        super().__init__(chance)
        self.yields = chance.random() < 0.12
        self.loops = 0

    def lines(self) -> list[str]:
        lines = self.block(self.chance.randint(1, 6), 2)
        return [*lines, *self.last()]

    def block(self, count: int, depth: int) -> list[str]:
        """Return statements; variables that are assigned here alone are unknown behind it."""
        before = len(self.scope.variables)
        lines = [line for _ in range(count) for line in self.statement(depth)]
        if depth < 2 and self.chance.random() < 0.98:
            del self.scope.variables[before:]
        return lines or ["pass"]

    def inner(self, depth: int) -> list[str]:
        return [f"    {line}" for line in self.block(self.chance.randint(1, 3), depth - 1)]

    def statement(self, depth: int) -> list[str]:
        chance = self.chance
        choice = chance.randrange(31)
        if choice < 7 or (depth <= 0 and choice < 12):
            return self.assign()
        if choice < 11:
            return self.condition(depth)
        match choice:
            case 11 | 12 if depth > 0 and self.loops < 2:
                return self.loop(depth)
            case 13:
                return self.attempt(depth)
            case 14 | 15:
                return self.change_record()
            case 16 | 17:
                return self.build()
            case 18:
                first, second = self.scope.fresh(), self.scope.fresh()
                line = f"{first}, {second} = {self.expression('int')}, {self.expression('str')}"
                self.scope.add(first, "int")
                self.scope.add(second, "str")
                return [line]
            case 19:
                return [f"if {self.expression('bool')}:", f"    {self.leave()}"]
            case 20 if self.yields:
                if chance.random() < 0.3:
                    return [f"yield from {self.expression('items')}"]
                return [f"yield {self.result()}"]
            case 21:
                return self.augment()
            case 22 if depth > 0:
                return self.match(depth)
            case 23 if depth > 1:
                return self.local_function()
            case 24 if not self.loops:
                return self.unpacked()
            case 25 if depth > 0 and not self.loops:
                return self.counted(depth)
            case 26 if depth > 0:
                return [
                    f"with contextlib.suppress({chance.choice(_SUPPRESSED)}):",
                    *self.inner(depth),
                ]
            case 27:
                return self.call_in_itself()
            case 28 if depth > 1:
                return self.walk()
            case 29 if depth > 1:
                return self.named_lambda()
            case 30 if not self.loops:
                return self.pick()
        return self.assign()

    def leave(self) -> str:
        chance = self.chance
        if chance.random() < 0.2:
            kind = chance.choice(("ValueError", "KeyError", "RuntimeError", "TypeError"))
            return f"raise {kind}({self.expression('str')})"
        if self.loops and chance.random() < 0.5:
            return chance.choice(("break", "continue"))
        if self.yields:
            return "return"
        return f"return {self.result()}" if chance.random() < 0.6 else "return None"

    def assign(self) -> list[str]:
        kind = self.chance.choice(_KINDS)
        value = self.expression(kind)
        # No variable grows with each turn of a loop: there all are new, or counters.
        known = [] if self.loops else self.scope.of(kind)
        name = self.chance.choice(known) if known and self.chance.random() < 0.3 else ""
        if not name:
            name = self.scope.fresh()
            self.scope.add(name, kind)
        return [f"{name} = {value}"]

    def augment(self) -> list[str]:
        known = [] if self.loops else self.scope.of("int") + self.scope.of("float")
        if not known:
            return self.assign()
        operator = self.chance.choice(("+=", "-=", "*=", "//=", "%="))
        return [f"{self.chance.choice(known)} {operator} {self.expression('int')}"]

    def condition(self, depth: int) -> list[str]:
        chance = self.chance
        if depth <= 0:
            return self.assign()
        if chance.random() < 0.12:
            name = self.scope.fresh()
            head = f"if ({name} := {self.make.pattern()}.search({self.expression('str')})):"
            use = self.scope.fresh()
            group = chance.choice((".group()", "[0]", ".group(0)", ".start()", ".groups()"))
            return [
                head,
                f"    {use} = {name}{group}",
                f"    r['found'] = {use}",
                *self.inner(depth),
            ]
        lines = [
            f"if {self.expression(chance.choice(('bool', 'bool', 'any')))}:",
            *self.inner(depth),
        ]
        if chance.random() < 0.3:
            lines += [f"elif {self.expression('bool')}:", *self.inner(depth)]
        if chance.random() < 0.5:
            lines += ["else:", *self.inner(depth)]
        return lines

    def loop(self, depth: int) -> list[str]:
        chance = self.chance
        name, second, total = self.scope.fresh(), self.scope.fresh(), self.scope.fresh()
        kind = chance.choice(("int", "str", "list"))
        before = len(self.scope.variables)
        strs, nums = self.expression("strs"), self.expression("nums")
        counts = self.expression("counts")
        heads = [
            (f"for {name} in {strs}:", [(name, "str")]),
            (f"for {name} in {nums}:", [(name, "int")]),
            (f"for {name} in r['items']:", []),
            (f"for {name}, {second} in enumerate({strs}):", [(name, "int"), (second, "str")]),
            (f"for {name}, {second} in {counts}.items():", [(name, "str"), (second, "int")]),
            (f"for {name}, {second} in zip({strs}, {nums}):", [(name, "str"), (second, "int")]),
            (f"for {name} in range({self.make.small(1)}):", [(name, "int")]),
            (f"for {name}, {second} in r.items():", [(name, "str"), (second, "any")]),
        ]
        head, known = chance.choice(heads)
        for variable, its in known:
            self.scope.add(variable, its)
        self.loops += 1
        body = self.inner(depth)
        if head.endswith("in r['items']:"):
            grown = self.scope.item_field(name, "int" if kind == "int" else "str")
        else:
            grown = self.make.of("int" if kind == "int" else "str", 1)
        self.loops -= 1
        del self.scope.variables[before:]
        if kind == "list":
            self.scope.add(total, "strs")
            return [f"{total} = []", head, *body, f"    {total}.append({grown})"]
        self.scope.add(total, kind)
        return [
            f"{total} = {'0' if kind == 'int' else repr('')}",
            head,
            *body,
            f"    {total} += {grown}",
        ]

    def counted(self, depth: int) -> list[str]:
        """Return a `while` that ends."""
        name = self.scope.fresh()
        self.loops += 1
        # A `continue` before the end of the body would never end.
        body = [line.replace("continue", "break") for line in self.inner(depth)]
        self.loops -= 1
        return [f"{name} = 0", f"while {name} < {self.make.small(1)}:", f"    {name} += 1", *body]

    def match(self, depth: int) -> list[str]:
        chance = self.chance
        kind = chance.choice(("str", "int", "any", "items"))
        one, other = self.scope.fresh(), self.scope.fresh()
        patterns = [
            *(
                "'info' | 'warn'",
                "0 | 1 | -1",
                "None",
                "True",
                "[]",
                f"[{one}]",
                f"[{one}, *{other}]",
            ),
            *(
                f"{{'name': {one}, 'qty': {other}}}",
                f"{{'name': str({one})}}",
                "2.5",
                f"int({one})",
            ),
            *(f"str() as {one}", "list()", f"({one}, {other})", "'é'", f"{{'a': 1, **{other}}}"),
        ]
        lines = [f"match {self.expression(kind)}:"]
        for pattern in chance.sample(patterns, chance.randint(1, 3)):
            guard = f" if {self.expression('bool')}" if chance.random() < 0.2 else ""
            lines += [f"    case {pattern}{guard}:"]
            lines += [f"    {line}" for line in self.inner(depth)]
            if one in pattern and chance.random() < 0.5:
                lines.append(f"        r['matched'] = {one}")
        if chance.random() < 0.6:
            lines += ["    case _:", *(f"    {line}" for line in self.inner(depth))]
        return lines

    def unpacked(self) -> list[str]:
        first, rest = self.scope.fresh(), self.scope.fresh()
        left = self.chance.choice((f"{first}, *{rest}", f"*{rest}, {first}"))
        line = f"{left} = {self.expression('strs')} or ['x']"
        self.scope.add(first, "str")
        self.scope.add(rest, "strs")
        return [line]

    def attempt(self, depth: int) -> list[str]:
        chance = self.chance
        name = self.scope.fresh()
        kind = chance.choice(("int", "float", "str"))
        lines = ["try:", f"    {name} = {self.expression(kind)}"]
        lines += [f"except {chance.choice(_CAUGHT)}:", f"    {name} = {self.make.of(kind, 0)}"]
        if chance.random() < 0.15:
            lines += ["else:", *self.inner(depth)]
        if chance.random() < 0.2:
            lines.insert(2, f"    {self.leave()}" if chance.random() < 0.3 else "    pass")
            lines += ["finally:", "    r['done'] = True"]
        self.scope.add(name, kind)
        return lines

    def change_record(self) -> list[str]:
        chance = self.chance
        if self.loops and chance.random() < 0.7:
            return self.assign()
        name = chance.choice(("'s'", "'n'", "'new'", "'é'", "'opt'", "'tags'"))
        match chance.randrange(8):
            case 0:
                return [f"del r[{name}]"]
            case 1:
                return [f"r.pop({name}, None)"]
            case 2:
                variable = self.scope.fresh()
                self.scope.add(variable, "any")
                return [f"{variable} = r.pop({name}, {self.make.of('any', 0)})"]
            case 3:
                return [f"r['meta']['new'] = {self.scalar()}"]
            case 4:
                return [f"r.update({{{name}: {self.scalar()}, 'z': {self.scalar()}}})"]
            case 5:
                return [f"r.setdefault({name}, {self.scalar()})"]
        return [f"r[{name}] = {self.scalar()}"]

    def scalar(self) -> str:
        return self.expression(self.chance.choice(("int", "float", "str", "bool", "strs", "nums")))

    def build(self) -> list[str]:
        """Return statements that fill a container."""
        chance = self.chance
        if self.loops:
            return self.assign()
        if chance.random() < 0.5:
            return self.steps()
        name = self.scope.fresh()
        match chance.randrange(5):
            case 0:
                lines = [
                    f"{name} = [{self.expression('str')}]",
                    f"{name}.append({self.expression('str')})",
                ]
                lines += chance.choice(
                    ([], [f"{name}.sort()"], [f"{name}.reverse()"], [f"{name}.pop()"])
                )
                kind = "strs"
            case 1:
                lines = [
                    f"{name} = {{}}",
                    f"{name}[{self.expression('str')}] = {self.expression('int')}",
                ]
                lines.append(f"{name}[{self.expression('str')}] = {self.expression('int')}")
                kind = "counts"
            case 2:
                lines = [
                    f"{name} = list({self.expression('nums')})",
                    f"{name}.insert(0, {self.expression('int')})",
                ]
                lines.append(f"{name}.extend({self.expression('nums')})")
                kind = "nums"
            case 3:
                each = self.scope.fresh()
                lines = [f"{name} = {{}}", f"for {each} in {self.expression('strs')}:"]
                lines.append(f"    {name}[{each}] = {name}.get({each}, 0) + 1")
                kind = "counts"
            case _:
                lines = [
                    f"{name} = set({self.expression('strs')})",
                    f"{name}.add({self.expression('str')})",
                ]
                lines.append(f"{name} = sorted({name})")
                kind = "strs"
        self.scope.add(name, kind)
        return lines

    def steps(self) -> list[str]:
        """Return some of the STATEMENTS, with names of their own."""
        template = self.chance.choice((*STATEMENTS, *LIBRARY_STATEMENTS, *INSTANCE_STATEMENTS))
        names = {each: self.scope.fresh() for each in "Nvw"}
        own = re.sub(r"\b[Nvw]\b(?!>)", lambda found: names[found[0]], template)
        lines = self.make.filled(own, self.chance.choice((0, 1, 1, 2))).split("\n")
        self.scope.add(names["N"], "strs")
        return lines

    def last(self) -> list[str]:
        if self.yields:
            return [f"yield {self.result()}"]
        if self.chance.random() < 0.08:
            return [f"return [{self.result()}, {self.result()}]"]
        if self.chance.random() < 0.06:
            name = self.scope.fresh()
            return [
                f"return [{{'i': {name}, 'v': r['n']}} for {name} in {self.expression('strs')}]"
            ]
        return [f"return {self.result()}"]

    def result(self) -> str:
        chance = self.chance
        if chance.random() < 0.15:
            return "r"
        if chance.random() < 0.08:
            return self.expression("any")
        members = []
        if chance.random() < 0.1:
            members.append("**r")
        names = [f"'{name}'" for name in "abcdefgh"]
        for name, _ in self.scope.variables:
            if chance.random() < 0.6 and len(members) < 6:
                members.append(f"{chance.choice(names)}: {self.shown(name)}")
        for _ in range(chance.randint(0 if members else 1, 3)):
            kind = chance.choice(
                ("int", "float", "str", "bool", "strs", "nums", "any", "items", "dict")
            )
            members.append(f"{chance.choice(names)}: {self.expression(kind)}")
        return f"{{{', '.join(members)}}}"

    def shown(self, name: str) -> str:
        """Return a variable as what can be written."""
        kind = dict(self.scope.variables)[name]
        if kind == "date":
            return f"{name}.isoformat()"
        if kind not in INSTANCE_KINDS or self.chance.random() < 0.2:
            return name
        return self.make.filled(self.chance.choice(SHOWN[kind]).replace("N", name), 0)
