"""Functions of records as people write them, by theme, with templates of their records."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["CASES", "COMPILED", "THEMES", "Case"]

THEMES: Final = (
    *("logs", "orders", "sensors", "privacy", "routing", "web", "times", "events", "cloud"),
    *("fanout", "reshaping", "typed", "hashing", "payloads", "urls", "money", "validating"),
    *("operations", "pipelines", "analysis", "cleaning", "commerce", "products", "classes"),
    *("everyday", "amounts", "rollups"),
)


@dataclass(frozen=True)
class Case:
    """A function with a template of its records, as `tests.compiled.making` makes them.

    Attributes:
        theme: the module that it is in.
        function: as a user writes it.
        template: of its records.
        is_compiled: whether it has to compile, and gives no usual record back.
    """

    theme: str
    function: Callable[..., Any]
    template: Any
    is_compiled: bool

    @property
    def name(self) -> str:
        return self.function.__name__


def _cases(theme: str) -> list[Case]:
    module = importlib.import_module(f"tests.compiled.corpus.{theme}")
    interpreted = getattr(module, "INTERPRETED", ())
    return [
        Case(theme, function, template, function not in interpreted)
        for function, template in module.RECORDS
    ]


CASES: Final = [case for theme in THEMES for case in _cases(theme)]
COMPILED: Final = [case for case in CASES if case.is_compiled]
