"""Functions with classes of their own, as people write them who think in objects."""

from abc import ABC, abstractmethod
from typing import Final

from tests.compiled.making import (
    integer,
    maybe,
    name,
    number,
    one_of,
    seconds,
    several,
    text,
    word,
)


class Item:
    def __init__(self, sku, price, quantity=1):
        self.sku = sku
        self.price = price
        self.quantity = quantity

    @property
    def total(self):
        return self.price * self.quantity


class Cart:
    DISCOUNTS: Final = {"gold": 0.1, "silver": 0.05}
    free_shipping_from = 50

    def __init__(self, owner, tier=None):
        self.owner = owner
        self.tier = tier
        self.items = []
        self._coupons = set()

    def add(self, item):
        self.items.append(item)

    def redeem(self, code):
        self._coupons.add(code.upper())

    @property
    def subtotal(self):
        return sum(item.total for item in self.items)

    def total(self):
        rate = self.DISCOUNTS.get(self.tier, 0) + 0.01 * len(self._coupons)
        return round(self.subtotal * (1 - rate), 2)

    def shipping(self):
        return 0 if self.total() >= self.free_shipping_from else 4.9

    def to_dict(self):
        return {
            "owner": self.owner,
            "items": [{"sku": item.sku, "total": item.total} for item in self.items],
            "total": self.total(),
            "shipping": self.shipping(),
        }


def checkout(order: dict):
    cart = Cart(order["customer"], order.get("tier"))
    for line in order["lines"]:
        cart.add(Item(line["sku"], line["price"], line.get("quantity", 1)))
    for code in order.get("coupons", []):
        cart.redeem(code)
    if not cart.items:
        return None
    return cart.to_dict()


class Check(ABC):
    def __init__(self, field):
        self.field = field

    @abstractmethod
    def problem(self, value): ...

    def run(self, record):
        if self.field not in record:
            return f"{self.field}: missing"
        problem = self.problem(record[self.field])
        return f"{self.field}: {problem}" if problem else None


class InRange(Check):
    def __init__(self, field, low, high):
        super().__init__(field)
        self.low = low
        self.high = high

    def problem(self, value):
        if value < self.low:
            return f"below {self.low}"
        if value > self.high:
            return f"above {self.high}"
        return None


class OneOf(Check):
    def __init__(self, field, *options):
        super().__init__(field)
        self.options = options

    def problem(self, value):
        return None if value in self.options else f"{value} is not known"


def plausible_reading(reading: dict):
    checks = [InRange("temperature", -40, 85), InRange("humidity", 0, 100), OneOf("unit", "C", "F")]
    problems = [problem for check in checks if (problem := check.run(reading))]
    return {"sensor": reading["sensor"], "ok": not problems, "problems": problems}


class RunningStats:
    def __init__(self):
        self.count = 0
        self.mean = 0.0
        self.m2 = 0.0
        self.low = None
        self.high = None

    def push(self, value):
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self.m2 += delta * (value - self.mean)
        self.low = value if self.low is None else min(self.low, value)
        self.high = value if self.high is None else max(self.high, value)

    @property
    def variance(self):
        return self.m2 / (self.count - 1) if self.count > 1 else 0.0


def statistics(batch: dict):
    by_sensor = {}
    for sample in batch["samples"]:
        stats = by_sensor.setdefault(sample["sensor"], RunningStats())
        stats.push(sample["value"])
    for sensor, stats in sorted(by_sensor.items()):
        yield {
            "sensor": sensor,
            "count": stats.count,
            "mean": round(stats.mean, 3),
            "variance": round(stats.variance, 3),
            "range": [stats.low, stats.high],
        }


class Version:
    def __init__(self, text):
        parts = text.lstrip("v").split(".")
        self.major = int(parts[0])
        self.minor = int(parts[1]) if len(parts) > 1 else 0

    def __eq__(self, other):
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other):
        return self._key() < other._key()

    def __str__(self):
        return f"{self.major}.{self.minor}"

    def _key(self):
        return (self.major, self.minor)


def upgrade(host: dict):
    installed = Version(host["installed"])
    wanted = Version(host.get("wanted", "2.0"))
    if installed == wanted:
        return None
    action = "upgrade" if installed < wanted else "downgrade"
    return {"host": host["host"], "action": f"{action} {installed} to {wanted}"}


class State:
    INITIAL = "new"
    STEPS: Final = {
        ("new", "pay"): "paid",
        ("paid", "ship"): "shipped",
        ("shipped", "deliver"): "done",
        ("new", "cancel"): "cancelled",
        ("paid", "cancel"): "refunded",
    }

    def __init__(self, order_id):
        self.order_id = order_id
        self.name = self.INITIAL
        self.history = [self.INITIAL]
        self.rejected = 0

    def apply(self, event):
        following = self.STEPS.get((self.name, event["type"]))
        if following is None:
            self.rejected += 1
            return False
        self.name = following
        self.history.append(f"{following}@{event['at']}")
        return True


def lifecycle(order: dict):
    state = State(order["id"])
    applied = [event["type"] for event in order["events"] if state.apply(event)]
    return {
        "id": state.order_id,
        "state": state.name,
        "history": state.history,
        "applied": applied,
        "rejected": state.rejected,
    }


class Token:
    def __init__(self, kind, text):
        self.kind = kind
        self.text = text

    def __repr__(self):
        return f"{self.__class__.__name__}({self.kind!r}, {self.text!r})"


class Tokenizer:
    def __init__(self, source):
        self.words = source.split()
        self.position = 0

    def next(self):
        if self.position >= len(self.words):
            return None
        word = self.words[self.position]
        self.position += 1
        return Token("long" if len(word) > 6 else "short", word)


def tokens(message: dict):
    tokenizer = Tokenizer(message["text"])
    found = []
    while (token := tokenizer.next()) is not None:
        found.append(token)
    return {
        "long": [token.text for token in found if token.kind == "long"],
        "first": repr(found[0]) if found else None,
        "count": tokenizer.position,
    }


RECORDS = [
    (
        checkout,
        {
            "customer": name,
            "tier": maybe(one_of("gold", "silver", "none")),
            "lines": several(
                {"sku": word, "price": number(1, 60), "quantity": maybe(integer(1, 4))}, 0, 4
            ),
            "coupons": maybe(several(word, 0, 2)),
        },
    ),
    (
        plausible_reading,
        {
            "sensor": word,
            "temperature": maybe(number(-60, 100), 0.9),
            "humidity": integer(-5, 110),
            "unit": one_of("C", "F", "K"),
        },
    ),
    (
        statistics,
        {"samples": several({"sensor": one_of("a", "b", "c"), "value": number(-5, 40)}, 0, 8)},
    ),
    (
        upgrade,
        {
            "host": word,
            "installed": one_of("1.4", "v2.0", "3", "2.10"),
            "wanted": maybe(one_of("2.0", "v2.2")),
        },
    ),
    (
        lifecycle,
        {
            "id": integer(1, 999),
            "events": several(
                {"type": one_of("pay", "ship", "deliver", "cancel"), "at": seconds}, 0, 5
            ),
        },
    ),
    (tokens, {"text": text(0, 8)}),
]
