"""Fuzzing of the compiled code: targets that check one input, and the driver for libFuzzer."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final

__all__ = ["TARGETS", "target"]

TARGETS: Final = ("stream", "records", "native", "shapes", "chunked", "frames")


def target(name: str) -> Callable[[bytes], None]:
    """Return the function that checks one input; it raises an exception for a finding.

    Args:
        name: one of `TARGETS`.
    """
    check: Callable[[bytes], None] = importlib.import_module(f"fuzz.targets.{name}").check
    return check
