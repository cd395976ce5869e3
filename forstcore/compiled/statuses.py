"""The statuses of operations that stand for an exception; see fst_status in vm/values.h."""

from __future__ import annotations

import binascii
import json
import sys

__all__ = ["NAMES", "RAISED", "caught"]

RAISED: dict[type, int] = {
    KeyError: 1,
    IndexError: 2,
    ValueError: 3,
    TypeError: 4,
    AttributeError: 5,
    ZeroDivisionError: 6,
}
"""Exceptions that a function may raise itself."""

_CAUGHT = RAISED | {
    json.JSONDecodeError: 7,
    UnicodeDecodeError: 8,
    UnicodeEncodeError: 9,
    binascii.Error: 10,
}

_DECIMAL_ERROR = 11  # Of a module that takes long to import.

NAMES = {number: kind.__name__ for kind, number in _CAUGHT.items()} | {
    _DECIMAL_ERROR: "InvalidOperation"
}


def caught() -> dict[type, int]:
    """Return the exceptions that a function may catch; most are raised by the runtime only."""
    decimal = sys.modules.get("decimal")
    return _CAUGHT if decimal is None else _CAUGHT | {decimal.InvalidOperation: _DECIMAL_ERROR}
