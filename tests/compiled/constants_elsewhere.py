"""Constants of another module than the processors'."""

from __future__ import annotations

from typing import Final

LIMIT = 5
TABLE = {"a": 1, "b": 2}
NAMES: Final = {"a", "c"}
CHANGED: dict[str, int] = {}


def count(name: str) -> None:
    CHANGED[name] = CHANGED.get(name, 0) + 1
