"""Compiled processors: instances of dataclasses and NamedTuples that a function makes and keeps."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any, Final, NamedTuple

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled.oracle import same

Record = dict[str, Any]


class Point(NamedTuple):
    x: Any
    y: float = 0
    name: str = "p"

    @property
    def total(self) -> Any:
        return self.x + self.y

    def moved(self, by: float, *, twice: bool = False) -> Point:
        return Point(self.x + (2 * by if twice else by), self.y, self.name)

    @classmethod
    def of(cls, record: Record) -> Point:
        return cls(record["x"], record.get("y", 1))

    @staticmethod
    def half(value: float) -> float:
        return value / 2


Pair = namedtuple("Pair", "count index")


@dataclass
class Stats:
    high: float
    count: int = 0
    tags: Any = field(default_factory=list)
    scale = 3

    def add(self, value: float) -> Stats:
        self.count += 1
        self.high = max(self.high, value)
        self.tags.append(value)
        return self

    def get(self, key: str) -> str:
        return f"own {key}"

    @property
    def mean(self) -> float:
        return float(sum(self.tags) / self.count)


@dataclass(frozen=True, slots=True)
class Box:
    low: float
    high: float

    def has(self, value: float) -> bool:
        return self.low <= value < self.high


@dataclass
class Ledger:
    """Methods with the names of those of lists, sets and dicts, but with other parameters."""

    lines: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, name: str, price: float, count: int) -> float:
        self.seen.add(name)
        self.lines.append(f"{name}: {price * count}")
        return price * count

    def append(self) -> int:
        self.lines.append("end")
        return len(self.lines)

    def update(self, first: str, *, second: str = "b") -> None:
        self.seen.update({first, second})


@dataclass(kw_only=True)
class Options:
    x: int = 1
    y: float = 2


@dataclass
class Checked:
    x: Any
    y: Any = None
    tags: Any = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.x is None:
            raise ValueError("no x")
        self.x = abs(self.x)
        self.tags.append(self.x)


@dataclass
class CheckedMore(Checked):
    z: Any = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.y = self.x * self.z


@dataclass
class Shape:
    width: Any
    label: str = "shape"

    def area(self, scale: float = 1) -> Any:
        return self.width * scale

    def described(self) -> str:
        return f"{self.label}: {self.area()}"


@dataclass
class Square(Shape):
    height: Any = 2

    def area(self, scale: float = 1) -> Any:
        return super().area(scale) * self.height

    def described(self) -> str:
        return super().described().upper()


@dataclass
class Cube(Square):
    depth: Any = 3

    def area(self, scale: float = 1) -> Any:
        return super().area(scale=scale) * self.depth


class Truthy(NamedTuple):
    x: int

    def __bool__(self) -> bool:
        return self.x > 3


BOXES: Final = {"low": Box(0, 2), "high": Box(2, 10)}
PLACES = (Point(1, 2, "a"), Point(3, 4, "b"))
UNIT = Box(0, 1)

RECORDS: list[Any] = [
    {"x": 1, "y": 2.5, "xs": [3, 1, 2], "d": {"x": 1}, "s": "low"},
    {"x": -4, "xs": [], "d": {"x": 5, "y": 6}, "s": "high"},
    {"x": 1, "y": 0, "xs": [1.5, 1.5, -2], "d": {"x": 1, "name": "q"}, "s": "é"},
    {"x": 2**70, "y": 1, "xs": [2**63 - 1, 1], "d": {"z": 1}, "s": "low"},
    {"x": "a", "y": "b", "xs": ["b", "a"], "d": [], "s": 1},
    {"x": None, "y": None, "xs": [None, 1], "d": {}, "s": "x"},
    {"x": [1], "y": [2], "xs": [[1], [2]], "d": {"x": [1], "y": [2]}, "s": "high"},
    {"x": {"k": [1]}, "y": 1, "xs": [{"k": 1}], "d": {"x": {}, "y": 1}, "s": ""},
    {},
]


def fields(r: Record) -> Record:
    p = Point(r["x"], r.get("y", 3))
    return {"x": p.x, "y": p.y, "name": p.name, "sum": p.total, "count": Pair(1, p.y).count}


def as_tuple(r: Record) -> Record:
    p = Point(r["x"], 5)
    x, *rest = p
    return {
        "x": x,
        "rest": rest,
        "n": len(p),
        "last": p[-1],
        "in": 5 in p,
        "same": p == (x, 5, "p"),
    }


def methods(r: Record) -> Record:
    p = Point.of(r).moved(1).moved(by=0.5, twice=True)
    return {"x": p.x, "y": p.y, "half": Point.half(p.x), "other": p.half(3)}


def items(r: Record) -> Record:
    points = [Point(x, i) for i, x in enumerate(r["xs"])]
    points.sort(key=lambda p: (p.x, -p.y))
    best = max(points, key=lambda p: p.total, default=None)
    return {
        "best": best.y if best is not None else None,
        "order": [p.y for p in points],
        "sum": sum(p.total for p in points),
        "by": {p.y: p.x for p in sorted(points, key=lambda p: p.y)},
    }


def accumulates(r: Record) -> Record:
    stats = Stats(high=0)
    other = stats
    for x in r["xs"]:
        stats.add(x)
    other.count += 10
    return {"count": stats.count, "high": stats.high, "tags": stats.tags, "scale": stats.scale}


def of_property(r: Record) -> Record:
    stats = Stats(1).add(r["x"]).add(2)
    return {"mean": stats.mean, "get": stats.get("a"), "native": r.get("s")}


def constants(r: Record) -> list[str]:
    found = [name for name, box in BOXES.items() if box.has(r["x"])]
    if UNIT.has(r["x"]):
        found.append("unit")
    return [*found, *(p.name for p in PLACES if p.x < r["x"]), str(BOXES[r["s"]].high)]


def as_dicts(r: Record) -> Record:
    stats = Stats(r["x"], tags=r["xs"])
    found = asdict(stats) | {"more": 1}
    stats.tags = [0]
    return {"stats": found, "point": Point(r["x"])._asdict(), "after": stats.tags}


def replaced(r: Record) -> Record:
    p = Point(r["x"])
    q = p._replace(y=r["x"], name="q")
    box = replace(UNIT, high=r["x"])
    return {"p": [p.x, p.y, p.name], "q": [q.x, q.y, q.name], "box": box.high, "unit": UNIT.high}


def copied_whole(r: Record) -> Record:
    stats = Stats(1, tags=r["xs"])
    copy = replace(stats)
    copy.count = 9
    p = Point(r["x"])._replace()
    return {
        "counts": [stats.count, copy.count],
        "tags": copy.tags,
        "p": p.y,
        "u": replace(UNIT).high,
    }


def copied_wrongly(r: Record) -> Record:
    things: list[Any] = [Stats(1), Point(0), UNIT, r]
    return {"copy": str(replace(things[r["x"]]).high)}


def replaced_wrongly(r: Record) -> Record:
    things: list[Any] = [Stats(1), Point(0), UNIT, r]
    return {"copy": things[r["x"]]._replace(y=2).y}


def starred(r: Record) -> Record:
    p = Point(*r["xs"])
    q = Point(0, **r["d"]) if "x" not in r["d"] else Point(**r["d"])
    return {"p": p.y, "q": [q.x, q.y, q.name], "o": Options(**r["d"]).y}


def starred_function(r: Record) -> Record:
    def area(low: float, high: float, scale: int = 1) -> float:
        return (high - low) * scale

    return {"a": area(*r["xs"]), "b": area(0, *r["xs"][:2]), "c": area(1, **{"high": r["x"]})}


def formatted(r: Record) -> Record:
    return {
        "text": "{x}: {s!r:>6}".format(**r),
        "made": dict(r["d"], **r["d"]),
        "y": dict(**r)["y"],
    }


def matched(r: Record) -> Iterator[Record]:
    for shape in (Point(r["x"], 0), Point(1, r["x"]), Box(r["x"], 1), r["x"]):
        match shape:
            case Point(x, 0, name="p"):
                yield {"on": x}
            case Point(y=y) if y:
                yield {"y": y}
            case Box(low=low):
                yield {"low": low}
            case _:
                yield {"other": isinstance(shape, Point), "box": isinstance(shape, Box)}


def changes_record(r: Record) -> Record:
    stats = Stats(0, tags=r["d"])
    r["d"]["new"] = 1
    stats.tags["more"] = 2
    return {"r": r, "tags": stats.tags}


def holds_record(r: Record) -> Record:
    p = Point(r["d"])
    p.x["new"] = [1]
    r["y"] = p.x
    return r


def in_functions(r: Record) -> Record:
    def tree(depth: int) -> Point:
        if depth == 0:
            return Point(r["x"])
        inner = tree(depth - 1)
        return inner._replace(y=inner.y + depth)

    return {"y": tree(3).y, "seen": len({Point(1), Point(1, 0), (1, 0, "p")})}


def caught(r: Record) -> Record:
    try:
        p = Point(r["x"]).moved(r["y"])
    except (KeyError, TypeError):
        return {"error": r.get("x")}
    return {"x": p.x}


def written(r: Record) -> Any:
    box = Box(r["x"], 1)
    if r.get("s") == "low":
        return box
    return [{"box": box, "all": [box, UNIT]}, Stats(1, tags=[box, r.get("xs")])]


def own_methods(r: Record) -> Record:
    ledger = Ledger()
    total = ledger.add(f"{r.get('s')}", 2.5, 2) + ledger.add("a", 1, 2)
    ledger.update("a")
    ledger.update("c", second="d")
    return {"total": total, "end": ledger.append(), "lines": ledger.lines, "n": len(ledger.seen)}


def test_methods_with_names_of_others_give_nothing_back() -> None:
    assert same(own_methods, RECORDS) == 0


def checks(r: Record) -> Record:
    try:
        p = Checked(r["x"])
        q = CheckedMore(r["x"], tags=[r.get("y")])
    except (ValueError, TypeError):
        return {"x": None}
    return {"x": p.x, "y": [p.y, q.y], "tags": [p.tags, q.tags], "q": asdict(q)}


def supers(r: Record) -> Record:
    shapes = [Shape(r["x"]), Square(r["x"], "square"), Cube(r["x"]), Cube(2, depth=r.get("y"))]
    return {"areas": [each.area() for each in shapes], "text": [e.described() for e in shapes[:3]]}


def as_tuples(r: Record) -> Record:
    shape = Square(r["x"], height=[Shape(r.get("s")), r["xs"]])
    found = astuple(shape)
    r["xs"].append(1)
    return {"found": found, "n": len(found), "box": [astuple(UNIT), r["xs"]]}


def whole_tuple(r: Record) -> Record:
    return {"p": Point(r["x"]), "all": [Pair(each, 1e16) for each in r["xs"]], "nested": PLACES}


def test_classes_with_bases_give_nothing_back() -> None:
    usual = [{"x": -2, "y": 2.5, "xs": [1], "s": "low"}, {"x": 3, "xs": [], "s": "é"}]
    for function in (checks, supers, as_tuples, whole_tuple):
        assert same(function, usual[:1]) == 0


CASES = [
    *(checks, supers, as_tuples, whole_tuple),
    *(fields, as_tuple, methods, items, accumulates, of_property, constants, as_dicts, replaced),
    *(copied_whole, copied_wrongly, replaced_wrongly),
    *(starred, starred_function, formatted, matched, changes_record, in_functions, caught),
    written,
]


@pytest.mark.parametrize("function", CASES, ids=lambda each: each.__name__)
def test_same(function: Any) -> None:
    given_back = same(function, RECORDS)
    assert given_back < len(RECORDS), "it should not give every record back"


def replaced_checks(r: Record) -> Record:
    return {"y": replace(CheckedMore(r["x"]), z=5).y}


def text_of_tuple(r: Record) -> Record:
    return {"text": f"{Point(r['x'])} {[Point(1)]} {UNIT}"}


def compares_instances(r: Record) -> Record:
    return {"same": Box(r["x"], 1) == Box(r["x"], 1), "in": Box(1, 2) in [Box(1, 2)]}


def assigns_fixed(r: Record) -> Record:
    box = Box(1, 2)
    box.low = r["x"]  # type: ignore[misc]
    return {"low": box.low}


def no_such_field(r: Record) -> Record:
    shape = Point(1) if r.get("x") == 1 else Box(1, 2)
    return {"name": shape.name, "low": shape.low}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "function",
    [
        holds_record,
        text_of_tuple,
        compares_instances,
        assigns_fixed,
        no_such_field,
    ],
    ids=lambda each: each.__name__,
)
def test_what_is_given_back(function: Any) -> None:
    same(function, RECORDS)


def truthy(r: Record) -> Record:
    p = Truthy(r["x"])
    return {"x": 1 if p else 2}


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (replaced_checks, "a changed copy of an instance with __post_init__"),
        (truthy, "an instance of Truthy, which is more than its fields"),
    ],
)
def test_not_compiled(function: Any, reason: str) -> None:
    result = compile_processor(function)
    assert isinstance(result, NotCompiled)
    assert result.construct == reason
