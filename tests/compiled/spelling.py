"""Changing records, and writing them in ways that programs seldom do."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final

__all__ = ["changed", "spelled", "usual"]

usual: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Write a record as services do."""

_STRINGS: Final = [
    *("", " ", "a", "0", "-1", "1.5", "12", " 7 ", "1_000", "0x1f", "nan", "inf", "1e3", "True"),
    *(
        "é",
        "Straße",
        "İstanbul",
        "ß",
        "😀",
        "日本語",
        "\u2028",
        "\u00a0x\u00a0",
        "٣",
        "²",
        "ǅ",
        "ﬁ",
    ),
    *('"', "\\", "\n", "\t a\r\n b", "\x00", "\x1c", "\x7f", "\x85", "a\x0bb", "{}", "%s", "{0}"),
    *("2026-03-01", "2026-02-30T10:00:00Z", "2026-03-01T10:00:00.123456+02:00", "a" * 300),
    *("a@b.c", "@", "/", "//", "?", "k=v&k", "=", "&", ".", "..", "127.0.0.1", "AbCd", "x y  z "),
    *("None", "null", "\ufeff", "a\u0301", "\U0010ffff", "ÀÉ", "ς Σ", "user:pass", "-", "_"),
]
_NUMBERS: Final = [
    *(0, 1, -1, 2, 3, 7, 10, 99, 100, 255, 256, 404, 500, 1000, 86400, 65535, 2**31, -(2**31)),
    *(2**53, 2**53 + 1, 2**62, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, -(10**25)),
    *(0.0, -0.0, 0.5, 1.5, 2.5, -0.5, 0.1, 1e-7, 1e15, 1e16, 1e22, 123456789.125, 1e300, -2.675),
    *(5e-324, 1.7976931348623157e308, 0.045, 1.005, 2.0**63, -1e16, 99.995, 1e-5, 3.0),
]
_ODD_NUMBERS: Final = (
    *("1e400", "-1e400", "1e-400", "-0", "-0.0", "0e999999", "9" * 400, "0." + "0" * 400 + "1"),
    *("1.7976931348623159e308", "2.2250738585072011e-308", "123456789012345678901234567890.5"),
)
_ODD_STRINGS: Final = (
    *('"\\ud800"', '"\\udc00x"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\ud83dx"'),
    f'"{"é" * 70_000}"',
)
_OTHERS: Final[list[Any]] = [None, True, False, [], {}, [None], [[]], {"": None}, [1, "a"]]
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "/": "\\/"}
_SPACES: Final = ("", "", " ", "\t", "  ", "\r")


def _value(chance: Random) -> Any:
    """Return any value."""
    match chance.randrange(8):
        case 0 | 1 | 2:
            return chance.choice(_STRINGS)
        case 3 | 4 | 5:
            return chance.choice(_NUMBERS)
        case 6:
            return chance.choice(_OTHERS)
    deep: Any = chance.choice(_STRINGS)
    for _ in range(chance.choice((1, 2, 3, 40, 60))):
        deep = {"a": deep, "b": 1} if chance.random() < 0.5 else [deep, 2]
    return deep


def _other(value: Any, chance: Random) -> Any:
    """Return something in place of a value, of the same type more often than not."""
    kind = chance.randrange(10)
    if isinstance(value, bool):
        return int(value) if kind < 3 else (not value if kind < 6 else _value(chance))
    if isinstance(value, int | float) and kind < 8:
        if kind < 2:
            return float(value) if abs(value) < 1e300 else value
        return -value if kind == 2 else chance.choice(_NUMBERS)
    if isinstance(value, str) and kind < 8:
        at = chance.randint(0, len(value))
        new = chance.choice(_STRINGS)
        match kind:
            case 0 | 1:
                return new
            case 2 | 3:
                return value[:at] + new + value[at:]
            case 4:
                return value[:at]
            case 5:
                return value.upper() if chance.random() < 0.5 else value.title()
            case 6:
                return value + value
        return value.encode().hex()
    return _value(chance)


def changed(value: Any, chance: Random) -> Any:
    """Change a value, or one within it."""
    if isinstance(value, dict) and value and chance.random() < 0.97:
        names = list(value)
        name = chance.choice(names)
        match chance.randrange(14):
            case 0 | 1:
                return {key: each for key, each in value.items() if key != name}
            case 2:
                return {**value, name: None}
            case 3:
                chance.shuffle(names)
                return {key: value[key] for key in names}
            case 4:
                return {**value, chance.choice(_STRINGS): _value(chance)}
            case 5:
                return {(key.upper() if key == name else key): v for key, v in value.items()}
        return {**value, name: changed(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        match chance.randrange(8):
            case 0:
                return [*value[:at], *value[at + 1 :]]
            case 1:
                return value * 3
            case 2:
                return [*value, _value(chance)]
            case 3:
                return []
        return [*value[:at], changed(value[at], chance), *value[at + 1 :]]
    return _other(value, chance)


def _string(value: str, chance: Random) -> str:
    mode = chance.randrange(6)
    if mode == 0 and chance.random() < 0.01:
        return chance.choice(_ODD_STRINGS)
    if mode == 0:
        return json.dumps(value)
    if mode == 1:
        parts = []
        for char in value:
            if chance.random() < 0.3:
                parts.append(_escape(char))
            else:
                parts.append(_ESCAPES.get(char) or json.dumps(char, ensure_ascii=False)[1:-1])
        return f'"{"".join(parts)}"'
    return json.dumps(value, ensure_ascii=False)


def _escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _number(value: float, chance: Random) -> str:
    text = repr(value)
    match chance.randrange(5):
        case 0 if isinstance(value, int):
            return chance.choice((f"{text}.0", f"{text}e0", f"{text}E+00", f"{text}.000"))
        case 1 if isinstance(value, float) and "e" not in text:
            return chance.choice((f"{text}0", f"{text}e0", f"{text}E-0"))
        case 2 if chance.random() < 0.05:
            return chance.choice(_ODD_NUMBERS)
    return text


def spelled(value: Any, chance: Random, *, spaces: bool = False) -> str:
    """Write a value as JSON: with escapes, spaces, duplicate members and other forms of numbers."""
    if isinstance(value, str):
        return _string(value, chance)
    if isinstance(value, dict):
        members = [
            f"{_string(key, chance)}{_space(chance, spaces)}:{_space(chance, spaces)}"
            f"{spelled(each, chance, spaces=spaces)}"
            for key, each in value.items()
        ]
        if members and chance.random() < 0.04:
            key = chance.choice(list(value))
            twice = f"{_string(key, chance)}:{spelled(_value(chance), chance)}"
            members.insert(chance.randint(0, len(members)), twice)
        return _within("{", members, "}", chance, spaces)
    if isinstance(value, list):
        items = [spelled(each, chance, spaces=spaces) for each in value]
        return _within("[", items, "]", chance, spaces)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _number(value, chance)


def _space(chance: Random, spaces: bool) -> str:
    return chance.choice(_SPACES) if spaces else ""


def _within(start: str, parts: list[str], end: str, chance: Random, spaces: bool) -> str:
    if not spaces:
        return f"{start}{','.join(parts)}{end}"
    between = f"{_space(chance, True)},{_space(chance, True)}"
    return f"{start}{_space(chance, True)}{between.join(parts)}{_space(chance, True)}{end}"
