"""Compiled processors: arithmetic, rounding, and numbers of text."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.compiled.number_records import floats, halves, integers, number_texts
from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

COUNT = 150
OPERATORS = ["+", "-", "*", "/", "//", "%", "**"]
BITWISE = ["&", "|", "^", "<<", ">>"]


def pairs(random_: random.Random, count: int) -> list[dict[str, Any]]:
    """Return pairs of numbers of all kinds: each nasty one with others, and close ones."""
    numbers: list[Any] = [*integers(random_, count), *floats(random_, count), True, False]
    records = []
    for number in numbers:
        for other in random_.choices(numbers, k=3):
            records.append({"a": number, "b": other})
        records.append({"a": number, "b": random_.choice((1, 2, 3, -1, -7, 0.5, 10, 1000, 1e9))})
        records.append({"a": number, "b": number})
    return records


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators(operator: str) -> None:
    records = pairs(random.Random(operator), COUNT)
    if operator == "**":
        # Python may take its time for powers with millions of digits.
        records = [each for each in records if abs(each["b"]) < 1000]
    same(function_of(f"a {operator} b", "ab"), records)


@pytest.mark.parametrize("operator", BITWISE)
def test_bitwise(operator: str) -> None:
    numbers = [*integers(random.Random(operator), COUNT), True, False, 1.5]
    records = [{"a": a, "b": random.Random(operator).choice(numbers)} for a in numbers]
    if operator in ("<<", ">>"):
        records = [{"a": a, "b": b} for a in numbers for b in (0, 1, 5, 31, 62, 63, 64, 100, -1)]
    same(function_of(f"a {operator} b", "ab"), records)
    assert same(function_of(f"a {operator} b", "ab"), [{"a": 12, "b": 10}]) == 0


@pytest.mark.parametrize(
    "expression",
    ["-a", "+a", "~a", "abs(a)", "int(a)", "float(a)", "round(a)", "bin(a)", "oct(a)", "hex(a)"],
)
def test_one_operand(expression: str) -> None:
    random_ = random.Random(expression)
    numbers: list[Any] = [
        *integers(random_, COUNT),
        *floats(random_, COUNT),
        True,
        False,
        None,
        "x",
        [1],
        {},
    ]
    same(function_of(expression, "a"), [{"a": each} for each in numbers])


@pytest.mark.parametrize(
    "expression", ["a.is_integer()", "a.bit_length()", "a.bit_count()", "divmod(a, 7)", "pow(a, 2)"]
)
def test_methods(expression: str) -> None:
    random_ = random.Random(expression)
    same(function_of(expression, "a"), [{"a": each} for each in integers(random_, COUNT)])
    same(function_of(expression, "a"), [{"a": each} for each in floats(random_, COUNT)])


def test_rounding() -> None:
    random_ = random.Random(1)
    numbers = [*integers(random_, COUNT), *floats(random_, COUNT), True]
    places = [0, 1, 2, 3, 6, 9, 15, 18, 22, -1, -2, -5, -18, -19, -20, 323, 324, -308, -309, None]
    records = [{"a": a, "b": b} for a in numbers for b in random_.choices(places, k=6)]
    records += [{"a": a, "b": b} for a, b in halves(random_, 1000)]
    same(function_of("round(a, b)", "ab"), records)
    usual = [{"a": random_.uniform(-1e6, 1e6), "b": random_.randint(0, 9)} for _ in range(1000)]
    assert same(function_of("round(a, b)", "ab"), usual) == 0


def test_numbers_of_text() -> None:
    texts = number_texts(random.Random(2), 1500)
    records = [{"a": each} for each in texts]
    same(function_of("int(a)", "a"), records)
    # Finite numbers can be written.
    same(function_of("str(float(a))", "a"), records)
    same(function_of("float(a) < 7", "a"), records)
    usual = [{"a": each} for each in (" 12 ", "+7", "-0", "1_000", "12.5", "x", "", "1e5", "007")]
    assert same(function_of("int(a)", "a"), usual) == 0
    assert same(function_of("float(a)", "a"), usual) == 0


def test_bases() -> None:
    texts = [*number_texts(random.Random(3), 500), "ff", "0xFF", "0o17", "0b1_01", "zz", "0x_1"]
    records = [{"a": text, "b": base} for text in texts for base in (2, 8, 10, 16, 36, 0, 1, 37)]
    same(function_of("int(a, b)", "ab"), records)
    assert same(function_of("int(a, 16)", "a"), [{"a": "0xFF"}, {"a": "7f"}, {"a": "g"}]) == 0
