"""Compiled processors: numbers of the module decimal."""

from __future__ import annotations

import decimal
import json
import random
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
    InvalidOperation,
)
from numbers import Number, Real
from typing import Any

import pytest

from forstcore.compiled import Compiled
from tests.compiled.oracle import compile_any, same
from tests.compiled.snippets import function_of, function_with

CENT = Decimal("0.01")
RATES = {"DE": Decimal("0.19"), "FR": Decimal("0.20"), "CH": Decimal("0.081")}
MODES = [
    *(ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_UP, ROUND_DOWN, ROUND_CEILING),
    *(ROUND_FLOOR, decimal.ROUND_05UP),
]
NAMES: dict[str, Any] = {
    **{"decimal": decimal, "Decimal": Decimal, "D": Decimal, "CENT": CENT, "RATE": RATES["DE"]},
    **{"ROUND_HALF_UP": ROUND_HALF_UP, "Number": Number, "Real": Real, "json": json},
}

USUAL = [
    *("0", "1", "-1", "19.99", "0.01", "1234.5678", "-0.005", "100.00", "2.675", "1e3", "0.00"),
    *("12345678901234.56", "99.995", " 7.50 ", "+3", ".5", "5.", "1E-7", "-0", "-0.00", "0.000001"),
]
ODD: list[Any] = [
    *("", " ", "abc", "1,50", "1.2.3", "--1", "1e", "1e+", "e5", ".", "+", "1 2", "0x1", "1.5€"),
    *("NaN", "-nan", "sNaN", "Infinity", "-inf", "nan12", "1_000", "1__0", "_1", "١٢", "\x1c1",
    "1\x00"),
    *("1" * 28, "1" * 29, "0." + "1" * 28, "0." + "1" * 29, "0" * 40 + "1", "9" * 28, "5" * 60),
    *("1e6000", "1e6001", "1e-6001", "1e9999", "1e-99999999999", "0e5000", "0E-30"),
    *("1e28", "1e-28", "1e30", "1e60", "-9.99e27", "9007199254740993", "18446744073709551616"),
    *(None, True, False, 0, 1, -7, 2**63, -(2**63), 2**64, 10**30, 0.1, 0.5, 19.99, -0.0, 1e22),
    *(1e300, 5e-324, 2.5, 100.0, [], [0, [1], -1], {}, {"a": 1}),
]  # fmt: skip


def numbers(count: int) -> list[str]:
    """Return texts of decimals, many of which are nearly halves or have many digits."""
    chance = random.Random(7)
    found = []
    for _ in range(count):
        size = chance.choice([1, 2, 3, 5, 9, 10, 14, 19, 20, 25, 28])
        digits = "".join(chance.choice("0000123456789995") for _ in range(size))
        places = chance.choice([0, 1, 2, 2, 2, 3, 5, size, size + 4])
        sign = chance.choice(["", "", "-"])
        found.append(f"{sign}{digits}e-{places}" if places else sign + digits)
    return found


def pairs(values: list[Any], others: list[Any]) -> list[dict[str, Any]]:
    return [{"a": a, "b": b} for a in values for b in others]


def test_usual_numbers_are_not_given_back() -> None:
    records = [{"a": each} for each in [*USUAL, *numbers(300), "", "x", "1.2.3", 5, -3, 2.5]]
    body = (
        "try:\n    d = Decimal(r['a'])\nexcept InvalidOperation:\n    return {'no': r['a']}\n"
        "cents = d.quantize(CENT) if abs(d) < 1000000 else d\n"
        "return {'d': str(d), 'cents': str(cents), 'f': float(d), 'twice': f'{d + d}',\n"
        "        'signed': d < 0, 'zero': not d, 'rest': str(d - 1), 'by': str(d * RATE)}"
    )
    assert same(function_with(body, InvalidOperation=InvalidOperation, **NAMES), records) == 0


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "<", "<=", "==", "!=", ">", ">="])
def test_operators(operator: str) -> None:
    function = function_of(f"str(Decimal(a) {operator} Decimal(b))", "ab", **NAMES)
    records = pairs(USUAL, USUAL)
    assert same(function, records) == (len(USUAL) * 4 if operator == "/" else 0)
    several = numbers(600)
    many = [{"a": a, "b": b} for a, b in zip(several, several[::-1], strict=True)]
    given_back = same(function, many)
    assert given_back < (300 if operator == "/" else 30)
    same(function, pairs(ODD, ODD))
    for expression in (f"str(Decimal(a) {operator} b)", f"str(b {operator} Decimal(a))"):
        mixed = function_of(expression, "ab", **NAMES)
        same(mixed, pairs(USUAL, ODD) + pairs(USUAL, [1, -1, 100, 0.5, 19.99, 1234.5678]))


@pytest.mark.parametrize("mode", MODES)
def test_quantize(mode: str) -> None:
    for exponent in ("1", "0.1", "0.01", "1.000", "1e2", "1e-20"):
        names = NAMES | {"E": Decimal(exponent), "MODE": mode}
        several = [*USUAL, *numbers(200), "0.5", "1.5", "2.5", "0.4999", "0.005", "10.5", "-2.5"]
        for expression in ("Decimal(a).quantize(E, rounding=MODE)", "D(a).quantize(E, MODE)"):
            function = function_of(f"str({expression})", "a", **names)
            same(function, [{"a": each} for each in [*several, *ODD]])
    function = function_of("str(Decimal(a).to_integral_value(rounding=MODE))", "a", **names)
    assert same(function, [{"a": each} for each in several]) == 0


@pytest.mark.parametrize(
    "expression",
    [
        "str(Decimal(a))", "repr(Decimal(a))", "f'{Decimal(a)}'", "f'{Decimal(a)!r}'",
        "[D(a)] == [1]",
        "str([Decimal(a)])", "f'{Decimal(a)!s:>12}'", "'%s' % Decimal(a)", "'%.2f' % Decimal(a)",
        "'%d' % Decimal(a)", "'{:.3f}'.format(D(a))", "format(D(a), '.1f')", "float(D(a))",
        "int(D(a))",
        "bool(D(a))", "-D(a) or 1", "str(-D(a))", "str(+D(a))", "str(abs(D(a)))", "round(D(a))",
        "str(round(D(a), 2))", "str(round(D(a), -1))", "str(round(D(a), 0))",
        "str(D(a).normalize())",
        "str(round(D(a), 30))", "round(D(a), None)", "D(a).is_zero()", "D(a).is_signed()",
        "D(a).is_nan()", "D(a).is_infinite()", "D(a).is_finite()", "str(D(a).scaleb(-2))",
        "str(D(a).scaleb(a))", "str(D(a).to_integral())", "str(D(a).quantize(D('1')))",
        "str(D(a).quantize(1))", "str(D(a).quantize(a))", "str(D(a).quantize(CENT, 'ROUND'))",
        "str(D(a).quantize(CENT, rounding=a))", "str(D(a).quantize(CENT, rounding=None))",
        "str(sum([D(a), D('0.1'), 2]))", "str(sum([D(a)], D('0.00')))", "sum([], D('0.00')) == 0",
        "str(sum([1.5, D(a)]))", "str(sum([D(a), 0.5]))", "str(sum([D(a), None]))",
        "str(sum([a, D('1')]))",
        "str(max(D(a), D('10')))", "str(min([D(a), 3, D('-1.5')]))", "str(max(D(a), 2.5))",
        "[str(x) for x in sorted([D(a), D('1.0'), 1, D('1.00'), -5])]", "D(a) in (1, D('19.99'))",
        "D(a) == a", "D(a) is None", "D(a) == None", "D(a) < None", "D(a) != 'x'", "D(a) == [a]",
        "D(a) + None", "D(a) + 'x'", "'x' + D(a)", "D(a) * 1.5", "2.5 / D(a)", "D(a) * 'x'",
        "[1] * D(a)",
        "str(D(a) // 3)", "str(D(a) % 3)", "str(D(a) ** 2)", "str(divmod(D(a), 7)[1])", "~D(a)",
        "isinstance(D(a), Decimal)", "isinstance(a, Decimal)", "isinstance(D(a), (int, float))",
        "isinstance(D(a), (int, Decimal, float))", "isinstance(D(a), Number)",
        "isinstance(D(a), Real)",
        "json.dumps({'d': D(a)}, default=str)", "json.dumps([D(a)])", "D(a)", "{'x': [D(a)]}",
        "{D(a): 1}", "{D(a)} == {1}", "str(RATE * 100)", "RATE > a",
        "str(D())", "str(D(value=a))", "str(D(D(a)))", "str(D('1.10') + D(a))",
        "D('1.10') == D('1.1')",
        "[str(D('1.10')), str(D('1.1'))]", "str(D('x'))", "str(D(True))", "D(a) is True",
        "D(a) and 1",
        "str(Decimal(str(a)))", "[str(D(x)) for x in str(a).split('.')]", "str(D(a) if a else 0)",
        "str(D(a) + D(1) / D(3))", "str(D(1) / D(a))", "str(D(a) / 7)", "str(D(a) / D('0.007'))",
        "str(D('1e20') / D(a))", "D(a).as_tuple()", "D(a).real", "len(D(a))",
        "D(a)[0]",
        "a.quantize(CENT)", "str(D(*[a]))", "D(a, b)", "round(float(D(a)), 2)", "D(a) > 0.1",
    ],
)  # fmt: skip
def test_expressions(expression: str) -> None:
    function = function_of(expression, "a", **NAMES)
    if isinstance(compile_any(function), Compiled):
        same(function, [{"a": each} for each in [*USUAL, *ODD, *numbers(60)]])


def test_formats() -> None:
    chance = random.Random(3)
    several = [*USUAL, *numbers(40), *ODD]
    for _ in range(150):
        fill = chance.choice(["", "", "", "*>", "<", "^", "é>", "=", "0>", "x="])
        spec = fill + chance.choice(["", "", "+", " ", "-"]) + chance.choice(["", "", "#", "0"])
        spec += chance.choice(["", "", "1", "8", "12", "13", "30"]) + chance.choice(["", ",", "_"])
        spec += chance.choice(["", ".0", ".1", ".2", ".2", ".5", ".40"])
        spec += chance.choice(["f", "f", "f", "F", "", "%", "e", "g", "n", "d", "s"])
        records = [{"a": chance.choice(several)} for _ in range(60)]
        same(function_of(f"f'{{D(a):{spec}}}'", "a", **NAMES), records)
    assert same(function_of("f'{D(a):,.2f} {D(a):.0f} {D(a):>12}'", "a", **NAMES), []) == 0
    texts = ["1234567.891", "-0.005", "0", "999.995", "12", "1e-6"]
    both = function_of("f'{D(a):,.2f} {D(a):10.1f}|{D(a):,} {D(a):.1%}'", "a", **NAMES)
    assert same(both, [{"a": each} for each in texts]) == 0


def test_handlers() -> None:
    for kind in (
        "InvalidOperation",
        "ArithmeticError",
        "Exception",
        "(ValueError, ArithmeticError)",
    ):
        body = f"try:\n    return {{'a': str(D(r['a']))}}\nexcept {kind}:\n    return {{'no': 1}}"
        function = function_with(body, InvalidOperation=InvalidOperation, **NAMES)
        assert same(function, [{"a": each} for each in (*USUAL, "", "x", "1,5")]) == 0
        same(function, [{"a": each} for each in ODD])
    body = (
        "try:\n    return {'a': str(Decimal(r['a']))}\nexcept (ValueError, KeyError):\n    return 1"
    )
    same(function_with(body, **NAMES), [{"a": each} for each in ODD])


def invoice(r: dict[str, Any]) -> dict[str, Any]:
    total = Decimal("0")
    for line in r["lines"]:
        total += Decimal(line["price"]) * line.get("qty", 1)
    rate = RATES.get(r["country"], Decimal("0"))
    tax = (total * rate).quantize(CENT, rounding=ROUND_HALF_UP)
    gross = total + tax
    return {
        "net": str(total),
        "tax": str(tax),
        "gross": f"{gross:,.2f}",
        "cents": int(gross * 100),
        "share": float(tax / total) if total else None,
    }


def test_money_of_an_invoice() -> None:
    chance = random.Random(5)
    records = [
        {
            "country": chance.choice(["DE", "FR", "CH", "XX"]),
            "lines": [
                {"price": f"{chance.randrange(100000) / 100:.2f}", "qty": chance.randrange(1, 50)}
                for _ in range(chance.randrange(6))
            ],
        }
        for _ in range(300)
    ]
    assert same(invoice, records) == 0


def test_another_context_is_that_of_python() -> None:
    function = function_of("str(D(a) / 3)", "a", **NAMES)
    records = [{"a": "1234567"}, {"a": "2"}]
    with decimal.localcontext() as context:
        context.prec = 5
        assert same(function, records) == len(records)
    assert same(function, records) == 0
