"""Compiled processors: the module math."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from tests.compiled.number_records import floats, integers
from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

COUNT = 150
ONE = [
    "sqrt", "cbrt", "exp", "expm1", "exp2", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "fabs", "log", "log2", "log10", "log1p", "degrees", "radians", "isnan", "isinf",
    "isfinite", "floor", "ceil", "trunc", "isqrt", "factorial",
]  # fmt: skip
TWO = ["log", "pow", "fmod", "atan2", "copysign", "hypot", "isclose", "gcd", "lcm"]


@pytest.mark.parametrize("name", ONE)
def test_one_argument(name: str) -> None:
    random_ = random.Random(name)
    numbers: list[Any] = [
        *floats(random_, COUNT),
        *(random_.uniform(-3, 3) for _ in range(COUNT)),
        True,
    ]
    numbers += [each for each in integers(random_, COUNT) if name != "factorial" or each < 500]
    records = [{"a": each} for each in [*numbers, None, "1", [], {}]]
    same(function_of(f"math.{name}(a)", "a", math=math), records)
    same(function_of(f"math.{name}(float(a))", "a", math=math), [{"a": "inf"}, {"a": "nan"}])
    assert same(function_of(f"math.{name}(a)", "a", math=math), [{"a": 0}, {"a": 1}]) == 0


@pytest.mark.parametrize("name", TWO)
def test_two_arguments(name: str) -> None:
    random_ = random.Random(name)
    numbers = [*floats(random_, COUNT), *integers(random_, COUNT), True, 1, 2, 10]
    records: list[Any] = [{"a": a, "b": b} for a in numbers for b in random_.choices(numbers, k=3)]
    records += [{"a": a, "b": "1"} for a in (1, 1.5, None)]
    same(function_of(f"math.{name}(a, b)", "ab", math=math), records)
    assert same(function_of(f"math.{name}(a, b)", "ab", math=math), [{"a": 12, "b": 18}]) == 0


def test_hypot_of_usual_numbers() -> None:
    random_ = random.Random(5)
    records = [
        {"a": random_.uniform(-1000, 1000), "b": random_.choice((3.5, random_.uniform(-9, 9)))}
        for _ in range(2000)
    ]
    assert same(function_of("math.hypot(a, b)", "ab", math=math), records) < 3


def test_isclose_with_tolerances() -> None:
    records = [{"a": 1.0 + i / 1000, "b": 1.0, "t": i % 5 / 100 - 0.01} for i in range(100)]
    for tolerances in ("rel_tol=t", "abs_tol=t", "rel_tol=t, abs_tol=0.02"):
        function = function_of(f"math.isclose(a, b, {tolerances})", "abt", math=math)
        assert same(function, records) == 0


def test_constants() -> None:
    function = function_of("a * math.pi + math.e - math.tau < math.inf", "a", math=math)
    assert same(function, [{"a": 2}, {"a": 0.5}]) == 0
