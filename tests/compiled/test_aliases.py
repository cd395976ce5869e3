"""Compiled processors: objects that several variables or containers have in common."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.snippets import function_with

RECORDS = [
    {"a": {"k": 1}, "l": [{"q": 2}, {}], "s": "x"},
    {"s": "", "l": [{}], "a": {}},
]


def identity(value: Any) -> Any:
    return value


def wrapped(value: Any) -> Any:
    return [value]


def set_in(value: Any) -> None:
    value["n"] = 1


GLOBALS = {"identity": identity, "wrapped": wrapped, "set_in": set_in}

KEPT = [
    "[r]",
    "(r, 1)",
    "{'m': r}",
    "{'m': {'n': r}}",
    "[r['a']]",
    "{'m': r['a']}",
    "{'m': {'k': r['a']}}",
    "[[r['l']], 1]",
    "[*r['l']]",
    "{**r}",
    "{} | r",
    "[] + r['l']",
    "r['l'] * 2",
    "r['l'][:1]",
    "[x for x in r['l']]",
    "[{'k': x} for x in r['l']]",
    "{k: x for k, x in r.items()}",
    "[x for x in r.values()]",
    "r if r['a'] else {}",
    "r['a'] or {}",
    "{'q': 1}.get('z', r)",
    "{'q': 1}.get('z', r['a'])",
    "r.get('a')",
    "identity(r)",
    "identity(r['a'])",
    "wrapped(r)",
    "wrapped(r['a'])",
    "(lambda x: [x])(r)",
    "[(lambda x: x)(e) for e in [r]]",
    "[k for k in r.items()]",
]
"""Expressions with the record in their values, or a part of it."""

CHANGES = [
    "r['n'] = 1",
    "del r['s']",
    "r.pop('a')",
    "r['a']['n'] = 1",
    "set_in(r)",
    "set_in(r['a'])",
    "r['l'].append(1)",
    "r['l'][0]['n'] = 1",
    "for x in r['l']:\n    x['n'] = 1",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_shows_in_what_was_made_before(change: str) -> None:
    for kept in KEPT:
        same(function_with(f"v = {kept}\n{change}\nreturn {{'v': v}}", **GLOBALS), RECORDS)


BODIES = [
    "v = r.items()\nr['n'] = 1\nreturn {'v': [k for k, _ in v]}",
    "v = r['a'].items()\nr['a']['n'] = 1\nreturn {'v': [k for k, _ in v]}",
    "v = w = r\nr['n'] = 1\nreturn {'v': v, 'w': w}",
    "v, *w = [r, 1, 2]\nr['n'] = 1\nreturn {'v': v, 'w': w}",
    "for x in [r]:\n    pass\nr['n'] = 1\nreturn x",
    "match r:\n    case x:\n        pass\nr['n'] = 1\nreturn {'v': x}",
    "match r:\n    case {'a': x}:\n        r['a']['n'] = 1\n        return {'v': x}",
    "match [r, 1]:\n    case [x, y]:\n        pass\nr['n'] = y\nreturn {'v': x}",
    "if (v := r):\n    r['n'] = 1\nreturn {'v': v}",
    "if (v := r['a']):\n    r['a']['n'] = 1\nreturn {'v': v}",
    "while True:\n    v = {'m': r}\n    break\nr['n'] = 1\nreturn v",
    "r = r or {}\nv = {'m': r}\nr['n'] = 1\nreturn v",
    "v = r\nr = {'z': r}\nv['n'] = 1\nreturn r",
    "def g():\n    r['n'] = 1\nv = {'m': r}\ng()\nreturn {'v': v}",
    "try:\n    x = r\n    z = r['zz']\nexcept KeyError:\n    r['n'] = 1\nreturn {'v': x}",
    "v = None\nfor i in [1, 2]:\n    if v is None:\n        v = {'m': r}\n    r['n'] = i\nreturn v",
    "v = {'m': r['a']}\nv['m']['n'] = 1\nreturn {'v': v, 'r': r}",
    "v = [{'x': r['a']}]\nfor e in v:\n    e['x']['n'] = 1\nreturn {'v': v, 'r': r}",
    "v = {'x': r['a'], 'y': r['a'].pop('k', 0)}\nreturn {'v': v}",
    "r['b'] = r['a']\nr['b']['n'] = 1\nreturn r",
    "x = [1]\ny = [x, x]\ny[0].append(2)\nreturn {'y': y}",
]


@pytest.mark.parametrize("body", BODIES)
def test_names_for_the_same_object(body: str) -> None:
    same(function_with(body, **GLOBALS), RECORDS)


def test_a_copy_of_a_plain_value_keeps_the_record_compiled() -> None:
    """Variables may hold values without parts when the record is changed."""
    body = (
        "name = r['s'].upper() + '!'\nn = len(r['l'])\nr['a']['name'] = name\nr['n'] = n\nreturn r"
    )
    assert same(function_with(body), RECORDS) == 0
