"""Lists, dicts, sets and iterators of compiled processors, compared with those of Python."""

# Written in every way that Python has, not in the best one.
# ruff: noqa: RUF005, RUF017, SIM118, SIM300

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.random_values import line_of, random_number, random_text, random_value
from tests.compiled.snippets import function_of

Record = dict[str, Any]

USUAL: list[Record] = [
    {
        "tags": ["b", "a", "c", "a"],
        "numbers": [3, 1, 2, 1],
        "floats": [2.5, 0.1, 0.2, 1e16],
        "mixed": [1, 2.5, True, 0.1],
        "pairs": [["x", 1], ["y", 2], ["x", 3]],
        "items": [
            {"name": "one", "price": 2.5, "count": 2},
            {"name": "two", "price": 1.25, "count": 4},
            {"name": "é", "price": 10, "count": 0},
        ],
        "address": {"city": "Köln", "zip": "50667", "floor": None},
        "text": "naïve text",
        "plain": "plain text",
        "n": 2,
    },
    {
        "tags": [],
        "numbers": [],
        "floats": [],
        "mixed": [],
        "pairs": [],
        "items": [],
        "address": {},
        "text": "",
        "plain": "",
        "n": 0,
    },
]


# ---------------------------------------------------------------- functions that all compile


def indices(r: Record) -> Any:
    last = r["tags"][-1] if r["tags"] else None
    return {
        "first": r["tags"][0] if len(r["tags"]) > 0 else None,
        "last": last,
        "letters": [r["text"][:1], r["text"][-1:], r["plain"][2:5], r["text"][1:4]],
        "character": r["plain"][r["n"]] if r["plain"] else "",
        "wide": r["text"][r["n"]] if r["text"] else "",
    }


def slices(r: Record) -> Any:
    x = r["numbers"]
    return {
        "s": [x[1:], x[:2], x[-2:], x[:-1], x[::2], x[::-1], x[3:0:-2], x[5:], x[-9:9]],
        "t": [r["plain"][::2], r["plain"][::-1], r["plain"][-4:], r["plain"][:-5]],
        "u": [r["text"][2:], r["text"][:3], r["text"][-4:-1], r["text"][9:1]],
    }


def list_methods(r: Record) -> Any:
    x = list(r["numbers"])
    x.append(7)
    x.extend(r["tags"])
    x.insert(1, "in")
    x.insert(-1, "at -1")
    x.insert(99, "end")
    x.remove("end")
    x.reverse()
    popped = x.pop()
    first = x.pop(0)
    y = x.copy()
    y.clear()
    return {"x": x, "y": y, "popped": popped, "first": first, "n": len(x)}


def slice_targets(r: Record) -> Any:
    x, y, z = list(r["numbers"]), list(r["plain"]), [0, 1, 2, 3]
    x[1:2] = r["tags"]
    x[:0] = (7, 8)
    x[99:] = r["address"]
    x[-1:-3] = "at"
    y[2:-2] = ""
    y[r["n"] :] = y
    z[3:1] = z
    del z[1:3], y[:1], y[-2:]
    z[::] = z[::-1]
    r["tags"][1:] = [z]
    del r["mixed"][:2]
    caught = []
    try:
        x[1:2] = r["n"]
    except TypeError:
        caught.append("items")
    try:
        x[r["plain"] :] = []
    except TypeError:
        caught.append("bounds")
    return {"x": x, "y": y, "z": z, "tags": r["tags"], "mixed": r["mixed"], "caught": caught}


def list_operators(r: Record) -> Any:
    x = r["tags"] + ["z"]
    x += r["numbers"]
    return {"x": x, "twice": x * 2, "none": x * 0, "t": (1, 2) + (3,), "u": 2 * [0] * len(x)}


def counting(r: Record) -> Any:
    counts: dict[str, int] = {}
    for tag in r["tags"]:
        counts[tag] = counts.get(tag, 0) + 1
    return {"counts": counts, "most": max(counts.values(), default=0)}


def grouping(r: Record) -> Any:
    groups: dict[str, list[Any]] = {}
    for name, value in r["pairs"]:
        groups.setdefault(name, []).append(value)
    return {"groups": groups, "names": list(groups), "sizes": [len(g) for g in groups.values()]}


def dict_methods(r: Record) -> Any:
    d = dict(r["address"])
    city = d.pop("city", "nowhere")
    gone = d.pop("gone", None)
    d.update({"a": 1, "zip": "0"})
    d["b"] = 2
    del d["a"]
    e = d.copy()
    e.clear()
    last = d.popitem()
    return {
        "d": d,
        "e": e,
        "city": city,
        "gone": gone,
        "last": list(last),
        "keys": list(d.keys()),
        "items": [[k, v] for k, v in d.items()],
        "has": ["zip" in d, "b" in d, "zip" in d.keys(), d.get("zip"), d.get("b"), d.get("b", 9)],
    }


def merging(r: Record) -> Any:
    return {
        "merged": {**r["address"], "city": "Bonn", "new": 1},
        "union": dict(r["address"]) | {"zip": 1},
        "keys": dict.fromkeys(r["tags"]),
        "pairs": dict(r["pairs"]),
        "chosen": {k: v for k, v in r["address"].items() if v is not None},
        "inverted": {str(v): k for k, v in r["address"].items()},
    }


def sets(r: Record) -> Any:
    seen = set()
    for tag in r["tags"]:
        seen.add(tag)
    seen.discard("zzz")
    wanted = {"a", "q"}
    return {
        "n": len(seen),
        "sorted": sorted(seen),
        "both": sorted(seen & wanted),
        "any": sorted(seen | wanted),
        "less": sorted(seen - wanted),
        "one": sorted(seen ^ wanted),
        "named": [
            sorted(seen.union(r["tags"])),
            sorted(wanted.intersection(r["tags"])),
            sorted(seen.difference(["a"])),
            wanted.issubset(seen),
            seen.issuperset(r["tags"]),
            seen.isdisjoint(r["numbers"]),
        ],
        "in": "a" in seen,
        "out": "a" not in seen,
        "unique": len(set(r["numbers"])),
        "least": min(set(r["numbers"]), default=None),
        "equal": set(r["tags"]) == seen,
    }


REQUIRED = frozenset({"city", "zip"})


def set_operators(r: Record) -> Any:
    address = r["address"]
    tags = set(r["tags"])
    tags |= {"more"}
    tags.update(["x", "y"], {"z": 1}, "ab")
    settings: dict[str, Any] = {"a": 1}
    settings |= {"b": r["n"], "a": 2}
    settings |= r["pairs"]
    settings["list"] = settings.get("list", [])
    settings["list"] += r["tags"]
    return {
        "missing": sorted(REQUIRED - address.keys()),
        "extra": sorted(address.keys() - REQUIRED),
        "both": sorted(address.keys() & REQUIRED),
        "all": sorted(REQUIRED | address.keys()),
        "one": sorted(address.keys() ^ REQUIRED),
        "complete": [REQUIRED <= address.keys(), address.keys() >= REQUIRED],
        "order": [tags < {"a"}, tags <= tags, tags > {"a"}, {"a", "b"} >= tags, tags == REQUIRED],
        "keys": [address.keys() == {"city", "zip", "floor"}, address.keys() == address.keys()],
        "frozen": [isinstance(REQUIRED, set), isinstance(tags, set), frozenset(tags) == tags],
        "single": [list({r["n"]}), list({1} & {True}), list({1.0, 2} - {2})],
        "several": [
            sorted(tags.union(r["tags"], ["x"], address)),
            sorted(tags.intersection(r["tags"], {"a", "b"})),
            sorted(tags.difference(["a"], {"b": 1}, "c")),
            tags.union() == tags,
        ],
        "settings": settings,
        "tags": sorted(tags),
    }


def sums(r: Record) -> Any:
    return {
        "i": sum(r["numbers"]),
        "f": sum(r["floats"]),
        "m": sum(r["mixed"]) if r["n"] == 0 else sum([0.5, 1, 2]),
        "from": sum(r["numbers"], 10),
        "total": sum(i["price"] * i["count"] for i in r["items"]),
        "least": min(r["numbers"], default=None),
        "most": max(r["floats"], default=0),
        "of": [min(1, 2.0), max(1, 1.0), max(3, 1, 2), min("b", "a")],
        "any": any(r["numbers"]),
        "all": all(r["tags"]),
        "over": any(i["price"] > 5 for i in r["items"]),
        "each": all(i["count"] > 0 for i in r["items"]),
        "lists": sum(r["pairs"], []),
        "nothing": [sum([]), sum([], 1.5), min([1], default=3), sum([True, True])],
    }


def sorting(r: Record) -> Any:
    x = list(r["numbers"])
    x.sort()
    y = list(r["tags"])
    y.sort(reverse=True)
    return {
        "x": x,
        "y": y,
        "s": sorted(r["floats"]),
        "r": sorted(r["tags"], reverse=True),
        "p": sorted(r["pairs"]),
        "k": [i["name"] for i in sorted(r["items"], key=lambda i: i["price"])],
        "l": sorted(r["tags"], key=len),
        "b": list(reversed(r["tags"])),
        "d": "".join(reversed(r["text"])),
        "e": list(reversed(range(1, 10, 4))),
    }


def iterating(r: Record) -> Any:
    found: list[Any] = []
    for i, tag in enumerate(r["tags"]):
        found.append([i, tag])
    for i, tag in enumerate(r["tags"], start=5):
        found.append([i, tag])
    for tag, number in zip(r["tags"], r["numbers"]):  # noqa: B905
        found.append([tag, number])
    for i in range(3):
        found.append(i)
    for i in range(10, 0, -4):
        found.append(i)
    for character in r["text"]:
        found.append(character)
    for key in r["address"]:
        found.append(key)
    for value in r["address"].values():
        found.append(value)
    for (name, value), c in zip(r["pairs"], r["pairs"], strict=True):
        found.append((name, value, c))
    return {"found": found, "tuple": tuple(r["tags"]), "list": list(r["text"])}


def lists_that_grow(r: Record) -> Any:
    x = list(r["numbers"])
    for number in x:
        if len(x) < 9:
            x.append(number + 1)
    y = [1, 2, 3, 4, 5]
    for number in y:
        if number % 2:
            y.remove(number)
    y.extend(y)
    y += y
    return {"x": x, "y": y}


def unpacking(r: Record) -> Any:
    a: Any = 1
    b: Any = 2
    a, b = b, a
    results = [a, b]
    for name, value in r["pairs"]:
        results += [value, name]
    if r["pairs"]:
        c, *d = r["pairs"][0]
        results += [c, *d]
    first, second = "ab"
    return {"results": results, "letters": [second, first]}


def nested_containers(r: Record) -> Any:
    keys = {(1, "a"): "tuple", 1.0: "float", None: "none", "s": "str"}
    return {
        "keys": [keys[(True, "a")], keys[1], keys[True], keys[None], keys.get("t", "no")],
        "depth": [[[r["pairs"]]], {"a": {"b": [r["address"]]}}],
        "index": r["items"][0]["name"] if r["items"] else None,
        "where": [1, 2, 3].index(2),
        "count": ["a", "b", "a"].count("a"),
        "range": [3 in range(5), 3 in range(0, 9, 2), 2.0 in range(5), r["plain"] in range(3)],
    }


def searching(r: Record) -> Any:
    return {
        "in": ["a" in r["tags"], 1 in r["numbers"], 1.0 in r["numbers"], None in r["tags"]],
        "lists": [["x", 1] in r["pairs"], ["x", 2] in r["pairs"], "q" not in r["tags"]],
        "members": ["city" in r["address"], "q" in r["address"], r["n"] in r["address"]],
        "text": ["text" in r["text"], "ï" in r["text"], "" in r["text"], r["plain"] in r["text"]],
        "values": ["Köln" in r["address"].values(), ("zip", "50667") in r["address"].items()],
        "tuple": r["n"] in (1, 2, 3),
        "set": r["n"] in {1, 2, 3},
    }


def exceptions(r: Record) -> Any:
    caught = []
    try:
        caught.append(r["tags"][99])
    except IndexError:
        caught.append("index")
    try:
        caught.append({"a": 1}["b"])
    except KeyError:
        caught.append("key")
    try:
        x = list(r["numbers"])
        x.remove("nothing")
    except ValueError:
        caught.append("value")
    try:
        caught.append(len(r["n"]))
    except TypeError:
        caught.append("type")
    try:
        caught.append(r["n"]["x"])
    except TypeError:
        caught.append("subscript")
    try:
        caught.append(max(list(r["numbers"])[:0]))
    except ValueError:
        caught.append("empty")
    try:
        caught.append({}.popitem())
    except KeyError:
        caught.append("popitem")
    try:
        caught.append([].pop())
    except IndexError:
        caught.append("pop")
    try:
        a, b = list("abc")
        caught.append(a + b)
    except ValueError:
        caught.append("unpack")
    try:
        for each in r["n"]:
            caught.append(each)
    except TypeError:
        caught.append("iterate")
    try:
        caught.append({[1]: 2})
    except TypeError:
        caught.append("hash")
    try:
        caught.append(sorted([1, "a"]))
    except TypeError:
        caught.append("sort")
    return {"caught": caught}


FUNCTIONS: list[Callable[[Record], Any]] = [
    indices,
    slices,
    list_methods,
    slice_targets,
    list_operators,
    counting,
    grouping,
    dict_methods,
    merging,
    sets,
    set_operators,
    sums,
    sorting,
    iterating,
    lists_that_grow,
    unpacking,
    nested_containers,
    searching,
    exceptions,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_usual_records_are_not_given_back(function: Callable[[Record], Any]) -> None:
    assert same(function, USUAL * 3) == 0


def steps(r: Record) -> Any:
    x = list(range(8))
    x[::2] = r["four"]
    del x[1::3]
    return {"x": x}


def test_slice_targets_with_steps_are_given_back() -> None:
    assert same(steps, [{"four": [1, 2, 3, 4]}, {"four": [1]}, {"four": None}]) == 3


def tuples(r: Record) -> Any:
    x: Any = tuple(r["tags"]) if r["n"] else r["text"]
    x[1:] = []
    return {"x": x}


def test_slice_targets_of_what_is_no_list_are_given_back() -> None:
    assert same(tuples, USUAL) == 2


@pytest.mark.one_in(3)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_random_records(function: Callable[[Record], Any]) -> None:
    rng = random.Random(function.__name__)
    records = []
    for _ in range(150):
        record = {}
        for name, value in rng.choice(USUAL).items():
            if rng.random() < 0.8:
                record[name] = like(rng, value)
            else:
                record[name] = random_value(rng)
        records.append(line_of(rng, record))
    same(function, records)


def like(rng: random.Random, value: Any) -> Any:
    """Return a random value that is of the same kind."""
    if isinstance(value, str):
        return random_text(rng)
    if isinstance(value, dict):
        names = [*value, *(random_text(rng) for _ in range(rng.choice([0, 1, 9])))]
        return {name: like(rng, value.get(name, 1)) for name in names}
    if isinstance(value, list):
        example = rng.choice(value) if value else "a"
        return [like(rng, example) for _ in range(rng.choice([0, 1, 2, 3, 5, 10, 40]))]
    if isinstance(value, int | float):
        return random_number(rng)
    return value


def test_displays_beyond_the_constants_that_have_registers_of_their_own() -> None:
    many = ", ".join(map(str, range(17_000)))
    function = function_of(
        f"[sum([a, {many}]), [a, 'x', b], f'{{a}}-{{b}}', 'a-b'.replace('-', a)]", "ab"
    )
    assert same(function, [{"a": 1, "b": 2}, {"a": "c", "b": None}, {"a": 1.5, "b": []}]) == 0
