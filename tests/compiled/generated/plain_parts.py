"""Instances of classes with an __init__ in generated functions; as in instance_parts.py."""

from __future__ import annotations

from typing import Final

__all__ = [
    "PLAIN_CLASSES",
    "PLAIN_FAILING_EXPRESSIONS",
    "PLAIN_FAILING_STATEMENTS",
    "PLAIN_INSTANCES",
    "PLAIN_SHOWN",
    "PLAIN_STATEMENTS",
]

PLAIN_SHOWN: Final = {
    "tally": ("N.total", "N.seen", "N.mean", "N.to_dict()", "str(N)", "N.label", "len(N)"),
    "money": ("N.cents", "str(N)", "F('{N!r}')", "N == Money(1)", "(N + N).cents", "N"),
}

PLAIN_CLASSES: Final = """\
class Tally:
    label = "tally"
    WEIGHTS: Final = {"a": 2, "info": 0.5}
    step = 1

    def __init__(self, start=0, *seen, label=None):
        self.total = start
        self.seen = list(seen)
        self._most = None
        if label is not None:
            self.label = label

    def add(self, value):
        self.total += value * self.WEIGHTS.get(self.label, 1)
        self.seen.append(value)
        if self._most is None or value > self._most:
            self._most = value
        return self

    @property
    def mean(self):
        return self.total / len(self.seen)

    @property
    def most(self):
        return self._most

    @most.setter
    def most(self, value):
        self._most = min(value, self.total)

    @classmethod
    def of(cls, values):
        made = cls()
        for value in values:
            made.add(value)
        return made

    @staticmethod
    def doubled(value):
        return value * 2

    def to_dict(self):
        return {"total": self.total, "most": self.most, "label": self.label}

    def get(self, key, default=None):
        return self.WEIGHTS.get(key, default)

    def __len__(self):
        return len(self.seen)

    def __str__(self):
        return f"{self.label}={self.total}"


class Capped(Tally):
    step = 2

    def __init__(self, start=0, cap=10):
        super().__init__(start, label="a")
        self.cap = cap

    def add(self, value):
        if self.total + value > self.cap:
            raise ValueError("cap")
        return super().add(value)

    def __str__(self):
        return super().__str__() + "!"


class Money:
    __slots__ = ("cents", "note")

    def __init__(self, cents):
        self.cents = cents

    def __add__(self, other):
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.cents + other.cents)

    def __mul__(self, by):
        return Money(self.cents * by)

    def __eq__(self, other):
        return isinstance(other, Money) and self.cents == other.cents

    def __lt__(self, other):
        return self.cents < other.cents

    def __repr__(self):
        return f"{type(self).__name__}({self.cents!r})"


"""

PLAIN_INSTANCES: Final[dict[str, tuple[str, ...]]] = {
    "tally": (
        "Tally()",
        "Tally(<int>)",
        "Tally(<num>, <any>, label=<str>)",
        "Tally(start=<int>)",
        "Tally.of(<nums>)",
        "Capped.of(<nums>)",
        "Capped(<int>, cap=<num>)",
        "Capped(*<nums>[:2])",
        "Capped(**{'cap': <int>})",
        "<tally>.add(<num>)",
        "max([<tally>, <tally>], key=lambda v: v.total)",
    ),
    "money": (
        "Money(<int>)",
        "Money(<num>)",
        "Money(<any>)",
        "<money> + <money>",
        "<money> * <int>",
        "sorted([Money(v) for v in <nums>], key=lambda v: v.cents)[0]",
    ),
    "int": ("<tally>.total", "len(<tally>)", "<tally>.step", "<money>.cents", "Tally.step"),
    "float": ("<tally>.mean", "Tally.doubled(<num>)", "Tally.WEIGHTS[<str>]"),
    "bool": (
        "<money> == <money>",
        "<money> != <money>",
        "<money> < <money>",
        "<money> > <money>",
        "<money> == <any>",
        "bool(<tally>)",
        "isinstance(<tally>, Capped)",
        "isinstance(<any>, Tally)",
        "<tally> is None",
        "<money> in [<money>]",
    ),
    "str": (
        "str(<tally>)",
        "F('{<tally>} {<money>!r:>12}')",
        "F('{<money>}')",
        "repr(<money>)",
        "<tally>.label",
        "type(<tally>).__name__",
        "<money>.__class__.__name__",
        "<money>.note",
    ),
    "nums": ("<tally>.seen", "[<tally>.most]", "[v.cents for v in [<money>, <money>]]"),
    "dict": ("<tally>.to_dict()", "{'t': <tally>.to_dict()}"),
    "any": ("<tally>.get(<str>)", "<tally>.get('x', <any>)", "<tally>", "[<money>]"),
}

PLAIN_STATEMENTS: Final[tuple[str, ...]] = (
    "v = <tally>\nfor w in <nums>: v.add(w)\nN = [str(v), str(v.most)]",
    "v = <tally>\nw = v\nw.total += <int>\nw.label = <str>\nN = [str(v), v.label]",
    "v = <tally>\nv.most = <num>\nv.seen, v.total = <strs>, <int>\nN = [*v.seen, str(v.most)]",
    "v = {}\nfor w in <strs>:\n    v.setdefault(w[:1], Tally()).add(len(w))\nN = [str(v['a'])]",
    "v = <tally>\ntry: v.add(<any>)\nexcept (TypeError, ValueError): v.total = -1\nN = [str(v)]",
    "v = Money(0)\nfor w in <nums>: v += Money(w)\nN = [repr(v)]",
    "v = <money>\nv.note = <str>\nN = [v.note]",
    "v = Tally(r['meta'])\nv.total['new'] = <any>\nN = list(r['meta'])",
    "v = Money(r['tags'])\nr['tags'].append(<str>)\nN = v.cents",
    "v = <tally> if <bool> else <money>\nN = [str(v), str(isinstance(v, Money))]",
    "v = Money(<tally>)\nv.cents.total += <int>\nN = [str(v.cents)]",
)

PLAIN_FAILING_EXPRESSIONS: Final[dict[str, tuple[str, ...]]] = {
    "int": (
        "Tally(<any>).add(<int>).total",
        "Tally(<int>, <any>).mean",
        "Capped(<any>, cap=<int>).add(<int>).total",
        "Tally.of(<list>).total",
        "(Money(<any>) + Money(<int>)).cents",
        "(Money(<int>) + <any>).cents",
        "(Money(<any>) * <int>).cents",
        "len(Tally(<any>))",
    ),
    "str": ("str(Tally(<any>))", "F('{Money(<any>)!r}')", "Tally(label=<any>).label"),
    "bool": ("Money(<any>) < Money(<int>)", "Money(<any>) == Money(<any>)"),
    "dict": ("Tally(<any>).add(<any>).to_dict()",),
}

PLAIN_FAILING_STATEMENTS: Final[tuple[str, ...]] = (
    "N = Tally(<any>)\nN.total += <int>\nout['n'] = N.total",
    "N = Capped(<int>, <any>)\nN.add(<any>)\nout['n'] = N.seen",
    "N = Tally(<int>)\nN.most = <any>\nout['n'] = N.most",
    "N = Money(<any>)\nout['n'] = N.note",
)
