"""Random series of operations on lists, dicts and sets of compiled processors, and their cost."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.compiled.oracle import same

Record = dict[str, Any]


def change_dict(r: Record) -> Any:
    d: dict[Any, Any] = {}
    found = []
    for operation, key, value in r["script"]:
        if operation == 0:
            d[key] = value
        elif operation == 1:
            found.append(d.pop(key, "none"))
        elif operation == 2:
            found.append(d.get(key))
        elif operation == 3:
            found.append([key in d, key in d, len(d)])
        elif operation == 4:
            found.append(d.setdefault(key, value))
        elif operation == 5 and d:
            found.append(d.popitem())
        elif operation == 6 and key in d:
            del d[key]
        elif operation == 7:
            d.update({key: value, "more": key})
        elif operation == 8:
            d = {**d, key: value} if value else d.copy()
        elif operation == 9 and value == 0:
            d.clear()
    return {"d": [[key, value] for key, value in d.items()], "found": found}


def change_list(r: Record) -> Any:
    x: list[Any] = []
    found = []
    for operation, index, value in r["script"]:
        try:
            if operation == 0:
                x.append(value)
            elif operation == 1:
                x.insert(index, value)
            elif operation == 2:
                found.append(x.pop(index))
            elif operation == 3:
                x[index] = value
            elif operation == 4:
                found.append([x[index], value in x, x[index:value], x[value:index:-1], x[::value]])
            elif operation == 5:
                del x[index]
            elif operation == 6:
                x.remove(value)
            elif operation == 7:
                x.extend([index, value])
                x.reverse()
            elif operation == 8:
                x.sort(reverse=value > 0)
            elif operation == 9:
                found.append([x == [index, value], x < [index, value], x[:index] + x[index:] == x])
        except IndexError:
            found.append("IndexError")
        except ValueError:
            found.append("ValueError")
    return {"x": x, "found": found}


def change_set(r: Record) -> Any:
    s: set[Any] = set()
    t = {0, "a"}
    found = []
    for operation, key, value in r["script"]:
        if operation < 3:
            s.add(key)
        elif operation == 3:
            s.discard(key)
        elif operation == 4 and key in s:
            s.remove(key)
        elif operation == 5:
            t = {key, value} | t
        elif operation == 6:
            s = s & t if value == 0 else s | t
        elif operation == 7:
            s = s - t if value == 0 else s ^ t
        elif operation == 8:
            s.update([key, value])
        elif operation == 9 and value == 0:
            s.clear()
        found.append([len(s), len(t), key in s, value in t, s == t, s.issubset(t), bool(s)])
    return {"found": found}


@pytest.mark.parametrize("function", [change_dict, change_list, change_set])
@pytest.mark.parametrize("weights", [(1,) * 10, (30, 3, 1, 1, 3, 0, 3, 1, 0, 0)])
def test_scripts(function: Callable[[Record], Any], weights: tuple[int, ...]) -> None:
    rng = random.Random(1)
    keys: dict[Any, list[Any]] = {
        change_dict: [0, 1, 1.0, 2**60, 0.5, "a", "b", "é", "", None, True, *map(str, range(60))],
        change_list: [-3, -2, -1, 0, 1, 2, 3, 9],
        change_set: [0, 1, 1.0, "a", "b", "é", *range(50)],
    }
    records = []
    for _ in range(100):
        script = [
            [
                rng.choices(range(10), weights)[0],
                rng.choice(keys[function]),
                rng.choice([0, 1, 2, -1]),
            ]
            for _ in range(rng.choice([5, 20, 100]))
        ]
        records.append({"script": script})
    assert same(function, records) == 0


def test_keys_that_collide_do_not_cost_more_than_the_fuel() -> None:
    def count(r: Record) -> Any:
        counts: dict[str, int] = {}
        for key in r["keys"]:
            counts[key] = counts.get(key, 0) + 1
        return {"n": len(counts)}

    assert same(count, [{"keys": [f"key {i}" for i in range(20_000)]}]) == 0


def test_endless_growth_is_given_back() -> None:
    def grow(r: Record) -> Any:
        x = [0]
        for number in x:
            if number == r["stop"]:
                break
            x.append(number + 1)
        return {"n": len(x)}

    assert same(grow, [{"stop": 10}, {"stop": 1000}]) == 0
    assert same(grow, [{"stop": 1_000_000}]) == 1


def test_a_list_with_many_items() -> None:
    def many(r: Record) -> Any:
        x = [i * 7919 % 10007 for i in range(r["n"])]
        return {"sum": sum(x), "first": sorted(x)[:3], "back": sorted(x, reverse=True)[:3]}

    assert same(many, [{"n": n} for n in (0, 1, 7, 8, 9, 16, 17, 100, 1000, 5000)]) == 0
