"""Random functions whose parts raise exceptions of different types, caught by different handlers.

Each handler leaves another result, and variables assigned within expressions show how far the
function came. So a program that computes one part earlier than Python does gives another result.
"""

from __future__ import annotations

import ast
import contextlib
import re
from random import Random
from typing import Final

from tests.compiled.generated.f_strings import FormattedStrings
from tests.compiled.generated.failing_parts import EXPRESSIONS, LEAVES, STATEMENTS, SWITCHES
from tests.compiled.generated.instance_parts import FAILING_EXPRESSIONS, FAILING_STATEMENTS

__all__ = ["FIRST_LINE", "make_failing_function"]

FIRST_LINE: Final = "w1 = w2 = w3 = None"
"""By which such functions are recognized."""


_KINDS: Final = tuple(EXPRESSIONS)
_EXPRESSIONS: Final = {
    kind: (*parts, *FAILING_EXPRESSIONS.get(kind, ())) for kind, parts in EXPRESSIONS.items()
}
_STATEMENTS: Final = (*STATEMENTS, *FAILING_STATEMENTS)
_PLACES: Final = re.compile(r"<(any|int|str|list|dict|bool|f)>")
_CLASSES: Final = (
    *("KeyError", "IndexError", "ValueError", "TypeError", "AttributeError", "ZeroDivisionError"),
    *("(KeyError, TypeError)", "LookupError", "ArithmeticError", "(ValueError, AttributeError)"),
    *("Exception", "OwnError"),
)
_USES: Final = (
    *(
        "str(error)",
        "f'{error}'",
        "repr(error)",
        "f'{error!r}'",
        "error.args[0]",
        "'e' + str(error)",
    ),
    *(
        "type(error).__name__",
        "f'{error.__class__.__name__}: {error!s:>9}'",
        "[str(error), error.args[0]]",
    ),
    *("f'{error:>9}'", "len(error.args)", "[each for each in str(error)]", "mark"),
)
_SINGLE: Final = _CLASSES[:6]
_MARKS: Final = ("w1", "w2", "w3")


class _Failing:
    """Makes a function.

    Args:
        chance: decides.
    """

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.made = 0
        self.marked = 0
        self.loops = 0
        self.functions = 0
        self.is_short = chance.random() < 0.5

    def fresh(self) -> str:
        self.made += 1
        return f"v{self.made}"

    def of(self, kind: str, depth: int) -> str:
        """Return an expression whose parts may raise exceptions."""
        chance = self.chance
        if chance.random() < 0.1:
            kind = "any"
        if kind == "any":
            kind = chance.choice(_KINDS)
        if depth <= 0 or chance.random() < 0.2:
            is_switch = chance.random() < (0.8 if self.is_short else 0.2)
            made = chance.choice((SWITCHES if is_switch else LEAVES)[kind])
        else:
            made = self.filled(chance.choice(_EXPRESSIONS[kind]), depth - 1)
        if self.marked < len(_MARKS) and chance.random() < 0.15:
            self.marked += 1
            return f"({_MARKS[self.marked - 1]} := {made})"
        return f"({made})"

    def filled(self, template: str, depth: int) -> str:
        names: dict[str, str] = {}

        def own(found: re.Match[str]) -> str:
            return names.setdefault(found[0], self.fresh())

        def part(found: re.Match[str]) -> str:
            if found[1] == "f":
                return self.f_string(depth)
            return self.of(found[1], depth)

        return _PLACES.sub(part, re.sub(r"\b[NO]\b", own, template))

    def f_string(self, depth: int) -> str:
        chance = self.chance
        parts = []
        for _ in range(chance.randint(1, 3)):
            kind = chance.choice(("any", "int", "str"))
            form = chance.choice(("", "", "!r", ":>5", ":d", ":.1f", ":s", ":x", "-"))
            end = form if form == "-" else ""
            parts.append(f"{{({self.of(kind, depth)}){form.removesuffix('-')}}}{end}")
        text = "".join(parts)
        return f"F({text!r})"

    def block(self, count: int, depth: int) -> list[str]:
        lines = [line for _ in range(count) for line in self.statement(depth)]
        return [f"    {line}" for line in lines or ["pass"]]

    def statement(self, depth: int) -> list[str]:
        chance = self.chance
        choice = chance.randrange(22)
        if depth > 0:
            match choice:
                case 0 | 1 | 2:
                    return self.attempt(depth - 1)
                case 3:
                    return self.loop(depth - 1)
                case 4:
                    return self.match(depth - 1)
                case 5:
                    test = self.of(chance.choice(("bool", "any")), 1)
                    lines = [f"if {test}:", *self.block(1, depth - 1)]
                    if chance.random() < 0.5:
                        lines += [f"elif {self.of('bool', 1)}:", *self.block(1, depth - 1)]
                    return [*lines, "else:", *self.block(1, depth - 1)]
                case 6:
                    kinds = chance.choice(_CLASSES).strip("()")
                    return [
                        f"with contextlib.suppress({kinds}):",
                        *self.block(chance.randint(1, 2), depth - 1),
                    ]
                case 7 if self.functions < 2:
                    return self.helper(depth - 1)
        match choice:
            case 8:
                return [self.leave()]
            case 9:
                value = self.of(chance.choice(("str", "any")), 1)
                kind = chance.choice(("ValueError", "KeyError", "TypeError", "OwnError"))
                return [f"if {self.of('bool', 1)}:", f"    raise {kind}({value})"]
            case 10 | 11 | 12:
                return [f"out[{self.of('str', 1)}] = {self.of('any', 2)}"]
        return self.filled(chance.choice(_STATEMENTS), 2).split("\n")

    def leave(self) -> str:
        chance = self.chance
        if self.loops and chance.random() < 0.5:
            return chance.choice(("break", "continue"))
        if chance.random() < 0.3:
            return f"raise {chance.choice(('ValueError', 'KeyError', 'OwnError'))}"
        return f"return {{'left': {self.of('any', 2)}, 'mark': mark, 'w': [w1, w2, w3]}}"

    def attempt(self, depth: int) -> list[str]:
        """Return a try statement."""
        chance = self.chance
        lines = ["try:", *self.block(chance.choice((1, 1, 2)), depth)]
        has_finally = chance.random() < 0.2
        count = chance.randint(0, 3) if has_finally else chance.randint(1, 6)
        classes = [each for each in chance.sample(_CLASSES, count) if each != "Exception"]
        if count > len(classes) or (classes and chance.random() < 0.5):
            classes.append("Exception")
        for each in classes:
            lines += self.head_of(each)
            lines += self.handler(depth)
        if classes and chance.random() < 0.25:
            lines += ["else:", *self.block(1, depth)]
        if has_finally:
            lines += ["finally:"]
            if chance.random() < 0.1:
                lines += [
                    f"    return {{'final': mark, 'w': [w1, w2, w3], 'x': {self.of('any', 1)}}}"
                ]
            else:
                lines += [f"    mark = [mark, {chance.randrange(9)}]"]
                if chance.random() < 0.3:
                    lines += self.block(1, depth)
        return lines

    def head_of(self, kind: str) -> list[str]:
        """Return the first lines of a handler, which may use the exception."""
        chance = self.chance
        if chance.random() < 0.6:
            return [f"except {kind}:"]
        place = chance.choice(("out['e']", "w1", "mark"))
        lines = [f"except {kind} as error:", f"    {place} = {chance.choice(_USES)}"]
        if chance.random() < 0.1:
            lines.append(f"    raise {chance.choice(_SINGLE)}(str(error)) from error")
        return lines

    def handler(self, depth: int) -> list[str]:
        chance = self.chance
        self.made += 1
        mark = f"    mark = {self.made}"
        match chance.randrange(14):
            case 0:
                return [mark, f"    {self.leave()}"]
            case 1:
                return [mark, *self.block(1, depth)]
            case 2:
                return [mark, "    raise"]
            case 3:
                return [f"    mark = {self.of('any', 1)}" if chance.random() < 0.2 else "    pass"]
        return [mark]

    def loop(self, depth: int) -> list[str]:
        chance = self.chance
        name, other = self.fresh(), self.fresh()
        if chance.random() < 0.2:
            test = f"{name} < len({self.of('list', 0)})"
            head = [f"{name} = 0", f"while {test}:", f"    {name} += 1"]
        else:
            head = [
                chance.choice(
                    (
                        f"for {name} in {self.of('list', 1)}:",
                        f"for {name}, {other} in {self.of('dict', 1)}.items():",
                        f"for {name}, {other} in zip({self.of('list', 1)}, {self.of('list', 1)}):",
                        f"for {name}, {other} in enumerate({self.of('list', 1)}, r['j']):",
                        f"for {name} in ({self.of('any', 1)}, {self.of('any', 1)}):",
                        f"for {name} in map(first, {self.of('list', 1)}):",
                        f"for {name} in ({self.of('any', 1)} for {other} in {self.of('list', 0)}):",
                        f"for {name} in sorted({self.of('list', 1)}, key=first):",
                        f"for {name} in range({self.of('int', 0)} % 4):",
                    )
                )
            ]
        self.loops += 1
        body = self.block(chance.randint(1, 2), depth)
        self.loops -= 1
        if head[0].endswith("= 0"):
            body = [line.replace("continue", "break") for line in body]
        body.append(f"    out[{self.of('str', 0)}] = {chance.choice((name, self.of('any', 1)))}")
        lines = [*head, *body]
        if chance.random() < 0.3:
            lines += ["else:", *self.block(1, depth)]
        return lines

    def match(self, depth: int) -> list[str]:
        chance = self.chance
        one, other = self.fresh(), self.fresh()
        patterns = (
            *("None", "0 | 1", "'x' | 'tea'", "[]", f"[{one}, *{other}]", f"int({one})"),
            *(f"{{'k': {one}}}", f"{{'k': str({one}), **{other}}}", f"str({one})", f"[{one}]"),
            *(f"({one}, {other})", "True", "{}", "list()", f"{{'n': {one}}}"),
        )
        lines = [f"match {self.of('any', 1)}:"]
        for pattern in chance.sample(patterns, chance.randint(1, 3)):
            guard = f" if {self.of('bool', 1)}" if chance.random() < 0.4 else ""
            lines += [f"    case {pattern}{guard}:"]
            lines += [f"    {line}" for line in self.block(1, depth)]
            if one in pattern:
                lines += [f"        out['m'] = {one}"]
        if chance.random() < 0.5:
            lines += ["    case _:", *(f"    {line}" for line in self.block(1, depth))]
        return lines

    def helper(self, depth: int) -> list[str]:
        """Return a function with a try statement of its own, and a call of it."""
        chance = self.chance
        name, one, other = self.fresh(), self.fresh(), self.fresh()
        self.functions += 1
        marked, self.marked = self.marked, len(_MARKS)  # They are variables of the function around.
        kind = chance.choice(_CLASSES)
        value = chance.choice(
            (f"first({one})", f"{one}['k']", f"{other} // {one}", f"{one} + {other}")
        )
        body = [f"    return {value}"]
        if chance.random() < 0.7:
            end = chance.choice((f"return {self.of('any', 1)}", "raise", f"return {one}", "pass"))
            body = ["    try:", f"        return {value}", f"    except {kind}:", f"        {end}"]
            if chance.random() < 0.3:
                body += ["    finally:", f"        {other} = 0"]
            body += [f"    return {other}"]
        if chance.random() < 0.2:
            body = [line.replace("return ", "yield ") for line in body]
            call = f"list({name}({self.of('any', 1)}, {self.of('int', 1)}))"
        else:
            call = f"{name}({self.of('any', 1)}, {other}={self.of('int', 1)})"
        self.marked = marked
        del depth
        return [f"def {name}({one}, {other}=1):", *body, f"out[{self.of('str', 0)}] = {call}"]

    def short(self) -> list[str]:
        """Return a try statement around a single one, with a handler for each type."""
        chance = self.chance
        if chance.random() < 0.4:
            inner = self.filled(chance.choice(_STATEMENTS), 1).split("\n")
        else:
            kind = chance.choice(_KINDS)
            inner = [f"out['a'] = {self.filled(chance.choice(_EXPRESSIONS[kind]), 1)}"]
        lines = ["try:", *(f"    {line}" for line in inner)]
        for number, each in enumerate(chance.sample(_SINGLE, len(_SINGLE))):
            lines += [*self.head_of(each), f"    mark = {number}"]
        return [*lines, "return {'mark': mark, 'w': [w1, w2, w3], 'out': out, 'got': got}"]

    def lines(self) -> list[str]:
        chance = self.chance
        lines = [FIRST_LINE, "mark = 0", "out = {}", "got = [0]"]
        if self.is_short:
            return [*lines, *self.short()]
        if chance.random() < 0.15:
            lines += [line[4:] for line in self.block(1, 0)]
        lines += self.attempt(chance.choice((0, 0, 1, 2)))
        if chance.random() < 0.2:
            lines += self.attempt(1)
        end = "return" if chance.random() < 0.9 else "yield"
        return [*lines, f"{end} {{'mark': mark, 'w': [w1, w2, w3], 'out': out, 'got': got}}"]


def make_failing_function(chance: Random) -> str:
    """Return the source of a function of a record, `f`."""
    while True:
        text = "\n".join(["def f(r):", *(f"    {line}" for line in _Failing(chance).lines())])
        # Some assignment expressions are not allowed where they stand.
        with contextlib.suppress(ValueError, SyntaxError):
            source = ast.unparse(FormattedStrings().visit(ast.parse(text))) + "\n"
            compile(source, "f", "exec")
            return source
