"""The statuses of operations that stand for an exception; see fst_status in vm/values.h."""

from __future__ import annotations

import binascii
import json

__all__ = ["CAUGHT", "RAISED"]

RAISED: dict[type, int] = {
    KeyError: 1,
    IndexError: 2,
    ValueError: 3,
    TypeError: 4,
    AttributeError: 5,
    ZeroDivisionError: 6,
}
"""Exceptions that a function may raise itself."""

CAUGHT = RAISED | {
    json.JSONDecodeError: 7,
    UnicodeDecodeError: 8,
    UnicodeEncodeError: 9,
    binascii.Error: 10,
}
"""Exceptions that a function may catch; the others are raised by functions of the runtime."""
