"""Constant integers beyond 64 bits, and powers of two by which digests are divided."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

__all__ = ["integer_beyond_64_bits", "power_beyond_integers"]

_MOST_BITS = 1000  # Floats end at 1024.
_MOST_EXPONENT = 1000


def integer_beyond_64_bits(node: ast.expr) -> int | None:
    """Return the value of an expression of constants, such as 2**64 - 1.

    Returns:
        None if it is no such expression, or its value has no more than 64 bits.
    """
    value = _integer_of(node) if isinstance(node, ast.BinOp) else None
    return None if value is None or -1 << 63 <= value < 1 << 63 else value


def _integer_of(node: ast.expr) -> int | None:
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return value if value.bit_length() <= _MOST_BITS else None
        case ast.BinOp(left=left, op=operator, right=right):
            one, other = _integer_of(left), _integer_of(right)
            if one is None or other is None:
                return None
            result = _computed(one, operator, other)
            return None if result is None or result.bit_length() > _MOST_BITS else result
    return None


def _computed(left: int, operator: ast.operator, right: int) -> int | None:
    is_exponent = 0 <= right <= _MOST_EXPONENT
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Pow() if is_exponent and left.bit_length() * right <= 2 * _MOST_BITS:
            return int(left**right)
        case ast.LShift() if is_exponent:
            return left << right
    return None


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
