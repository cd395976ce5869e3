"""Random values and records for compiled processors."""

from __future__ import annotations

import json
import random
from typing import Any

__all__ = ["line_of", "random_text", "random_value"]

_CHARACTERS = 'abcdefgh"\\\n\x00\x1f\x7f/é€\u2028😀 '
_LENGTHS = [0, 1, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 33]


def random_text(rng: random.Random, alphabet: str | None = None) -> str:
    """Return a text, plain or with all that has to be escaped or is beyond ASCII."""
    alphabet = alphabet or rng.choice(["abcdef", "ab", _CHARACTERS])
    return "".join(rng.choices(alphabet, k=rng.choice(_LENGTHS)))


def random_number(rng: random.Random) -> float:
    """Return an integer or a float, often one that is equal to others."""
    return rng.choice(
        [
            rng.randrange(-3, 4),
            rng.randrange(-3, 4),
            float(rng.randrange(-3, 4)),
            rng.randrange(-(10**6), 10**6),
            rng.randrange(-(2**63), 2**63),
            round(rng.uniform(-100, 100), 2),
            rng.random(),
            -0.0,
            1e300,
            5e-324,
            2.0**53,
        ]
    )


def random_value(rng: random.Random, depth: int = 0) -> Any:
    """Return a JSON value."""
    kind = rng.randrange(10 if depth < 4 else 7)
    if kind == 0:
        return None
    if kind == 1:
        return rng.random() < 0.5
    if kind < 4:
        return random_number(rng)
    if kind < 7:
        return random_text(rng)
    count = rng.choice([0, 1, 2, 3, 9, 20] if depth < 2 else [0, 1, 2])
    if kind == 7:
        return {random_text(rng): random_value(rng, depth + 1) for _ in range(count)}
    if kind == 8:
        if rng.random() < 0.5:
            return [random_number(rng) for _ in range(count)]
        return [random_text(rng) for _ in range(count)]
    return [random_value(rng, depth + 1) for _ in range(count)]


def line_of(rng: random.Random, value: Any) -> str:
    """Write a value as JSON in one of many ways: white space, escapes, equal names."""
    comma, colon = rng.choice([(",", ":"), (", ", ": "), (" ,\t", " : ")])
    if isinstance(value, dict):
        members = [
            json.dumps(name, ensure_ascii=rng.random() < 0.3) + colon + line_of(rng, member)
            for name, member in value.items()
        ]
        if members and rng.random() < 0.1:
            members.append(rng.choice(members))
        return "{" + comma.join(members) + "}"
    if isinstance(value, list):
        return "[" + comma.join(line_of(rng, element) for element in value) + "]"
    return json.dumps(value, ensure_ascii=rng.random() < 0.3)
