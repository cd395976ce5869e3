"""Instances of dataclasses and NamedTuples in generated functions, and what is done with them."""

from __future__ import annotations

from typing import Final

from tests.compiled.generated import plain_parts as plain

__all__ = [
    "CLASSES",
    "FAILING_EXPRESSIONS",
    "FAILING_STATEMENTS",
    "INSTANCES",
    "INSTANCE_KINDS",
    "INSTANCE_STATEMENTS",
    "SHOWN",
]

INSTANCE_KINDS: Final = ("point", "pair", "stats", "box", "tally", "money")
"""Types of variables that are instances."""

SHOWN: Final = {
    "point": ("N.x", "N.total", "N._asdict()", "[*N]", "N.moved(<int>).x", "N.name"),
    "pair": ("N.left", "N[1]", "list(N)"),
    "stats": ("N.count", "N.tags", "asdict(N)", "N.mean", "N", "N.by", "N.get(<str>)"),
    "box": ("N.low", "N.has(<num>)", "N", "asdict(N)", "N.wider(<int>)"),
    **plain.PLAIN_SHOWN,
}
"""What an instance, N, is written as in a result."""

_CLASSES: Final = """\
class Point(NamedTuple):
    x: Any
    y: Any = 0
    name: str = "p"

    @property
    def total(self):
        return self.x + self.y

    def moved(self, by, *, twice=False):
        return Point(self.x + (2 * by if twice else by), self.y, self.name)

    @classmethod
    def of(cls, record):
        return cls(record["n"], record.get("x", 1))

    @staticmethod
    def half_of(value):
        return value / 2


Pair = namedtuple("Pair", "left right", defaults=[1])


@dataclass
class Stats:
    high: Any = 0
    count: int = 0
    tags: Any = field(default_factory=list)
    by: Any = field(default_factory=dict)
    scale = 3

    def add(self, value):
        self.count += 1
        self.tags.append(value)
        if value > self.high:
            self.high = value
        return self

    def get(self, key):
        return f"own {key}"

    def note(self, *keys, **more):
        for key in keys:
            self.by[key] = self.by.get(key, 0) + 1
        self.by.update(more)

    @property
    def mean(self):
        return sum(self.tags) / self.count

    @classmethod
    def of(cls, values):
        made = cls()
        for value in values:
            made.add(value)
        return made


@dataclass
class Longer(Stats):
    unit: str = "s"

    def add(self, value):
        self.tags += [self.unit]
        return super().add(value)

    @property
    def first(self):
        return self.tags[0]


@dataclass
class Checked(Stats):
    most: Any = 10

    def __post_init__(self):
        if self.high is None or self.high < 0:
            raise ValueError("high")
        self.by["most"] = self.most

    def get(self, key):
        return super().get(key) + str(self.count)


@dataclass(frozen=True)
class Box:
    low: Any
    high: Any = 10

    def has(self, value):
        return self.low <= value < self.high

    def wider(self, by):
        return replace(self, high=self.high + by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    limit: int = 3
    label: str = "a"
    box: Any = Box(0, 5)

    def text(self):
        return self.label * self.limit


POINTS = (Point(1), Point(2, 5, "é"))
BOXES: Final = {"info": Box(0, 10), "warn": Box(10, 1000), "a": Box("a", "c")}
COMPARES = {"info": operator.gt, "warn": operator.le, "error": operator.eq, "a": operator.contains}


"""
CLASSES: Final = _CLASSES + plain.PLAIN_CLASSES

_INSTANCES: Final[dict[str, tuple[str, ...]]] = {
    "point": (
        "Point(<int>, <int>)",
        "Point(<num>)",
        "Point(<str>, <str>)",
        "Point(<any>, name=<str>)",
        "Point(x=<int>, y=<num>)",
        "Point(*<nums>)",
        "Point(*<nums>[:2], name=<str>)",
        "Point(<int>, *<nums>[:1])",
        "Point(**{'x': <int>, 'name': <str>})",
        "Point(<int>, **<counts>)",
        "Point.of(r)",
        "Point._make(<nums>)",
        "<point>._replace(x=<any>)",
        "<point>._replace(y=<int>, name=<str>)",
        "<point>.moved(<int>)",
        "<point>.moved(by=<num>, twice=<bool>)",
        "<point>.moved(1).moved(<int>)",
        "max([<point>, <point>], key=lambda v: v.x)",
        "sorted([Point(v, <int>) for v in <nums>], key=lambda v: (v.y, -v.x))[0]",
        "POINTS[<small> % 2]",
        "next((v for v in POINTS if v.x > <int>), POINTS[0])",
        "[<point>, <point>][<bool>]",
    ),
    "pair": (
        "Pair(<any>)",
        "Pair(<str>, <int>)",
        "Pair(right=<int>, left=<str>)",
        "Pair(*<strs>[:2])",
        "[Pair(*v) for v in zip(<strs>, <nums>)][0]",
        "[Pair(k, v) for k, v in <counts>.items()][<small>]",
        "<pair>._replace(right=<any>)",
        "min(<pair>, <pair>)",
    ),
    "stats": (
        "Stats()",
        "Stats(<int>)",
        "Stats(<num>, tags=<strs>)",
        "Stats(high=<int>, by=<counts>)",
        "Stats(*<nums>[:1])",
        "Stats(**{'high': <int>, 'count': <int>})",
        "Stats.of(<nums>)",
        "Longer.of(<strs>)",
        "Longer(<int>, unit=<str>)",
        "Checked(<int>)",
        "Checked(<num>, most=<any>).add(<num>)",
        "<stats>.add(<num>)",
        "Stats(<str>).add(<str>)",
        "replace(<stats>, count=<int>)",
        "replace(<stats>, tags=<nums>)",
    ),
    "box": (
        "Box(<int>, <int>)",
        "Box(<num>)",
        "Box(<any>, high=<str>)",
        "Box(**{'low': <int>})",
        "<box>.wider(<int>)",
        "replace(<box>, low=<int>)",
        "BOXES[r['level']]",
        "BOXES.get(<str>, BOXES['a'])",
        "Options(limit=<small>).box",
        "Options(box=Box(<any>)).box",
        "max([<box>, <box>], key=lambda v: v.low)",
    ),
    "int": (
        "<point>.x",
        "<point>.total",
        "len(<point>)",
        "<point>[<small>]",
        "<point>.index(<int>)",
        "<pair>.right",
        "<pair>.count(<any>)",
        "<stats>.count",
        "<stats>.high",
        "<stats>.scale",
        "len(<stats>.tags)",
        "<stats>.by.get(<str>, <int>)",
        "<box>.low",
        "sum(v.x for v in [<point>, <point>])",
        "sum(v.count for v in (<stats>, <stats>))",
        "Options(limit=<int>).limit",
        "clip(*<nums>[:3])",
        "clip(<int>, *(<int>, <int>))",
        "clip(<int>, **{'low': <int>, 'high': <int>})",
        "operator.add(<int>, <int>)",
        "operator.sub(<num>, <int>)",
        "operator.floordiv(<int>, <int>)",
        "functools.reduce(operator.add, <nums>, <int>)",
        "functools.reduce(operator.mul, <nums>)",
        "Code(r['status']) + <int>",
        "Code.OK - <int>",
        "Code[<str>] * 2",
    ),
    "float": (
        "<stats>.mean",
        "<point>.total / 2",
        "Point.half_of(<num>)",
        "<point>.half_of(<num>)",
        "ratio(*<nums>[:2])",
        "ratio(**{'a': <num>, 'b': <num>})",
        "operator.truediv(<num>, <num>)",
        "operator.mul(<num>, <float>)",
    ),
    "bool": (
        "<box>.has(<num>)",
        "<box>.has(<str>)",
        "<point> == <point>",
        "<point> < <point>",
        "<point> in POINTS",
        "<pair> == (<any>, <any>)",
        "bool(<point>)",
        "bool(<stats>)",
        "isinstance(<point>, Point)",
        "isinstance(<stats>, Longer)",
        "isinstance(<stats>, Stats)",
        "isinstance(<any>, Box)",
        "isinstance(<point>, tuple)",
        "<stats> is None",
        "<box> == <box>",
        "<int> in <point>",
        "any(v.has(<int>) for v in BOXES.values())",
        "operator.lt(<num>, <num>)",
        "operator.eq(<any>, <any>)",
        "COMPARES[r['level']](<int>, <num>)",
        "COMPARES.get(<str>, operator.ne)(<num>, <int>)",
        "Code(r['status']) == <int>",
        "Code(r['status']) > <num>",
        "Code.MISSING in <nums>",
        "Level(r['level']) in (Level.LOW, Level.HIGH)",
        "Level(r['level']) is not LEVEL_OF.get(<str>)",
    ),
    "str": (
        "<point>.name",
        "<pair>.left",
        "<stats>.get(<str>)",
        "Longer(unit=<str>).unit",
        "Longer.of(<strs>).first",
        "Options(label=<str>, limit=<small>).text()",
        "str(<point>)",
        "str(<stats>.tags)",
        "'-'.join(v.name for v in POINTS if v.x != <int>)",
        "'%s %s' % <pair>",
        "' '.join(tagged(*<strs>)['parts'])",
        "tagged(<any>, *<strs>)['first']",
        "tagged(<any>, **<counts>)['sep']",
        "F('{(Code(r[\"status\"]))}')",
        "F('{(Code.OK):>5}')",
        "F('{(Level(r[\"level\"]).value)!r}')",
        "str(Code(r['status']))",
        "str(Level.LOW)",
        "'%d' % Code(r['status'])",
        "<str>.translate(LETTERS)",
        "<str>.translate(ONE_BY_ONE).upper()",
        "operator.add(<str>, <str>)",
        "type(<box>).__name__",
    ),
    "strs": (
        "[v.name for v in [<point>, *POINTS]]",
        "[v.left for v in sorted([Pair(w) for w in <strs>])]",
        "[v.left for v in [Pair(w, i) for i, w in enumerate(<strs>)] if v.right]",
        "[str(v) for v in <point>]",
        "sorted([v.name for v in POINTS], key=len)",
        "list(<stats>.by)",
        "[k for k, v in BOXES.items() if v.has(<num>)]",
        "list(tagged(<any>, *<strs>)['parts'])",
        "sorted(<strs>, key=operator.itemgetter(0))",
        "list(map(operator.add, <strs>, <strs>))",
    ),
    "nums": (
        "[v.x for v in (<point>, <point>)]",
        "sorted([Point(v) for v in <nums>], key=operator.attrgetter('x'))[0][:1]",
        "list(<pair>)",
        "<stats>.tags",
        "[*<point>]",
        "[Code.OK, Code(r['status'])]",
    ),
    "counts": (
        "<stats>.by",
        "dict(**<counts>)",
        "dict(<counts>, **<counts>)",
        "dict(<counts>, a=<int>)",
        "{v.name: v.x for v in POINTS}",
        "<point>._asdict()",
    ),
    "dict": (
        "asdict(<stats>)",
        "asdict(<box>)",
        "<point>._asdict()",
        "<pair>._asdict()",
        "{'p': <point>, 'all': [<pair>, Code.OK]}",
        "tagged(*<strs>, sep=<str>)",
        "tagged(<any>, **{'a': <any>})",
        "tagged(<any>, **<counts>)",
        "dict(<dict>, **<dict>)",
        "{'level': Level(r['level']), 'code': Code(r['status'])}",
        "{'box': <box>}",
    ),
    "any": (
        "<point>",
        "<pair>",
        "<stats>",
        "<box>",
        "[<box>, <stats>]",
        "{'s': <stats>, 'b': [<box>]}",
        "astuple(<stats>)",
        "astuple(<box>)",
        "<point>.x",
        "<pair>.left",
        "<box>.high",
        "[<point>, <any>]",
        "Level(r['level'])",
        "Code(r['status'])",
        "LEVEL_OF.get(r['level'])",
        "LEVEL_OF.get(<str>, Level.HIGH)",
        "Level.LOW if <bool> else Level.HIGH",
        "[Code.OK, {'c': Level[<str>]}]",
        "operator.itemgetter('id')(r)",
        "operator.getitem(<strs>, <small>)",
    ),
}
INSTANCES: Final = {
    kind: (*_INSTANCES.get(kind, ()), *plain.PLAIN_INSTANCES.get(kind, ()))
    for kind in (*_INSTANCES, "tally", "money")
}
"""As RELATIVES in functions.py."""

INSTANCE_STATEMENTS: Final[tuple[str, ...]] = (
    "v = <stats>\nfor w in <nums>: v.add(w)\nN = [str(v.high), str(v.count)]",
    "v = Stats(tags=<strs>)\nw = v\nw.tags.append(<str>)\nw.count += <int>\nN = v.tags + [str(v)]",
    "v = <stats>\nv.tags, v.count = <strs>, <int>\nv.high = v.count\nN = v.tags",
    "v = <stats>\nv.tags += <strs>\nv.by[<str>] = <any>\nN = [*v.tags, *v.by]",
    "v = <stats>\nv.note(<str>, <str>)\nv.note(<str>, a=<int>)\nN = list(v.by)",
    "v = <stats>\nv.note(*<strs>)\nv.note(**<counts>)\nN = list(v.by)",
    "v = <box>\nw = replace(v, high=<num>)\nN = [str(v.high), str(w.high)]",
    "v = <point>\nw = v._replace(x=<int>)\nN = [str(v.x), str(w.x), w.name]",
    "v, w, *_ = <point>\nN = [str(v), str(w)]",
    "v, w = <pair>\nN = [str(v), str(w)]",
    "v = <box> if <bool> else <point>\nN = [str(v.low if isinstance(v, Box) else v.x)]",
    "v = <box> if <bool> else <stats>\nN = [str(v.high)]",
    "v = {}\nfor w in <strs>:\n    v.setdefault(w[:1], Stats()).add(len(w))\n"
    "N = [str(v['a'].count)]",
    "v = defaultdict(Stats)\nfor w in <strs>:\n    v[w].add(1)\nN = list(v)",
    "v = [Pair(str(w), <int>) for w in <nums>]\nv.sort(key=lambda w: (w.left, w.right))\n"
    "N = [w.left for w in v]",
    "v = {Point(w, 1): w for w in <strs>}\nN = [v[Point(w, 1)] for w in <strs>]",
    "v = {(w, len(w)) for w in <strs>}\nN = [w for w in <strs> if Pair(w, 3) in v]",
    "v = asdict(<stats>)\nv['tags'].append(<any>)\nv['new'] = <int>\nN = [str(v['tags']), *v]",
    "v = <stats>\nw = asdict(v)\nv.tags.append(<int>)\nN = [str(w['tags']), str(v.tags)]",
    "v = <stats>\nw = replace(v)\nw.tags.append(<int>)\nw.count = 9\n"
    "N = [str(v.tags), str(v.count)]",
    "v = Point(r['meta'], <int>)\nv.x['new'] = <any>\nN = list(r['meta'])",
    "v = Stats(by=r['meta'])\nr['meta']['new'] = <any>\nN = list(v.by)",
    "v = Box([r['tags']])\nr['tags'].append(<str>)\nN = v.low[0]",
    "for v in (<point>, <box>, <stats>, <any>):\n  match v:\n    case Point(x=0) | Point(1):"
    " N = ['on']\n    case Point(y=w) if w: N = [str(w)]\n    case Box(low=w): N = [str(w)]\n"
    "    case Stats(count=1, tags=[w]): N = [str(w)]\n    case _: N = ['other']",
    "match <pair>:\n  case Pair(str() as v, w): N = [v]\n  case (v, 1): N = ['one']\n"
    "  case _: N = []",
    "match <stats>:\n  case Longer(unit=v): N = [v]\n  case Stats(high=v): N = [str(v)]",
    "v = <stats>\ntry: v.add(<any>)\nexcept TypeError: v.count = -1\nN = [str(v.count)]",
    "def w(v): return v._replace(x=<int>) if v.x else v\nN = [str(w(<point>).x)]",
    "v = Stats()\ndef w(x): v.add(x)\nw(<int>)\nw(<num>)\nN = [str(v.tags)]",
    "v = dict(<counts>)\nN = ['{a} {b!r:>4}'.format(**v)]",
    "v = dict(<counts>)\nv.update(a=<int>, b=<any>)\nv.update(<counts>, k=<int>)\nN = list(v)",
    "v = LEVEL_OF.get(<str>)\nr['new'] = v\nN = ['none' if v is None else v.value]",
    "v = Code(r['status'])\nr['code'] = v\nN = [v.name] if v >= 300 else [str(v + 1)]",
    "v = [Options(label=w) for w in <strs>]\nN = [w.label for w in v if w.box.has(<int>)]",
    *plain.PLAIN_STATEMENTS,
    "v = [<box>, <box>]\nv.sort(key=lambda w: w.low)\nr['boxes'] = v\nN = [str(len(v))]",
)
"""As STATEMENTS in functions.py."""

_FAILING_EXPRESSIONS: Final[dict[str, tuple[str, ...]]] = {
    "int": (
        "Point(<any>, <int>).total",
        "Point(<int>).moved(<int>, twice=<bool>).x",
        "Point(name=<str>, x=<int>).x",
        "Point(*<list>).y",
        "Point(<any>, **<dict>).x",
        "Stats(<int>).add(<int>).high",
        "Stats(tags=<list>, count=<int>).mean",
        "Stats.of(<list>).count",
        "Box(<int>, <int>).wider(<int>).high",
        "replace(Box(<any>), low=<int>).low",
        "Pair(<any>, <int>)._replace(right=<int>)[<int>]",
        "both(*<list>)",
        "both(<int>, *<list>)",
        "both(**<dict>)",
        "both(<int>, **{'second': <int>})",
        "operator.add(<int>, <int>)",
        "operator.floordiv(<int>, <int>)",
        "sum(N.x for N in [Point(<int>), Point(<any>)])",
    ),
    "str": (
        "Point(<any>, name=<str>).name",
        "Longer.of(<list>).first",
        "Options(limit=<int>, label=<str>).text()",
        "tagged(<any>, *<list>)['sep']",
        "tagged(<any>, **<dict>)['sep']",
        "Level(<str>).value",
        "LEVEL_OF[<str>].name",
        "<str>.translate(LETTERS)",
    ),
    "list": (
        "[*Pair(<any>, <any>)]",
        "astuple(Box(<any>, <any>))",
        "sorted([Point(N, <any>) for N in <list>])",
        "[N.left for N in [Pair(O, <any>) for O in <list>]]",
        "Stats(tags=<list>).add(<any>).tags",
        "tagged(*<list>)['parts']",
    ),
    "dict": (
        "Point(<any>, <any>)._asdict()",
        "asdict(Stats(<any>, <int>, <list>))",
        "asdict(Checked(<int>, most=<any>))",
        "{'b': Box(<any>, <any>).wider(<int>)}",
        "dict(<dict>, **<dict>)",
        "dict(**<dict>)",
    ),
    "bool": (
        "Box(<any>, <int>).has(<int>)",
        "Point(<any>) == (<any>, 0, 'p')",
        "Pair(<any>, <int>) < Pair(<any>, <int>)",
        "isinstance(Point(<any>), Point)",
        "operator.lt(<any>, <int>)",
        "COMPARES[<str>](<int>, <any>)",
        "Code(<int>) > <int>",
    ),
}
FAILING_EXPRESSIONS: Final = {
    kind: (*parts, *plain.PLAIN_FAILING_EXPRESSIONS.get(kind, ()))
    for kind, parts in _FAILING_EXPRESSIONS.items()
}
"""As EXPRESSIONS in failing_parts.py."""

FAILING_STATEMENTS: Final[tuple[str, ...]] = (
    "N = Stats(<any>)\nN.count += <int>\nout['n'] = N.count",
    "N = Stats(<any>)\nN.add(<any>)\nout['n'] = N.tags",
    "N = Stats()\nN.high, N.count = <any>, <int>\nout['n'] = [N.high]",
    "N = Stats()\nN.tags[<int>] = <any>\nout['n'] = N.tags",
    "N = Stats()\nout['n'] = N\nN.high = <any>\nN.by[<str>] = <any>",
    "N, O = Pair(<any>, <any>)\nout['n'] = [O, N]",
    "N = Box(<any>, <any>)\nout['n'] = N.has(<int>)",
    "N = Box(<any>)\nN.low = <int>",
    "N = [Point(O) for O in <list>]\nout['n'] = max(N, key=lambda O: O.x).x",
    "N = Point(<any>)\nmatch N:\n    case Point(0): out['n'] = <any>\n"
    "    case Point(x=O) if <bool>: out['n'] = O",
    *plain.PLAIN_FAILING_STATEMENTS,
    "out.update(**<dict>)",
    "out.update(<dict>, **{'k': <any>})",
)
"""As STATEMENTS in failing_parts.py."""
