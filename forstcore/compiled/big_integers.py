"""Powers of two beyond 64 bits, by which digests are divided."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

__all__ = ["power_beyond_integers"]

_MOST_BITS = 1000  # Floats end at 1024.


def power_beyond_integers(node: ast.expr, constant: Callable[[ast.expr], Any]) -> float | None:
    """Return a constant power of two as a float, by which it is the same to divide.

    Args:
        node: the divisor.
        constant: returns the value of a constant.

    Returns:
        None if it is no such power, or has no more than 64 bits.
    """
    match node:
        case ast.BinOp(
            left=ast.Constant(value=int() as base), right=ast.Constant(value=int() as exponent)
        ) if 0 < base <= 1 << 32 and 0 <= exponent <= _MOST_BITS:
            if isinstance(node.op, ast.Pow):
                value = base**exponent
            elif isinstance(node.op, ast.LShift):
                value = base << exponent
            else:
                return None
        case ast.Constant() | ast.Name() | ast.Attribute():
            value = constant(node)
        case _:
            return None
    if type(value) is not int or not 64 <= value.bit_length() <= _MOST_BITS:
        return None
    return float(value) if value.bit_count() == 1 else None
