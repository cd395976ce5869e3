"""Functions of records as people write them, by theme, with templates of their records."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["CASES", "THEMES", "Case"]

THEMES: Final = (
    *("logs", "orders", "sensors", "privacy", "routing", "web", "times", "events", "cloud"),
    *("fanout", "reshaping", "typed", "beyond"),
)


@dataclass(frozen=True)
class Case:
    """A function with a template of its records, as `tests.compiled.making` makes them."""

    theme: str
    function: Callable[..., Any]
    template: Any

    @property
    def name(self) -> str:
        return self.function.__name__


def _cases(theme: str) -> list[Case]:
    module = importlib.import_module(f"tests.compiled.corpus.{theme}")
    return [Case(theme, function, template) for function, template in module.RECORDS]


CASES: Final = [case for theme in THEMES for case in _cases(theme)]
