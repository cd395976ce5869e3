"""Values of the module decimal, for compiled processors.

The module takes long to import, and there are no such values before somebody else has done it.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["is_decimal", "is_decimal_class", "is_usual_context", "parts_of"]

_MOST_DIGITS = 28
_LARGEST_EXPONENT = 6000  # The same as in vm/decimals.h.
_EXPONENT_OF_PYTHON = 999999


def is_decimal_class(value: Any) -> bool:
    module = sys.modules.get("decimal")
    return module is not None and value is module.Decimal


def is_decimal(value: Any) -> bool:
    """Whether a value is a decimal that programs can have."""
    if not is_decimal_class(type(value)) or not value.is_finite():
        return False
    _, digits, exponent = value.as_tuple()
    return len(digits) <= _MOST_DIGITS and abs(exponent) <= _LARGEST_EXPONENT


def parts_of(value: Any) -> tuple[bool, int, int]:
    """Return whether a decimal is negative, its coefficient and its exponent."""
    sign, digits, exponent = value.as_tuple()
    return sign == 1, int("".join(map(str, digits))), exponent


def is_usual_context() -> bool:
    """Whether decimals are computed in this thread as Python does by default."""
    module = sys.modules.get("decimal")
    if module is None:
        return True
    context = module.getcontext()
    numbers = (context.prec, context.Emin, context.Emax, context.capitals, context.clamp)
    trapped = {signal for signal, is_trapped in context.traps.items() if is_trapped}
    return (
        numbers == (_MOST_DIGITS, -_EXPONENT_OF_PYTHON, _EXPONENT_OF_PYTHON, 1, 0)
        and context.rounding == module.ROUND_HALF_EVEN
        and trapped == {module.InvalidOperation, module.DivisionByZero, module.Overflow}
    )
