"""Compiled processors: integers beyond 64 bits: of hashes, digests, constants and ids."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

SPACE = 2**256
NAMES = {"hashlib": hashlib, "SPACE": SPACE}
TEXTS: list[Any] = [f"user-{i}" for i in range(200)] + ["", "é"]


@pytest.mark.parametrize(
    "expression",
    [
        "int(hashlib.md5(a.encode()).hexdigest(), 16) % 100",
        "int(hashlib.sha512(a.encode()).hexdigest(), 16) % 3",
        "int(hashlib.sha256(a.encode()).hexdigest()[:16], 16) % 4294967297",
        "int(hashlib.sha1(a.encode()).hexdigest(), 16) % 9223372036854775807",
        "int.from_bytes(hashlib.md5(a.encode()).digest(), 'big') % 1000",
        "int.from_bytes(hashlib.sha256(a.encode()).digest()[:8], 'big') % 10",
        "int.from_bytes(hashlib.sha256(a.encode()).digest()[:8], byteorder='little') % 7",
        "int.from_bytes(hashlib.sha256(a.encode()).digest()[3:20], 'little') % 4096",
        "int(hashlib.md5(a.encode()).hexdigest(), 16) & 1023",
        "int(hashlib.md5(a.encode()).hexdigest(), 16) & 0x7fffffffffffffff",
        "int(hashlib.md5(a.encode()).hexdigest(), 16) / 2**128",
        "int(hashlib.md5(a.encode()).hexdigest(), 16) / 16**32 < 0.5",
        "int(hashlib.md5(a.encode()).hexdigest(), 16) / (1 << 128)",
        "int(hashlib.sha256(a.encode()).hexdigest(), 16) / SPACE",
        "int(hashlib.sha256(a.encode()).hexdigest(), 16) / float(2**62)",
        "int(hashlib.sha256(a.encode()).hexdigest()[:8], 16) / 2**64",
    ],
)
def test_usual_shares_are_not_given_back(expression: str) -> None:
    assert same(function_of(expression, "a", **NAMES), [{"a": each} for each in TEXTS]) == 0


@pytest.mark.parametrize(
    "operation",
    [
        "h % 0", "h % -7", "h % 2.5", "h % True", "h % a", "h // 3", "h // 10**9", "h + 1", "-h",
        "h & -1", "h & 0", "h & True", "h | 1", "h >> 8", "h >> 120", "h << 1", "h ** 2", "~h",
        "h / 3", "h / 0", "h / 0.0", "h / 1e-300", "h / float('nan')", "1 / h", "h * h",
        "h == h", "h == 1", "h != 1", "h < 5", "h > 1e30", "h in (1, h)", "bool(h)", "not h",
        "str(h)", "f'{h}'", "f'{h:x}'", "hex(h)", "'%d' % h", "'%x' % h", "repr([h])", "[h]", "h",
        "{'h': h}", "isinstance(h, int)", "type(h) is int", "h.bit_length()", "float(h)", "int(h)",
        "round(h)", "abs(h)", "divmod(h, 7)[1]", "max(h, 1)", "sum([h, 1])", "len({h, 1})",
        "{h: 1}[h]", "sorted([h, 1])[0]", "[1, 2][h]", "'x' * h", "a[:h]", "range(h)[5]",
        "h is None", "min([h, h]) % 10", "{'k': h}['k'] % 10", "(lambda x: x % 10)(h)", "h % h",
        "(h or 1) % 9",
        "hashlib.md5(str(h).encode()).hexdigest()", "pow(h, 2, 7)", "h.to_bytes(16, 'big').hex()",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_other_uses_are_those_of_python(operation: str) -> None:
    text = re.sub(r"\bh\b", "int(a, 16)", operation)
    records = [{"a": each} for each in ("f" * 32, "8000000000000000", "00ff", "F" * 20, "0" * 40)]
    same(function_of(text, "a", **NAMES), records)


def test_texts_of_numbers() -> None:
    digits = random.Random(1)
    texts = ["".join(digits.choices("0123456789abcdefABCDEF", k=n)) for n in range(1, 300)]
    texts += ["0x" + "f" * 20, "f_" * 9 + "f", "-" + "f" * 20, " " + "f" * 20, "f" * 20 + "g"]
    texts += ["0" * 30 + "1", "7fffffffffffffff", "8000000000000000", "١" * 20, "f" * 700]
    for expression in ("int(a, 16) % 97", "int(a, 16) / 2.0**70", "int(a, 36) % 97"):
        same(function_of(expression, "a"), [{"a": each} for each in texts])
    for order in ("big", "little"):
        expression = f"int.from_bytes(bytes.fromhex(a), '{order}') % 8191"
        same(function_of(expression, "a"), [{"a": each} for each in texts])
        signed = f"int.from_bytes(bytes.fromhex(a), '{order}', signed=True) % 8191"
        same(function_of(signed, "a"), [{"a": each} for each in texts])


def test_the_nearest_double() -> None:
    """Half-way cases, with and without digits far behind, round as in Python."""
    texts = []
    for high in (1 << 52, (1 << 52) + 1, (1 << 53) - 1):
        for low in (0, 1 << 63, (1 << 63) - 1, (1 << 63) + 1):
            for last in (0, 1):
                texts.append(f"{(high << 64 | low) << 70 | last:x}")
                texts.append(f"{(high << 11 | 1 << 10) << 64 | last:x}")
    records = [{"a": each} for each in texts]
    assert same(function_of("int(a, 16) / 2**140", "a"), records) == 0


def bucket(value: str, count: int) -> int:
    return stable_hash(value) % count


def stable_hash(value: str) -> int:
    return int(hashlib.md5(value.encode()).hexdigest(), 16)


def in_helpers(r: dict[str, Any]) -> dict[str, Any]:
    number = stable_hash(r["a"])
    number %= 1000
    return {"bucket": bucket(r["a"], 16), "variant": "AB"[number % 2], "number": number}


def test_helpers() -> None:
    assert same(in_helpers, [{"a": each} for each in TEXTS]) == 0


CONSTANTS = {"MOST": 2**64 - 1, "LEAST": -(2**70), "LIMITS": {"a": 2**64, "b": 5}}


@pytest.mark.parametrize(
    "expression",
    [
        "a < 2**64", "0 <= a <= MOST", "a > MOST", "MOST != a", "MOST == a", "(1 << 64) - 1 > a",
        "a in (1, 2**80)", "a & MOST", "MOST & a", "a % 2**64", "min(a, MOST)", "max(5, a) < MOST",
        "a if a < 18446744073709551616 else None", "LIMITS['b'] + a", "LIMITS['a'] > a",
        "LEAST < a", "a > -(2**70)",
        "sorted([a, 2])[0] < MOST", "a and not MOST", "[a, 3] == [MOST, 3]",
        "int(hashlib.md5(str(a).encode()).hexdigest(), 16) & MOST & 1023",
    ],
)  # fmt: skip
def test_constants(expression: str) -> None:
    function = function_of(expression, "a", **NAMES, **CONSTANTS)
    odd: list[Any] = [-1, 0.5, 1e30, "a", None, True, 2**63, 2**64, -(2**63), 2**64 - 1, -(2**70)]
    same(function, [{"a": each} for each in odd])


def test_usual_integers_beside_constants_give_nothing_back() -> None:
    records = [{"a": each} for each in (0, 1, 2**53, 2**63 - 1)]
    for expression in (
        *("a < 2**64", "0 <= a <= MOST", "MOST == a", "a & MOST", "a % 2**64", "LEAST < a"),
        *("a if a < MOST else None", "a in (1, 2**80)", "(1 << 64) - 1 > a"),
    ):
        assert same(function_of(expression, "a", **NAMES, **CONSTANTS), records) == 0


def large_ids(r: dict[str, Any]) -> dict[str, Any]:
    if r["a"] < -18446744073709551616 or r.get("b"):
        return {"kind": "negative", "a": r["a"] + LEAST}
    if r["a"] >= 0x8000000000000000:
        return {"kind": "unsigned", "a": r["a"] - 0x8000000000000000}
    return {"kind": "signed", "a": r["a"], "hash": r["a"] & (2**64 - 1)}


LEAST = -(2**70)


def test_negative_integers_beyond_64_bits_are_given_back() -> None:
    assert same(one_branch, [{"a": 1}, {"a": 2**60}, {"a": -1}, {"a": -1, "b": 1}]) == 2
    assert same(large_ids, [{"a": 1}, {"a": 0}, {"a": -(2**65)}, {"a": 2**63}, {"a": -5}]) == 1


def one_branch(r: dict[str, Any]) -> dict[str, Any]:
    if r["a"] < 0:
        return {"a": r["a"] - LEAST}
    return {"a": r["a"]}


PRIME, BASIS, MASK = 0x100000001B3, 0xCBF29CE484222325, (1 << 64) - 1


def fnv1a(text: str) -> int:
    number = BASIS
    for byte in text.encode():
        number ^= byte
        number = number * PRIME & MASK
    return number


def fnv1a_of_record(r: dict[str, Any]) -> dict[str, Any]:
    number = fnv1a(r["a"])
    return {
        "hash": number,
        "hex": f"{number:016x}",
        "short": hex(number)[2:8],
        "text": str(number),
        "shard": number % 16,
        "share": number / 2**64,
        "is_high": number >> 63 == 1,
        "same": number == fnv1a(r["a"]),
    }


def unbounded_hash(r: dict[str, Any]) -> dict[str, Any]:
    number = 7
    for character in r["a"]:
        number = 31 * number + ord(character)
    return {"bucket": number % 1000, "even": number & 1 == 0, "bits": number >> 60 & 7}


def mixed(r: dict[str, Any]) -> dict[str, Any]:
    z = (r["n"] + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    z ^= z >> 31
    rotated = ((z << 13) | (z >> 51)) & MASK
    return {"bucket": z % 100, "rotated": rotated, "seed": (z * 25214903917 + 11) % 2**48}


def test_hashes_are_not_given_back() -> None:
    records = [{"a": each, "n": i * 77_777} for i, each in enumerate(TEXTS)]
    assert same(fnv1a_of_record, records) == 0
    assert same(unbounded_hash, [*records, {"a": "long " * 40}]) == 0
    odd = [-1, -(2**63), 2**63, 2**64 - 1, 2**64, 2.0, "1", None, True]
    assert same(mixed, records) == 0
    same(mixed, [{"n": each} for each in odd])
    same(unbounded_hash, [{"a": "far too long " * 80}, {"a": 1}, {}])


_INTEGERS: list[Any] = [
    0,
    1,
    2,
    3,
    31,
    63,
    64,
    127,
    1 << 32,
    (1 << 53) + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
]
_ODD_INTEGERS: list[Any] = [
    -1,
    -2,
    -(2**31),
    -(2**63),
    True,
    False,
    2**64,
    2.5,
    -0.0,
    1e30,
    "",
    None,
]


@pytest.mark.parametrize(
    "expression",
    [
        "a + b", "a - b", "a * b", "a & b", "a | b", "a ^ b", "a << b % 99", "a >> b", "a // b",
        "a % b",
        "(a * b) & c", "(a * b) % c", "(a ^ b) * c & MASK", "(a * b + c) % 2**61", "(a + b) >> c",
        "a * b * c", "(a * b) - (b * c)", "(a * b) // c", "(a * b) // (b * c)", "(a * b) % (b * c)",
        "(a * b) ^ (b * c)", "(a | b << 64) >> c", "(a * b) == (b * a)", "(a * b) < (b * c)",
        "max(a * b, b * c)", "a * b > c", "str(a * b)", "f'{a + b:>24x}|{a + b:,}'", "hex(a + b)",
        "'%d %x' % (a, b)", "int(str(a)) % 7", "a & MASK", "-a", "~a", "abs(a)", "a / 3", "a / 2.5",
        "a ** 2", "divmod(a, 7)", "[a, b][c > 1]", "a in (b, c)", "sum([a, b])", "round(a)",
        "isinstance(a, int)", "isinstance(a * b, float)", "bool(a * b)", "a == float(b)", "{a: b}",
        "json.dumps([a, b])", "json.loads(str(a)) % 10", "sorted([a, b, c])", "a.bit_length()",
        "'x' * (a | 2**63)", "[1][a:b]", "range(a)[1]", "len(str(a * b))", "math.sqrt(a)",
        "(a, b) < (b, a)",
        "repr([a, b])", "{'k': a} == {'k': b}", "len({a, b})", "datetime.fromtimestamp(a, UTC)",
    ],
)  # fmt: skip
def test_operators(expression: str) -> None:
    names = {"MASK": MASK, "json": json, "math": math, "datetime": datetime, "UTC": UTC}
    function = function_of(expression, "abc", **names)
    chance = random.Random(expression)
    pool = _INTEGERS + [chance.getrandbits(chance.choice((8, 40, 62, 64))) for _ in range(10)]
    records = [dict(zip("abc", chance.choices(pool, k=3), strict=True)) for _ in range(150)]
    odd = pool + _ODD_INTEGERS
    records += [dict(zip("abc", chance.choices(odd, k=3), strict=True)) for _ in range(150)]
    same(function, records)


def test_products_of_64_bits_that_are_cut_are_not_given_back() -> None:
    chance = random.Random(5)
    pool = [1, 2**63, 2**64 - 1, *(chance.getrandbits(64) for _ in range(20))]
    records = [dict(zip("ab", chance.choices(pool, k=2), strict=True)) for _ in range(200)]
    for expression in (
        *("(a * b) & MASK", "(a * b) % 2**32", "(a ^ b) * PRIME & MASK", "(a * b + 1) % 2**64"),
        *("a * b % 1000003", "(a * b) >> 64", "(a << 1 | a >> 63) & MASK", "a * b // 10**9 % 7"),
    ):
        assert same(function_of(expression, "ab", MASK=MASK, PRIME=PRIME), records) == 0


@pytest.mark.parametrize(
    "expression", ["a % HUGE", "HUGE & a", "HUGE // 7 % a", "HUGE * a >> a", "a < HUGE"]
)
@pytest.mark.parametrize("bits", [1000, 2559, 2560, 2561, 10_000])
def test_constants_with_more_words_than_are_computed_with(expression: str, bits: int) -> None:
    records = [{"a": each} for each in (1, 5, -5, 2**64 - 1, 2**64, None)]
    same(function_of(expression, "a", HUGE=2**bits - 1), records)


@dataclass
class Measured:
    id: int
    value: float
    values: list[float] | None = None


def compared_and_kept(r: Measured) -> Any:
    if r.value > 5 and r.id != 7:
        return r
    return {"id": r.id, "value": r.value, "values": r.values}


def kept(r: Measured) -> Any:
    yield r


def test_declared_floats_of_64_bits() -> None:
    numbers = [2**63, 2**63 - 1, 2**64 - 1, 2**64, 2**53 + 1, -(2**63), 5, 1.5]
    records = [{"id": n, "value": n, "values": [n, 1]} for n in numbers]
    same(compared_and_kept, records)
    same(kept, records)
