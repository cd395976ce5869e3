"""The order in which a function evaluates, which shows where several things may fail."""

from __future__ import annotations

import re
from datetime import date
from itertools import dropwhile, groupby, takewhile
from operator import itemgetter
from typing import Any

import pytest

from tests.compiled.oracle import same

XS: list[Any] = ["text", 1, None, [1], {"k": 1}, {}]
YS: list[Any] = ["k", 1, 2**40, 2**70, True, None, [], {"a": 1}]
RECORDS: list[Any] = [{"x": x, "y": y} for x in XS for y in YS]
RECORDS += [{"x": "text"}, {"x": 1}, {"x": []}, {"y": 1}, {}]


def method(r: dict[str, Any]) -> Any:
    try:
        return {"n": r["x"].count(r["y"])}
    except KeyError:
        return {"key": True}
    except AttributeError:
        return {"attribute": True}


def default(r: dict[str, Any]) -> Any:
    try:
        return {"n": r["x"].get("k", r["y"] + 1)}
    except TypeError:
        return {"type": True}
    except (KeyError, AttributeError):
        return {"other": True}


def changes(r: dict[str, Any]) -> Any:
    made: Any = [1] if "x" in r else {"k": 1}
    try:
        made.append(r["y"]["a"])
    except KeyError:
        return {"key": True}
    except TypeError:
        return {"type": True}
    return {"made": made}


def nested(r: dict[str, Any]) -> Any:
    try:
        return {"n": r["x"].count("a".join(r["y"])), "m": r["x"].index(len(r["y"]))}
    except TypeError:
        return {"type": True}


def item(r: dict[str, Any]) -> Any:
    made: dict[str, Any] = {}
    try:
        made[r["x"]["k"]] = r["y"] + 1
    except KeyError:
        return {"key": True}
    except TypeError:
        return {"type": True}
    return made


def format_of(r: dict[str, Any]) -> Any:
    try:
        return {"text": "{a:<4}|{b}".format(a=r, b=r["y"])}
    except TypeError:
        return {"type": True}


def generator(r: dict[str, Any]) -> Any:
    try:
        return {"n": max((r["x"]["k"] for _ in "a"), default=r["y"])}
    except TypeError:
        return {"type": True}


def total(r: dict[str, Any]) -> Any:
    try:
        return {"n": sum((each + 1 for each in r["x"]), r["y"])}
    except TypeError:
        return {"type": True}


def alternating(r: dict[str, Any]) -> Any:
    try:
        return {"n": sum(r[name] for name in ("y", "x", "z"))}
    except KeyError:
        return {"key": True}


def first_key(value: Any) -> Any:
    return value["k"]


def mapped(r: dict[str, Any]) -> Any:
    try:
        return {"n": sum(map(first_key, [{"k": r["y"]}, {"k": 1}, r["x"]]))}
    except KeyError:
        return {"key": True}


def best(r: dict[str, Any]) -> Any:
    try:
        return {"n": max(r["x"], key=lambda each: each["k"], default=r["y"] + 1)}
    except TypeError:
        return {"type": True}
    except KeyError:
        return {"key": True}


def keywords(r: dict[str, Any]) -> Any:
    try:
        return {"n": date(day=r["x"]["k"], month=r["y"] + 1, year=2024).day}
    except KeyError:
        return {"key": True}
    except TypeError:
        return {"type": True}


def reverse(r: dict[str, Any]) -> Any:
    try:
        return sorted(r["x"], key=lambda each: each["k"], reverse=r["y"] + 1)
    except TypeError:
        return {"type": True}
    except KeyError:
        return {"key": True}


def reverse_of_another_type(r: dict[str, Any]) -> Any:
    items = ["b", "a"]
    items.sort(key=len, reverse=r["y"])
    return items


def reverse_without_key(r: dict[str, Any]) -> Any:
    items = ["b", "a"]
    items.sort(reverse=r["y"])
    return [items, sorted(items, reverse=r["y"])]


def first_of(r: dict[str, Any]) -> Any:
    try:
        return {"n": next((each["k"] for each in r["x"]), r["y"]["a"])}
    except TypeError:
        return {"type": True}
    except KeyError:
        return {"key": True}


def key_without_items(r: dict[str, Any]) -> Any:
    items: list[Any] = []
    if "x" not in r:
        return sorted(items, key=itemgetter(r["z"]))
    return items


def formatted_late(r: dict[str, Any]) -> Any:
    found: Any = None
    if "x" not in r:
        return "{b}{a}".format(a=(found := r["y"]), b=found)
    return found


def assigned_late(r: dict[str, Any]) -> Any:
    found: Any = 0
    if "x" not in r:
        return [max((found for _ in "a"), default=(found := r["y"])), found]
    return found


def assigned_in_a_generator(r: dict[str, Any]) -> Any:
    found: Any = None
    if r:
        try:
            return {"n": max(((found := key) for key in r), default=r["y"] + 1)}
        except TypeError:
            return {"found": found}
    return found


def assigned_in_a_condition(r: dict[str, Any]) -> Any:
    found: Any = None
    kept = [key for key in r if (found := r[key])]
    return {"kept": kept, "found": found}


def returned_past_finally(r: dict[str, Any]) -> Any:
    done = 0
    try:
        yield {"x": r["x"]}
        if r["y"] == 1:
            return done
        done = 1
    finally:
        done += 1
    yield {"done": done}


def with_a_generator_in_it(r: dict[str, Any]) -> Any:
    def keys() -> Any:
        yield from r

    return list(r) if "x" in r else [keys]


_PATTERN = re.compile("k")


def limits_of_a_search(r: dict[str, Any]) -> Any:
    try:
        return bool(_PATTERN.search(r["x"], r["y"])), bool(_PATTERN.match(r["x"], 0, r["y"]))
    except ArithmeticError:
        return {"large": True}
    except TypeError:
        return {"type": True}


class Shelf:
    """Has methods of the names of built-in ones."""

    def __init__(self, kept: Any) -> None:
        self.kept = kept

    def get(self, key: Any) -> Any:
        return [self.kept, key]

    def count(self, item: Any) -> Any:
        return {"kept": self.kept, "item": item}


def method_of_a_class_or_not(r: dict[str, Any]) -> Any:
    shelf: Any = Shelf(1) if "x" not in r else r["x"]
    try:
        return {"found": shelf.get(r["y"]), "n": shelf.count(r["y"])}
    except KeyError:
        return {"key": True}
    except AttributeError:
        return {"attribute": True}
    except TypeError:
        return {"type": True}


def method_of_a_constant(r: dict[str, Any]) -> Any:
    shelf: Any = Shelf(1)
    try:
        return {"found": "text".get(shelf.count(r["y"]["a"]))}  # type: ignore[attr-defined]
    except (KeyError, TypeError):
        return {"argument": True}
    except AttributeError:
        return {"attribute": True}


def keys_of_a_method(r: dict[str, Any]) -> Any:
    x, y = r["x"], r["y"]
    return {"sorted": sorted(y, key=x.get), "best": max(y, key=x.get, default=None)}


def sorted_in_place_by_a_method(r: dict[str, Any]) -> Any:
    x, ys = r["x"], list(r["y"])
    ys.sort(key=x.count)
    return {"ys": ys}


def grouped_by_a_method(r: dict[str, Any]) -> Any:
    x = r["x"]
    return {"groups": [[key, list(group)] for key, group in groupby(r["y"], key=x.get)]}


def mapped_by_a_method(r: dict[str, Any]) -> Any:
    x = r["x"]
    try:
        return {"mapped": list(map(x.count, r["y"]))}
    except AttributeError:
        return {"attribute": True}


def filtered_by_a_method(r: dict[str, Any]) -> Any:
    x, y = r["x"], r["y"]
    return {
        "filtered": list(filter(x.startswith, y)),
        "taken": list(takewhile(x.startswith, y)),
        "dropped": list(dropwhile(x.startswith, y)),
    }


def asked_by_a_method(r: dict[str, Any]) -> Any:
    x = r["x"]
    return {"any": any(map(x.startswith, r["y"]))}


def by_a_method_of_a_constant(r: dict[str, Any]) -> Any:
    return {"sorted": sorted(r["y"], key=(1).get)}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "function",
    [
        by_a_method_of_a_constant,
        keys_of_a_method,
        sorted_in_place_by_a_method,
        grouped_by_a_method,
        mapped_by_a_method,
        filtered_by_a_method,
        asked_by_a_method,
        method_of_a_class_or_not,
        method_of_a_constant,
        limits_of_a_search,
        keywords,
        reverse,
        reverse_of_another_type,
        reverse_without_key,
        first_of,
        key_without_items,
        formatted_late,
        assigned_late,
        assigned_in_a_generator,
        assigned_in_a_condition,
        returned_past_finally,
        with_a_generator_in_it,
        method,
        default,
        changes,
        nested,
        item,
        format_of,
        generator,
        total,
        alternating,
        mapped,
        best,
    ],
)
def test_order_of_evaluation(function: Any) -> None:
    same(function, RECORDS)
