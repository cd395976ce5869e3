"""Random expressions of a wanted type, most of which run without an exception."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tests.compiled.generated.functions import RELATIVES
from tests.compiled.generated.instance_parts import INSTANCE_KINDS, INSTANCES
from tests.compiled.generated.library_parts import LIBRARY
from tests.compiled.generated.scope import GLOBALS, Scope
from tests.compiled.generated.texts import Texts

__all__ = ["Expressions"]

_NUMBERS: Final = "0 1 2 3 -1 7 10 60 100 255 1000 4096 86400 -5 2147483648 9223372036854775807"
_INTS: Final = _NUMBERS.split()
_DECIMALS: Final = "0.0 0.5 1.0 1.5 2.5 -0.5 0.1 100.0 1e3 3.14159 1e-7 1e16 -0.0 2.675"
_FLOATS: Final = _DECIMALS.split()
_RECORD_TIMES: Final = ("r['at']", "r['start']", "r['at']", "0")
_PLACES: Final = re.compile(
    f"<({'|'.join((*RELATIVES, *INSTANCES, 'num', 'small', 'mark', 'pattern'))})>"
)
_PARTS: Final = (RELATIVES, RELATIVES, LIBRARY, INSTANCES)
_BRANCHES: Final = ("int", "float", "str", "bool", "strs", "nums", "counts", "any", "dict")


class Expressions(Texts):
    """Makes expressions.

    Args:
        scope: what they refer to, and the source of chance.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.chance = scope.chance

    def any_of(self, depth: int) -> str:
        return self.of(self.chance.choice(_BRANCHES), depth)

    def of(self, kind: str, depth: int) -> str:
        """Return an expression.

        Args:
            kind: its type: int, float, num, str, bool, strs, nums, items, counts, dict, date or
                any.
            depth: of nested operations.
        """
        if kind == "num":
            kind = "int" if self.chance.random() < 0.6 else "float"
        if depth <= 0 or self.chance.random() < 0.15:
            return self.leaf(kind)
        if self.chance.random() < 0.06 and kind != "date":
            return self.chosen(kind, depth - 1)
        if self.chance.random() < 0.3 or kind in ("set", "delta", *INSTANCE_KINDS):
            parts = self.chance.choice([each[kind] for each in _PARTS if kind in each] or [()])
            if parts:
                return f"({self.filled(self.chance.choice(parts), depth - 1)})"
        makers: dict[str, Callable[[int], str]] = {
            "int": self.an_int,
            "float": self.a_float,
            "str": self.a_str,
            "bool": self.a_bool,
            "strs": self.strs,
            "nums": self.nums,
            "items": self.items,
            "counts": self.counts,
            "dict": self.a_dict,
            "date": self.a_date,
            "any": self.anything,
        }
        return f"({makers[kind](depth - 1)})"

    def leaf(self, kind: str) -> str:
        chance = self.chance
        known = self.scope.of(kind)
        if known and chance.random() < 0.55:
            return chance.choice(known)
        if chance.random() < 0.12 and kind in GLOBALS:
            return chance.choice(GLOBALS[kind])
        match kind:
            case "int":
                return chance.choice(_INTS) if chance.random() < 0.4 else self.scope.field(kind)
            case "float":
                return chance.choice(_FLOATS) if chance.random() < 0.3 else self.scope.field(kind)
            case "str":
                return self.literal() if chance.random() < 0.3 else self.scope.field(kind)
            case "date":
                return self.a_date(0)
            case "set":
                return chance.choice(("STOP", "set(NAMES)", "set(r['tags'])", "{'a', 'é'}"))
            case "delta":
                return f"timedelta(hours={chance.randrange(50)})"
            case "point" | "pair" | "stats" | "box" | "tally" | "money":
                return self.filled(chance.choice(INSTANCES[kind][:4]), 0)
            case "dict":
                return chance.choice(("{}", "r['meta']", "{'k': 1}", "r", "{'a': r['s'], 'b': 2}"))
            case "bool" if chance.random() < 0.2:
                return chance.choice(("True", "False"))
            case "any" if chance.random() < 0.2:
                return "None"
        return self.scope.field(kind)

    def filled(self, template: str, depth: int) -> str:
        """Return a template with expressions in it; see `functions.py`."""

        def part(found: re.Match[str]) -> str:
            match found[1]:
                case "small":
                    return self.small(0)
                case "mark":
                    return self.mark()
                case "pattern":
                    return self.pattern()
            return self.of(found[1], depth)

        return _PLACES.sub(part, template)

    def chosen(self, kind: str, depth: int) -> str:
        """Return one of two expressions of the same type."""
        one, other = self.of(kind, depth), self.of(kind, depth)
        match self.chance.randrange(4):
            case 0:
                return f"({one} or {other})"
            case 1:
                return f"({one} if {one} is not None else {other})"
            case 2 if kind in ("int", "float", "str"):
                return f"({self.chance.choice(('min', 'max'))}({one}, {other}))"
        return f"({one} if {self.of('bool', depth)} else {other})"

    def small(self, depth: int) -> str:
        """Return an int from 0 to 6, or something whose use as one fails."""
        if self.chance.random() < 0.6:
            return str(self.chance.randrange(7))
        return f"({self.of('int', depth)} % 7)"

    # Numbers.

    def an_int(self, depth: int) -> str:
        chance = self.chance
        one = self.of("int", depth)
        match chance.randrange(24):
            case 0 | 1 | 2 | 3:
                return f"{one} {chance.choice('+-*')} {self.of('int', depth)}"
            case 4 | 5:
                return f"{one} {chance.choice(('//', '%'))} {self.of('int', depth)}"
            case 6:
                return f"{one} {chance.choice('&|^')} {self.of('int', depth)}"
            case 7:
                return f"{one} {chance.choice(('<<', '>>'))} {self.small(0)}"
            case 8:
                return f"{one} ** {chance.randrange(4)}"
            case 9:
                return f"{chance.choice(('-', '~', '+'))}{one}"
            case 10:
                return f"abs({one})"
            case 11 | 12:
                kind = chance.choice(("str", "strs", "nums", "items", "counts", "dict"))
                return f"len({self.of(kind, depth)})"
            case 13:
                return f"int({self.of('num', depth)})"
            case 14:
                base = chance.choice(("", "", ", 16", ", 10", ", 36"))
                what = "r['code']" if chance.random() < 0.7 else self.of("str", depth)
                return f"int({what}{base})"
            case 15:
                return f"round({self.of('num', depth)})"
            case 16:
                what = self.of("str", depth)
                method = chance.choice(("count", "find", "find", "index", "rfind", "count"))
                return f"{what}.{method}({self.of('str', 0)})"
            case 17:
                return self.total("int", depth)
            case 18:
                return f"math.{chance.choice(('floor', 'ceil', 'trunc'))}({self.of('num', depth)})"
            case 19:
                part = chance.choice(("year", "month", "day", "hour", "minute", "weekday()"))
                return f"{self.of('date', depth)}.{part}"
            case 20:
                return f"{self.of('counts', 0)}.get({self.of('str', depth)}, {one})"
            case 21:
                return f"divmod({one}, {self.of('int', depth)})[{chance.randrange(2)}]"
            case 22:
                return f"clip({one}, {self.of('int', 0)}, {self.of('int', 0)})"
        key = "'warn'" if chance.random() < 0.8 else self.of("str", 0)
        return f"(LEVELS | {self.of('counts', depth)})[{key}]"

    def a_float(self, depth: int) -> str:
        chance = self.chance
        one, other = self.of("num", depth), self.of("num", depth)
        match chance.randrange(16):
            case 0 | 1 | 2 | 3:
                return f"{one} {chance.choice('+-*')} {other}"
            case 4 | 5:
                return f"{one} / {other}"
            case 6:
                return f"{one} {chance.choice(('//', '%'))} {other}"
            case 7 | 8:
                return f"round({one}, {chance.choice((0, 1, 2, 2, 3, -1, 6))})"
            case 9:
                return f"float({one})"
            case 10:
                what = "r['code']" if chance.random() < 0.7 else self.of("str", depth)
                return f"float({what})"
            case 11:
                function = chance.choice(("sqrt", "sin", "cos", "radians", "fabs", "exp", "log10"))
                return f"math.{function}({one})"
            case 12:
                return self.total("float", depth)
            case 13:
                return f"{one} ** {chance.choice(('2', '0.5', '-1', '3'))}"
            case 14:
                return f"ratio({one}, {other})"
        if chance.random() < 0.5:
            return f"{self.of('date', depth)}.timestamp()"
        return f"({self.of('date', depth)} - {self.of('date', 0)}).total_seconds()"

    def total(self, kind: str, depth: int) -> str:
        chance = self.chance
        function = chance.choice(("sum", "sum", "min", "max"))
        if chance.random() < 0.1:
            name = self.scope.fresh()
            key = f"key=lambda {name}: {self.scope.item_field(name, 'float')}, default={{'qty': 1}}"
            best = f"{chance.choice(('min', 'max'))}({self.of('items', depth)}, {key})"
            return self.scope.item_field(best, kind)
        if chance.random() < 0.4:
            default = ", default=0" if function != "sum" and chance.random() < 0.9 else ""
            return f"{function}({self.of('nums', depth)}{default})"
        if chance.random() < 0.5:
            name = self.scope.fresh()
            field = self.scope.item_field(name, kind)
            made = f"{field} for {name} in {self.of('items', 0)}"
        else:
            made = self.mapped("nums", kind, depth)
        if function == "sum" or chance.random() < 0.1:
            return f"{function}({made})"
        return f"{function}(({made}), default={self.of(kind, 0)})"

    # Truth.

    def a_bool(self, depth: int) -> str:
        chance = self.chance
        operator = chance.choice(("<", "<=", ">", ">=", "==", "!="))
        match chance.randrange(15):
            case 0 | 1:
                return f"{self.of('num', depth)} {operator} {self.of('num', depth)}"
            case 2:
                return (
                    f"{self.of('int', 0)} <= {self.of('num', depth)} {operator} {self.of('int', 0)}"
                )
            case 3:
                return f"{self.of('str', depth)} {operator} {self.of('str', depth)}"
            case 4:
                places = ("str", "strs", "counts", "dict", "strs", "nums")
                kind = chance.choice(places)
                what = self.of("num" if kind == "nums" else "str", depth)
                return f"{what} {chance.choice(('in', 'not in'))} {self.of(kind, depth)}"
            case 5:
                place = chance.choice(("STOP", "NAMES", "KINDS", "TABLE"))
                return f"{self.of('str', depth)} in {place}"
            case 6:
                return f"not {self.any_of(depth)}"
            case 7:
                both = (self.of("bool", depth), self.of("bool", depth))
                return f" {chance.choice(('and', 'or'))} ".join(both)
            case 8:
                affix = chance.choice((self.literal(), "('a', '/', 'é')", self.of("str", 0)))
                return (
                    f"{self.of('str', depth)}.{chance.choice(('startswith', 'endswith'))}({affix})"
                )
            case 9:
                kinds = ("str", "int", "float", "list", "dict", "bool", "(int, float)")
                return f"isinstance({self.any_of(depth)}, {chance.choice(kinds)})"
            case 10:
                what = f"{self.any_of(depth)} {chance.choice(('is', 'is not'))}"
                return f"{what} {chance.choice(('None', 'None', 'True', 'False'))}"
            case 11:
                name = self.scope.fresh()
                self.scope.add(name, "str")
                condition = self.of("bool", min(depth, 1))
                self.scope.variables.pop()
                where = self.of("strs", depth)
                return f"{chance.choice(('any', 'all'))}({condition} for {name} in {where})"
            case 12:
                tests = (
                    "isdigit",
                    "isalpha",
                    "isupper",
                    "islower",
                    "isspace",
                    "isalnum",
                    "istitle",
                )
                return f"{self.of('str', depth)}.{chance.choice(tests)}()"
            case 13:
                method = chance.choice(("search", "match", "fullmatch"))
                return f"{self.pattern()}.{method}({self.of('str', depth)}) is not None"
        return f"{self.any_of(depth)} {chance.choice(('==', '!='))} {self.any_of(depth)}"

    # Containers.

    def mapped(self, source: str, kind: str, depth: int) -> str:
        """Return the middle of a comprehension over a list, whose elements are of a type."""
        element = {"nums": "int", "strs": "str", "items": "item"}[source]
        where = self.of(source, depth)
        name = self.scope.fresh()
        self.scope.add(name, element)
        if element == "item":
            known = kind if kind in ("int", "float", "str", "strs") else "str"
            result = self.scope.item_field(name, known)
        else:
            result = self.of(kind, min(depth, 2))
        condition = f" if {self.of('bool', min(depth, 1))}" if self.chance.random() < 0.4 else ""
        self.scope.variables.pop()
        return f"{result} for {name} in {where}{condition}"

    def place(self) -> str:
        """Return an index that lists have, unless they are short."""
        return self.small(1) if self.chance.random() < 0.1 else self.chance.choice(("0", "0", "-1"))

    def part(self) -> str:
        """Return a slice."""
        chance = self.chance
        start = chance.choice(("", "", "0", "1", "-2", "2", self.small(1)))
        stop = chance.choice(("", "", "2", "-1", "5", self.small(1)))
        step = chance.choice(("", "", "", "", ":2", ":-1"))
        return f"[{start}:{stop}{step}]"

    def strs(self, depth: int) -> str:
        chance = self.chance
        match chance.randrange(15):
            case 0 | 1:
                mark = chance.choice(("", self.mark(), "','", "'/'"))
                return f"{self.of('str', depth)}.split({mark})"
            case 2:
                return f"[{self.mapped(chance.choice(('strs', 'items', 'nums')), 'str', depth)}]"
            case 3:
                return f"[{self.mapped('strs', 'str', depth)}]"
            case 4:
                options = chance.choice(("", "", ", reverse=True", ", key=len", ", key=str.lower"))
                return f"sorted({self.of('strs', depth)}{options})"
            case 5:
                return f"sorted(set({self.of('strs', depth)}))"
            case 6:
                return f"{self.of('strs', depth)}{self.part()}"
            case 7:
                return f"{self.of('strs', depth)} + {self.of('strs', depth)}"
            case 8:
                return f"[*{self.of('strs', depth)}, {self.of('str', depth)}]"
            case 9:
                method = chance.choice(("findall", "split"))
                return f"{self.pattern()}.{method}({self.of('str', depth)})"
            case 10:
                return f"list({self.of(chance.choice(('counts', 'str', 'strs')), depth)})"
            case 11:
                return f"[{self.of('str', depth)}, {self.of('str', depth)}]"
            case 12:
                function = chance.choice(("str.lower", "str.strip", "first_word"))
                return f"list(map({function}, {self.of('strs', depth)}))"
            case 13:
                what = chance.choice(("reversed(", "filter(None, ", "dict.fromkeys("))
                return f"list({what}{self.of('strs', depth)}))"
        method = chance.choice(("rsplit", "split"))
        return f"{self.of('str', depth)}.{method}({self.mark()}, {self.small(0)})"

    def nums(self, depth: int) -> str:
        chance = self.chance
        match chance.randrange(10):
            case 0 | 1:
                return f"[{self.mapped('nums', chance.choice(('int', 'float')), depth)}]"
            case 2:
                return f"[{self.mapped('items', chance.choice(('int', 'float')), depth)}]"
            case 3:
                return f"sorted({self.of('nums', depth)}{chance.choice(('', ', reverse=True'))})"
            case 4:
                return f"{self.of('nums', depth)}{self.part()}"
            case 5:
                return f"list(range({self.small(depth)}))"
            case 6:
                return f"[{self.of('num', depth)}, {self.of('num', depth)}]"
            case 7:
                return f"list({self.of('counts', depth)}.values())"
            case 8:
                return f"{self.of('nums', depth)} + {self.of('nums', depth)}"
        return f"[{self.mapped('strs', 'int', depth)}]"

    def items(self, depth: int) -> str:
        name = self.scope.fresh()
        key = self.scope.item_field(name, self.chance.choice(("int", "float", "str")))
        match self.chance.randrange(4):
            case 0:
                return f"sorted({self.of('items', depth)}, key=lambda {name}: {key})"
            case 1:
                return f"[{name} for {name} in {self.of('items', depth)} if {key}]"
            case 2:
                return f"{self.of('items', depth)}{self.part()}"
        return f"[{{**{name}, 'k': {key}}} for {name} in {self.of('items', depth)}]"

    def counts(self, depth: int) -> str:
        chance = self.chance
        name = self.scope.fresh()
        match chance.randrange(5):
            case 0:
                where = self.of("strs", depth)
                self.scope.add(name, "str")
                value = self.of("int", min(depth, 1))
                self.scope.variables.pop()
                return f"{{{name}: {value} for {name} in {where}}}"
            case 1:
                where = self.of("counts", depth)
                return f"{{k: {name} + 1 for k, {name} in {where}.items()}}"
            case 2:
                return f"{{{self.of('str', depth)}: {self.of('int', depth)}, 'z': 1}}"
            case 3:
                return f"{self.of('counts', depth)} | {self.of('counts', depth)}"
        return f"dict(zip({self.of('strs', depth)}, {self.of('nums', depth)}))"

    def a_dict(self, depth: int) -> str:
        chance = self.chance
        count = chance.randint(0, 4)
        members = [f"{self.member_name()}: {self.any_of(depth)}" for _ in range(count)]
        if chance.random() < 0.15:
            members.insert(0, f"**{chance.choice(('r', 'r[' + repr('meta') + ']', 'LEVELS'))}")
        return f"{{{', '.join(members)}}}"

    def member_name(self) -> str:
        names = ("'a'", "'b'", "'c'", "'id'", "'é'", "'q\"'", "'n'", "'s'", "'meta'")
        if self.chance.random() < 0.06:
            return self.of("str", 1)
        return self.chance.choice(names)

    def anything(self, depth: int) -> str:
        chance = self.chance
        match chance.randrange(8):
            case 0:
                return f"({self.of('nums', depth)} or [1])[{self.place()}]"
            case 1:
                return f"({self.of('strs', depth)} or ('x', 'y'))[{self.place()}]"
            case 2:
                return f"({self.of('items', depth)} or [{{}}])[{self.place()}]"
            case 3:
                key = self.of(chance.choice(("str", "int")), depth)
                return f"{chance.choice(('TABLE', 'LEVELS', 'CODES'))}.get({key})"
            case 4:
                return f"CODES[{'200' if chance.random() < 0.8 else self.of('int', depth)}]"
            case 5:
                return f"NESTED['a'][{chance.choice((repr('b'), repr('c')))}]"
            case 6:
                return f"({self.any_of(depth)}, {self.any_of(depth)})"
        return f"[{self.any_of(depth)}, {self.any_of(depth)}]"

    # Dates.

    def a_date(self, depth: int) -> str:
        chance = self.chance
        if depth > 0 and chance.random() < 0.3:
            unit = chance.choice(("days", "hours", "seconds", "minutes"))
            return f"{self.of('date', 0)} {chance.choice('+-')} timedelta({unit}={self.small(0)})"
        known = self.scope.of("date")
        if known and chance.random() < 0.5:
            return chance.choice(known)
        if chance.random() < 0.7:
            return "datetime.fromisoformat(r['when'])"
        return f"datetime.fromtimestamp({chance.choice(_RECORD_TIMES)}, timezone.utc)"
