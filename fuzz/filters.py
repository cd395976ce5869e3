"""Choosing filters from the bytes of an input."""

from __future__ import annotations

from typing import Any

from fuzz.choices import Choices
from fuzz.grammar import NAMES, TEXTS

__all__ = ["wanted"]

NUMBERS = [
    *(0, 1, -1, 2, 0.5, -0.0, 1e3, 1000, 0.1, 0.3, 1e22, 1e308, 5e-324, 10**400, -(10**400)),
    *(2**53, 2**53 + 1, float(2**53), 2**63 - 1, 2**63, float(2**63), -(2**63), -(2**63) - 1),
    *(2**64 - 1, 2**64, -(2.0**63), 123456789012345678, 123456789012345678.5),
]
SCALARS: list[Any] = [None, True, False, *NUMBERS, *TEXTS, "\ud800"]
ORDERED: list[Any] = [*NUMBERS, *TEXTS]


def wanted(choices: Choices) -> dict[str, Any]:
    """Choose a filter."""
    chosen: dict[str, Any] = {}
    for _ in range(choices.number(4)):
        path = ".".join(choices.pick(NAMES) for _ in range(1 + choices.number(3) // 2))
        match choices.number(7):
            case 0 | 1:
                chosen[path] = choices.pick(SCALARS)
            case 2:
                chosen[path] = [choices.pick(SCALARS) for _ in range(1 + choices.number(3))]
            case 3:
                chosen[path] = {"ne": choices.pick(SCALARS)}
            case 4:
                chosen[path] = {"prefix": choices.pick(TEXTS)}
            case 5:
                chosen[path] = {"exists": choices.number(2) == 1}
            case 6:
                chosen[path] = {
                    choices.pick(["gt", "gte", "lt", "lte"]): choices.pick(ORDERED)
                    for _ in range(1 + choices.number(2))
                }
    return chosen
