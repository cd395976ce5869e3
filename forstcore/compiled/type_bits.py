"""The bits that stand for types in instructions; the same as in vm/opcodes.h."""

from __future__ import annotations

import collections.abc
import numbers

__all__ = [
    "ABSENT",
    "ANY",
    "BITS",
    "BOOL",
    "DICT",
    "FLOAT",
    "INT",
    "ISINSTANCE_BITS",
    "LIST",
    "NONE",
    "STR",
    "TUPLE",
]

NONE, BOOL, INT, FLOAT, STR, LIST, TUPLE, DICT, SET, ABSENT = (1 << i for i in range(10))
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

ISINSTANCE_BITS = BITS | {
    collections.abc.Mapping: DICT,
    collections.abc.MutableMapping: DICT,
    numbers.Number: BOOL | INT | FLOAT,
    numbers.Real: BOOL | INT | FLOAT,
    numbers.Integral: BOOL | INT,
}
"""The types that isinstance takes; of abstract ones those that programs have values of."""
