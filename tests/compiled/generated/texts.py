"""Random expressions that make strings."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.compiled.generated.scope import Scope

__all__ = ["Texts"]

_LITERALS: Final = (
    *(
        "",
        "a",
        "-",
        " ",
        "/",
        ",",
        ".",
        "ab",
        "é",
        "Straße",
        "😀",
        "x=1",
        "%",
        "A b",
        "0",
        "1.5",
        "\n",
    ),
    *("id", "info", "é ü", '"', "\\", "\x00", "\u2028", "{}"),
)
_METHODS: Final = "lower upper strip title capitalize casefold swapcase lstrip rstrip"
_MARKS: Final = (" ", ",", "/", "-", "a", "é", "@", ".", "=", ", ", "ab", "e")
_SPECS: Final = {
    "int": (
        "5",
        "05d",
        ">8",
        "<6",
        "^7",
        "x",
        "X",
        "b",
        ",",
        "+d",
        "d",
        "_",
        "o",
        "#x",
        " d",
        ".2f",
    ),
    "float": (".2f", "8", ",.2f", ".1%", "e", "g", "08.3f", "10.4g", ".0f", ".3", "+.1f", "<9"),
    "str": (">8", "<6", "^7", "*^9", "s", ".3", "é>6", "10.2", "08"),
}
_FORMS: Final = {
    "int": ("%s", "%d", "%05d", "%x", "%r", "%i", "%+d"),
    "float": ("%s", "%.2f", "%d", "%g", "%8.1f", "%r"),
    "str": ("%s", "%r", "%-4s|", "%5s", "%.2s"),
}


class Texts:
    """Makes expressions of strings; `Expressions` has the other types."""

    scope: Scope
    chance: Random

    def of(self, kind: str, depth: int) -> str:
        raise NotImplementedError

    def any_of(self, depth: int) -> str:
        raise NotImplementedError

    def small(self, depth: int) -> str:
        raise NotImplementedError

    def part(self) -> str:
        raise NotImplementedError

    def place(self) -> str:
        raise NotImplementedError

    def mapped(self, source: str, kind: str, depth: int) -> str:
        raise NotImplementedError

    def literal(self) -> str:
        return repr(self.chance.choice(_LITERALS))

    def mark(self) -> str:
        """Return a literal that is seldom empty."""
        return self.literal() if self.chance.random() < 0.1 else repr(self.chance.choice(_MARKS))

    def pattern(self) -> str:
        return "PX" if self.chance.random() < 0.3 else f"P{self.chance.randrange(10)}"

    def a_str(self, depth: int) -> str:
        chance = self.chance
        one = self.of("str", depth)
        match chance.randrange(28):
            case 0 | 1:
                return f"{one} + {self.of('str', depth)}"
            case 2:
                return f"{one} * {self.small(0)}"
            case 3 | 4:
                return f"{one}{self.part()}"
            case 5:
                return f"({one} or 'ab')[{self.place()}]"
            case 6 | 7 | 8:
                methods = [
                    "lower",
                    "upper",
                    "strip",
                    "title",
                    "capitalize",
                    "casefold",
                    "swapcase",
                    "lstrip",
                    "rstrip",
                ]
                return f"{one}.{chance.choice(methods)}()"
            case 9:
                method = chance.choice(
                    ("strip", "lstrip", "rstrip", "removeprefix", "removesuffix")
                )
                return f"{one}.{method}({self.literal()})"
            case 10:
                count = chance.choice(("", "", ", 1", ", 0"))
                return f"{one}.replace({self.literal()}, {self.of('str', 0)}{count})"
            case 11:
                fill = chance.choice(("", ", '*'", ", 'é'"))
                return f"{one}.{chance.choice(('ljust', 'rjust', 'center'))}({self.small(0)}{fill})"
            case 12:
                return f"{one}.zfill({self.small(0)})"
            case 13:
                return f"{self.literal()}.join({self.of('strs', depth)})"
            case 14:
                return f"{self.literal()}.join({self.mapped('strs', 'str', depth)})"
            case 15:
                method = chance.choice(("partition", "rpartition"))
                return f"{one}.{method}({self.mark()})[{chance.randrange(3)}]"
            case 16 | 17 | 18:
                return self.f_string(depth)
            case 19:
                return self.percent(depth)
            case 20 | 21:
                return f"str({self.any_of(depth)})"
            case 22:
                new = chance.choice(("'#'", "''", "r'<\\g<0>>'", "'é'", "':id'"))
                return f"{self.pattern()}.sub({new}, {one})"
            case 23:
                form = chance.choice(
                    (".isoformat()", ".strftime('%Y-%m-%d')", ".date().isoformat()")
                )
                return f"{self.of('date', depth)}{form}"
            case 24:
                return f"TABLE.get({one}, {self.of('str', 0)})"
            case 25:
                return f"first_word({one})"
            case 26:
                form = chance.choice(("'{}-{}'", "'{0}{1:>5}'", "'{1}é{0!r}'", "'{a:<4}|{b}'"))
                other = self.of(chance.choice(("int", "str")), depth)
                if "a" in form:
                    return f"{form}.format(a={one}, b={other})"
                return f"{form}.format({one}, {other})"
        place = chance.choice(("0", "0", "-1", "-1", "1"))
        return f"{one}.split({self.mark()})[{place}]"

    def f_string(self, depth: int) -> str:
        chance = self.chance
        parts = []
        for _ in range(chance.randint(1, 3)):
            if chance.random() < 0.4:
                plain = chance.choice(_LITERALS)
                parts.append(repr(f"{plain}x")[1:-2].replace('"', ""))
            kind = chance.choice(("int", "float", "str", "any", "strs", "bool"))
            what = self.of(kind, depth)
            conversion = chance.choice(("", "", "", "", "!s", "!r", "!a"))
            shown = "str" if conversion else kind
            if chance.random() < 0.03:
                shown = chance.choice(("int", "float", "str"))
            spec = ""
            if shown in _SPECS and chance.random() < 0.5:
                spec = f":{chance.choice(_SPECS[shown])}"
            parts.append(f"{{({what}){conversion}{spec}}}")
        text = "".join(parts)
        return f"F({text!r})"

    def percent(self, depth: int) -> str:
        chance = self.chance
        forms, values = [], []
        for _ in range(chance.randint(1, 2)):
            kind = chance.choice(("int", "float", "str"))
            forms.append(chance.choice(_FORMS[kind]))
            values.append(f"{self.of(kind, depth)}, ")
        if chance.random() < 0.1:
            forms.append("%%")
        return f"{' '.join(forms)!r} % ({''.join(values)})"
