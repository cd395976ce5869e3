"""The bits that stand for types in instructions; the same as in vm/opcodes.h."""

from __future__ import annotations

import collections.abc
import functools
import numbers
import operator
from typing import Any

from forstcore._decimals import is_decimal_class

__all__ = [
    "ABSENT",
    "ANY",
    "BITS",
    "BOOL",
    "DICT",
    "FLOAT",
    "INT",
    "LIST",
    "NONE",
    "STR",
    "TUPLE",
    "bits_with",
    "isinstance_bits",
]

NONE, BOOL, INT, FLOAT, STR, LIST, TUPLE, DICT, SET, ABSENT, DECIMAL = (1 << i for i in range(11))
ANY = NONE | BOOL | INT | FLOAT | STR | LIST | DICT

BITS: dict[type, int] = {
    type(None): NONE,
    bool: BOOL,
    int: INT,
    float: FLOAT,
    str: STR,
    list: LIST,
    tuple: TUPLE,
    dict: DICT,
    set: SET,
}

_ISINSTANCE_BITS = BITS | {
    collections.abc.Mapping: DICT,
    collections.abc.MutableMapping: DICT,
    numbers.Number: BOOL | INT | FLOAT | DECIMAL,
    numbers.Real: BOOL | INT | FLOAT,
    numbers.Integral: BOOL | INT,
}


def isinstance_bits(kind: Any) -> int:
    """Return the bits of a type that isinstance takes; 0 for others.

    Of abstract ones those that programs have values of.
    """
    if is_decimal_class(kind):
        return DECIMAL
    return _ISINSTANCE_BITS.get(kind, 0) if isinstance(kind, type) else 0


def bits_with(method: str) -> int:
    """Return the bits of the built-in types that have a method."""
    return functools.reduce(
        operator.or_, (bit for kind, bit in BITS.items() if hasattr(kind, method)), 0
    )
