"""Every use of internals of re: its parser and the parsed patterns.

If a release of Python lacks one of them, functions with regular expressions stay interpreted.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import platform
import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

__all__ = ["compiled", "missing", "operations", "parsed"]

_OPERATIONS = (
    "ANY",
    "ASSERT",
    "ASSERT_NOT",
    "AT",
    "ATOMIC_GROUP",
    "BRANCH",
    "CATEGORY",
    "FAILURE",
    "GROUPREF",
    "GROUPREF_EXISTS",
    "IN",
    "LITERAL",
    "MAXREPEAT",
    "MAX_REPEAT",
    "MIN_REPEAT",
    "NEGATE",
    "NOT_LITERAL",
    "POSSESSIVE_REPEAT",
    "SUBPATTERN",
)


_constants: Any = None
_parser: Any = None
_compiler: Any = None
with contextlib.suppress(ImportError):
    _constants = importlib.import_module("re._constants")
    _parser = importlib.import_module("re._parser")
    _compiler = importlib.import_module("re._compiler")

operations: Any = SimpleNamespace(**{name: getattr(_constants, name, name) for name in _OPERATIONS})
"""re's names for the parts of a pattern."""


def parsed(pattern: str, flags: int) -> Any:
    """Parse a pattern as re does."""
    return _parser.parse(pattern, flags)


def compiled(items: Sequence[Any], flags: int) -> re.Pattern[str]:
    """Return the pattern that consists of these parts of a parsed one."""
    whole = _parser.SubPattern(_parser.State(), list(items))
    pattern: re.Pattern[str] = _compiler.compile(whole, flags)
    return pattern


@functools.cache
def missing() -> str:
    """Say what this release of Python lacks; empty if nothing."""
    release = f"re of Python {platform.python_version()}"
    for name in _OPERATIONS:
        if not hasattr(_constants, name):
            return f"{release} has no {name}"
    try:
        parts = parsed("a(b)+", 0)
        if [op for op, _ in parts] != [operations.LITERAL, operations.MAX_REPEAT]:
            return f"{release} parses patterns differently"
        if parts.state.flags != re.UNICODE or not compiled(parts[:1], 0).fullmatch("a"):
            return f"{release} compiles patterns differently"
    except Exception as error:
        return f"{release} parses patterns differently: {error}"
    return ""
