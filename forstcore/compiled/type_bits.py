"""The bits that stand for types in instructions; the same as in vm/opcodes.h."""

from __future__ import annotations

__all__ = ["ABSENT", "ANY", "BITS", "BOOL", "DICT", "FLOAT", "INT", "LIST", "NONE", "STR", "TUPLE"]

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
