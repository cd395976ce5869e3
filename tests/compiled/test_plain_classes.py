"""Compiled processors: instances of classes with an __init__ of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import total_ordering
from typing import Any, Final

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled.oracle import same

Record = dict[str, Any]

RECORDS: list[Any] = [
    {"x": 3, "xs": [1, 2, 5, 0.5], "s": "low", "d": {"a": 1}},
    {"x": 0, "xs": [], "s": "é", "d": {}},
    {"x": -2.5, "xs": [4, 4], "s": "", "d": {"limit": 9, "name": "n"}},
    {"x": "a", "xs": ["b", "a"], "s": "high", "d": {"name": [1]}},
    {"x": None, "xs": [None, 1], "s": None, "d": []},
    {"x": 2**70, "xs": [2**63 - 1, 1], "s": "low", "d": {"limit": "a"}},
    {"x": [1], "xs": [[1], [0]], "s": "low", "d": {"a": 1}},
    {},
]
USUAL: list[Any] = [
    {"x": 3, "xs": [1, 2, 5, 0.5], "s": "low", "d": {"limit": 4}},
    {"x": 1, "xs": [], "s": "z", "d": {"name": "b", "limit": 2}},
]


class Window:
    """A window of samples, as people write it."""

    size = 3
    WEIGHTS: Final = {"low": 0.5, "high": 2}
    kind = "window"

    def __init__(self, limit: Any, name: str = "w", *, strict: bool = False) -> None:
        self.limit = limit
        self.name, self.strict = name, strict
        self.samples: list[Any] = []
        self.best = None

    def add(self, sample: Any) -> Window:
        if self.strict and sample > self.limit:
            raise ValueError("too large")
        self.samples.append(sample)
        self.samples = self.samples[-self.size :]
        if self.best is None or sample > self.best:
            self.best = sample
        return self

    @property
    def mean(self) -> Any:
        return sum(self.samples) / len(self.samples) if self.samples else None

    @property
    def top(self) -> Any:
        return self.best

    @top.setter
    def top(self, value: Any) -> None:
        self.best = value
        self.samples = [value]

    @classmethod
    def of(cls, r: Record) -> Window:
        return cls(r["x"], name=cls.kind)

    @staticmethod
    def half(value: float) -> float:
        return value / 2

    def weight(self, key: Any) -> Any:
        return self.WEIGHTS.get(key, 1) * self.size

    def to_dict(self) -> Record:
        return {"name": self.name, "best": self.best, "mean": self.mean, "n": len(self.samples)}


class Strict(Window):
    kind = "strict"
    size = 2

    def __init__(self, limit: Any, name: str = "s", extra: Any = 1) -> None:
        super().__init__(limit, name, strict=True)
        self.extra = extra

    def weight(self, key: Any) -> Any:
        return super().weight(key) + self.extra


class Counter:
    total = 0
    label: str

    def count(self, n: int = 1) -> None:
        self.total += n

    def named(self, label: Any) -> Counter:
        self.label = label
        return self


class Stack:
    __slots__ = ("__items", "name", "note")

    note: Any

    def __init__(self) -> None:
        self.__items: list[Any] = []
        self.name = "stack"

    def push(self, item: Any) -> None:
        self.__items.append(item)

    def pop(self) -> Any:
        return self.__items.pop()

    def __len__(self) -> int:
        return len(self.__items)


class Under:
    def __init__(self, value: Any) -> None:
        self.__value = value

    def get(self) -> Any:
        return self.__value


class Over(Under):
    def __init__(self, value: Any) -> None:
        super().__init__([value])
        self.__value = value

    def both(self) -> list[Any]:
        return [self.__value, self.get()]


class Money:
    def __init__(self, cents: int, currency: str = "EUR") -> None:
        self.cents = cents
        self.currency = currency

    def __add__(self, other: Any) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.cents + other.cents, self.currency)

    def __mul__(self, count: int) -> Money:
        return Money(self.cents * count, self.currency)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return (self.cents, self.currency) == (other.cents, other.currency)

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: Money) -> bool:
        return self.cents < other.cents

    def __str__(self) -> str:
        return f"{self.cents / 100:.2f} {self.currency}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.cents!r}, {self.currency!r})"


class Node:
    def __init__(self, value: Any, below: Node | None = None) -> None:
        self.value = value
        self.below = below
        self.parts: list[Node] = []

    def depth(self) -> int:
        return 1 if self.below is None else 1 + self.below.depth()


class Rule(ABC):
    def __init__(self, limit: Any) -> None:
        self.limit = limit

    @abstractmethod
    def holds(self, value: Any) -> bool: ...

    def name(self) -> str:
        return self.__class__.__name__.lower()


class Least(Rule):
    def holds(self, value: Any) -> bool:
        return bool(value >= self.limit)


class Most(Rule):
    def holds(self, value: Any) -> bool:
        return bool(value <= self.limit)


@total_ordering
class Version:
    def __init__(self, text: str) -> None:
        self.parts = tuple(int(each) for each in text.split("."))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.parts == other.parts

    def __lt__(self, other: Version) -> bool:
        return self.parts < other.parts

    __hash__ = None  # type: ignore[assignment]


def collects(r: Record) -> Record:
    window = Window(r["x"])
    other = window
    for x in r["xs"]:
        window.add(x)
    other.name = f"{r['s']}!"
    return window.to_dict()


def inherits(r: Record) -> list[Record]:
    strict = Strict.of(r)
    try:
        for x in r["xs"]:
            strict.add(x)
    except ValueError:
        strict.top = 0
    window = Window.of(r).add(1)
    window.top = r["x"]
    return [
        strict.to_dict(),
        window.to_dict(),
        {"w": [strict.weight(r["s"]), window.weight("high"), Window.WEIGHTS["low"]]},
        {"is": [isinstance(strict, Window), isinstance(window, Strict), isinstance(r, Window)]},
        {"half": Window.half(3), "size": [Strict.size, window.size], "e": Strict(1).extra},
    ]


def defaults_of_classes(r: Record) -> Record:
    a, b = Counter(), Counter()
    for x in r["xs"]:
        a.count(x)
    b.count()
    return {"a": a.total, "b": b.total, "class": Counter.total, "l": b.named(r["s"]).label}


def slots(r: Record) -> Record:
    stack = Stack()
    for x in r["xs"]:
        stack.push(x)
    last = stack.pop() if len(stack) else None
    stack.note = r["s"]
    return {"last": last, "n": len(stack), "name": stack.name, "note": stack.note}


def private(r: Record) -> Record:
    return {"v": Over(r["x"]).both(), "w": Over(1).get()}


def amounts(r: Record) -> Record:
    total = Money(0)
    for x in r["xs"]:
        total += Money(x) * 2
    twice = total + total
    return {
        "text": f"{twice} of {total!s:>12}",
        "shown": [str(total), repr(total), f"{twice!r}", str(r["x"])],
        "equal": [total == twice, total != Money(0), total == Money(0, "USD")],
        "less": [total < twice, twice > total],
        "cents": total.cents,
    }


def chained(r: Record) -> Record:
    node = None
    for x in r["xs"]:
        node = Node(x, node)
    found = []
    at = node
    while at is not None:
        found.append(at.value)
        at = at.below
    root = Node("root")
    root.parts.append(Node(r["x"]))
    root.parts[0].parts.append(root)
    root.parts[0].value = r["s"]
    return {"found": found, "part": [each.value for each in root.parts], "truth": bool(root)}


def rules(r: Record) -> Record:
    found = [Least(r["x"]), Most(5)]
    return {
        "holds": {each.name(): [each.holds(x) for x in r["xs"]] for each in found},
        "all": all(each.holds(3) for each in found),
        "best": max(found, key=lambda each: each.limit).name(),
    }


def starred(r: Record) -> Record:
    window = Window(**r["d"])
    strict = Strict(*[r["x"], "s", 2])
    return {"limit": window.limit, "name": window.name, "s": strict.name, "e": strict.extra}


def keeps_parts(r: Record) -> Record:
    node = Node(r["d"])
    node.value["new"] = r["s"]
    r["x"] = [node.value]
    return r


def yields(r: Record) -> Iterator[Record]:
    groups: dict[Any, Window] = {}
    for i, x in enumerate(r["xs"]):
        key = i % 2
        if key not in groups:
            groups[key] = Window(0, name=f"g{key}")
        groups[key].add(x)
    for key, window in groups.items():
        yield {"key": key, **window.to_dict()}


def versions(r: Record) -> Record:
    one, other = Version(f"1.{r['x']}"), Version("1.2")
    return {"less": one < other, "equal": one == other, "most": one >= other}


def nested_counts(r: Record) -> Record:
    node = Node(Counter())
    for _ in r["xs"]:
        node.value.total += 1
        node.parts.append(node)
    return {"n": node.value.total, "parts": len(node.parts)}


def unset(r: Record) -> Record:
    try:
        label = Counter().label
    except AttributeError:
        label = "none"
    return {"label": label, "x": r["x"]}


def as_a_result(r: Record) -> Any:
    return {"node": Node(r["x"])} if r.get("s") == "low" else {"x": r["x"]}


def truth_of_lengths(r: Record) -> Record:
    stack = Stack()
    if r["s"]:
        stack.push(1)
    return {"full": bool(stack), "or": 1 if stack else 2}


def searched(r: Record) -> Record:
    found = [Money(each) for each in r["xs"]]
    return {"in": Money(1) in found, "sorted": [each.cents for each in sorted(found)]}


CASES = [
    *(collects, inherits, defaults_of_classes, slots, private, amounts, rules, chained, starred),
    *(yields, nested_counts),
]
GIVEN_BACK = [keeps_parts, versions, unset, as_a_result, truth_of_lengths, searched]


@pytest.mark.parametrize("function", CASES, ids=lambda each: each.__name__)
def test_same(function: Any) -> None:
    assert same(function, RECORDS) < len(RECORDS), "it should not give every record back"


@pytest.mark.parametrize("function", GIVEN_BACK, ids=lambda each: each.__name__)
def test_what_is_given_back(function: Any) -> None:
    same(function, RECORDS)


@pytest.mark.parametrize(
    "function",
    [*(collects, inherits, defaults_of_classes, slots, private, amounts, chained, rules, yields)],
    ids=lambda each: each.__name__,
)
def test_usual_records_are_not_given_back(function: Any) -> None:
    assert same(function, USUAL) == 0


class Dynamic:
    def __init__(self, x: Any) -> None:
        self.x = x

    def __getattr__(self, name: str) -> Any:
        return name


class Guarded:
    def __init__(self, x: Any) -> None:
        self.x = x

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, [value])


class Descriptor:
    def __set__(self, owner: Any, value: Any) -> None:
        owner.__dict__["x"] = value + 1


class Described:
    x = Descriptor()

    def __init__(self, x: Any) -> None:
        self.x = x


class Meta(type):
    pass


class Made(metaclass=Meta):
    def __init__(self, x: Any) -> None:
        self.x = x


class Items(list[Any]):
    def __init__(self, x: Any) -> None:
        super().__init__([x])
        self.x = x


class New:
    def __new__(cls, x: Any) -> New:
        return super().__new__(cls)

    def __init__(self, x: Any) -> None:
        self.x = x


class Tuned:
    limit = 1
    step = 2

    def more(self) -> None:
        self.step += 1


def tune() -> None:
    Tuned.limit = 2
    Tuned().step = 3


def of_tuned(r: Record) -> Record:
    return {"limit": Tuned.limit + r["x"]}


def of_tuned_instance(r: Record) -> Record:
    tuned = Tuned()
    tuned.more()
    return {"step": tuned.step, "x": r["x"]}


def test_attributes_of_classes_that_are_assigned_elsewhere() -> None:
    assert isinstance(compile_processor(of_tuned), NotCompiled)
    assert same(of_tuned_instance, [{"x": 0}, {"x": 1}]) == 0


def making(kind: type) -> Any:
    def make(r: Record) -> Record:
        return {"x": kind(r["x"]).x}

    return make


@pytest.mark.parametrize("kind", [Dynamic, Guarded, Described, Made, Items, New, Exception])
def test_classes_that_do_not_compile(kind: type) -> None:
    assert isinstance(compile_processor(making(kind)), NotCompiled)


def test_instances_are_no_dataclasses() -> None:
    from dataclasses import asdict, dataclass, replace

    @dataclass
    class Holder:
        part: Any

    def copies(r: Record) -> Record:
        holder = Holder(Counter())
        if r["x"] == 1:
            return {"d": asdict(holder)["part"].total}
        if r["x"] == 2:
            return {"d": asdict(holder.part)}
        if r["x"] == 3:
            return {"d": replace(holder.part, total=1).total}
        return {"d": holder.part.total}

    assert same(copies, [{"x": each} for each in range(5)]) == 3
