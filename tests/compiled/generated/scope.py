"""What a generated expression may refer to: the record, variables, and globals of the module."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.compiled.generated.instance_parts import CLASSES

__all__ = ["FIELDS", "ITEM_FIELDS", "PRELUDE", "Scope"]

PRELUDE: Final = (
    """\
import base64
import contextlib
import copy
import functools
import hashlib
import hmac
import html
import itertools
import json
import math
import operator
import re
import statistics
import unicodedata
import uuid
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict, deque, namedtuple
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import ip_address, ip_network
from typing import Any, Final, NamedTuple, TypedDict
from zoneinfo import ZoneInfo
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import msgspec

LIMIT = 10
RATE = 0.19
LABEL = "a"
NAMES = ("id", "s", "opt", "missing")
TABLE = {"info": "I", "warn": "W", "error": "E", "": "none", "é": "ü"}
LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40}
CODES: Final = {200: "ok", 404: "missing", 500: "error", 1: None}
KINDS = ["a", "b", "é", "x"]
STEPS_OF: Final = [-5, 0, 0, 1.5, 10, 1000, 1e16]
KINDS_IN_ORDER: Final = ("", "a", "a", "k", "é")
hash_of = {"id": 1, "a": 2, "é": 3}
SHORTER: Final = str.maketrans("", "", "aeiou")
SAME_LENGTH: Final = str.maketrans("abc", "xyé")
LETTERS = str.maketrans({"a": "ä", "é": None, "t": "long"})
BERLIN = ZoneInfo("Europe/Berlin")
NOON = time(12)
OFFICE = ip_network("192.168.0.0/17")
ZONES_OF: Final = {"info": BERLIN, "warn": ZoneInfo("Asia/Kolkata"), "error": None}
ONE_BY_ONE = {97: "x", 98: None, 233: 120}
STOP = {"the", "a", "of", "é"}
NESTED = {"a": {"b": 1, "c": [1, 2.5, "x"]}, "d": {"b": None}}
P0 = re.compile(r"[0-9]+")
P1 = re.compile(r"/[0-9]+(?=/|$)")
P2 = re.compile(r"(\\w+)@(\\w+)")
P3 = re.compile(r"[aeiou]", re.IGNORECASE)
P4 = re.compile(r"^\\s*(?P<key>[a-z]+)\\s*[=:]?\\s*(?P<value>.*?)\\s*$")
P5 = re.compile(r"\\b[a-z]{2,4}\\b")
P6 = re.compile(r"(a|b|ab)+c?|\\d{2,}?")
P7 = re.compile(r"[^\\x00-\\x7f]+")
P8 = re.compile(r",\\s*|;")
P9 = re.compile(r"(?i)(info|warn)|(e)rror")


def clip(value, low, high):
    if value < low:
        return low
    return high if value > high else value


def first_word(text):
    for word in text.split():
        return word.lower()
    return ""


def ratio(a, b):
    return a / b if b else 0.0


def clean(value, most=3):
    if isinstance(value, dict):
        return {key: clean(each, most - 1) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [clean(each, most) for each in value][:most]
    return value.strip() if isinstance(value, str) else value


def flat(value, prefix=""):
    found = {}
    for key, each in value.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(each, dict):
            found.update(flat(each, name))
        else:
            found[name] = each
    return found


def leaves(value):
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def total(value):
    try:
        if isinstance(value, list):
            return sum(total(each) for each in value)
        return int(value)
    except (TypeError, ValueError):
        return 0
    finally:
        value = None


def tagged(first, *parts, sep="-", **fields):
    return {"first": first, "parts": parts, "sep": sep, **fields}


def touched(record):
    record["touched"] = True
    return record


def without_s(record):
    record.pop("s", None)
    return record


class Level(Enum):
    LOW = "info"
    MIDDLE = "warn"
    HIGH = "é"


class Code(IntEnum):
    OK = 200
    MISSING = 404


LEVEL_OF: Final = {"info": Level.LOW, "warn": Level.MIDDLE}


class OwnError(Exception):
    pass


def first(value):
    return value[0]


def key_of(value):
    return value["k"]


def half(value):
    return 10 // value


def both(first, second=1):
    return first // second


def checked(value):
    if value is None:
        raise OwnError("none")
    return value["n"] if isinstance(value, dict) else value


def guarded(value, otherwise):
    try:
        return value["k"][0]
    except KeyError:
        return otherwise
    except (TypeError, IndexError):
        raise ValueError("no key") from None


def firsts(values):
    for value in values:
        yield value["k"]


HANDLERS = {"info": first_word, "warn": clean, "error": total, "": tagged, "a": str.upper}
STEPS = [touched, without_s]
CHECKS = {"text": lambda value: isinstance(value, str), "more": lambda value: value > 3}
PAIRS = (("one", total, 1), ("two", clean, 2), ("three", len, 3))
nearly = functools.partial(round, ndigits=1)


"""
    + CLASSES
)
"""What stands before each generated function."""

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "int": ("n", "m", "big", "at", "meta.a", "status"),
    "float": ("x", "y", "meta.c.d", "start"),
    "str": ("s", "text", "path", "email", "level", "code", "opt", "meta.b", "id", "when", "csv"),
    "bool": ("flag", "meta.on"),
    "strs": ("tags", "words"),
    "nums": ("nums", "meta.c.e"),
    "items": ("items",),
    "counts": ("counts",),
    "any": ("none", "mixed", "meta", "meta.c", "opt", "either"),
}
"""Paths of the record by the type that they usually have."""

ITEM_FIELDS: Final = {"int": ("qty",), "float": ("price",), "str": ("name",), "strs": ("tags",)}

GLOBALS: Final = {
    "int": ("LIMIT",),
    "float": ("RATE",),
    "str": ("LABEL",),
    "strs": ("KINDS",),
    "counts": ("LEVELS",),
}


class Scope:
    """Names by type; those that grow in a loop are hidden there.

    Args:
        chance: decides.
    """

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.variables: list[tuple[str, str]] = []
        self.hidden: set[str] = set()
        self.made = 0

    def fresh(self) -> str:
        self.made += 1
        return f"v{self.made}"

    def add(self, name: str, kind: str) -> None:
        self.variables.append((name, kind))

    def of(self, kind: str) -> list[str]:
        return [name for name, each in self.variables if each == kind and name not in self.hidden]

    def field(self, kind: str) -> str:
        """Return an access to the record, as people write it."""
        if kind == "float" and self.chance.random() < 0.15:
            kind = "int"
        if kind == "date":
            kind = "str"
        *outer, last = self.chance.choice(FIELDS[kind]).split(".")
        access = "r"
        for name in outer:
            style = self.chance.randrange(8)
            if style == 0:
                access = f"{access}.get({name!r}, {{}})"
            elif style == 1:
                access = f"({access}.get({name!r}) or {{}})"
            else:
                access = f"{access}[{name!r}]"
        return self._last(access, last, kind)

    def item_field(self, item: str, kind: str) -> str:
        """Return an access to a member of an item of `r["items"]`."""
        name = self.chance.choice(ITEM_FIELDS[kind])
        return self._last(item, name, kind)

    def _last(self, access: str, name: str, kind: str) -> str:
        match self.chance.randrange(20):
            case 0:
                return f"{access}.get({name!r})"
            case 1 | 2 | 3 if kind in DEFAULTS:
                return f"{access}.get({name!r}, {self.chance.choice(DEFAULTS[kind])})"
            case 4 | 5 if kind in DEFAULTS:
                return f"({access}.get({name!r}) or {self.chance.choice(DEFAULTS[kind])})"
        return f"{access}[{name!r}]"


DEFAULTS: Final = {
    "int": ("0", "1", "-1", "None"),
    "float": ("0.0", "1.5", "0"),
    "str": ("''", "'-'", "'é'", "'0'", "None"),
    "bool": ("False", "True"),
    "strs": ("[]", "()"),
    "nums": ("[]", "[1]"),
    "items": ("[]",),
    "counts": ("{}",),
}
