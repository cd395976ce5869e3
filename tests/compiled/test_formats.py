"""f-strings, format(), the operator % and str() in compiled processors."""

from __future__ import annotations

import itertools
import math
import random
import struct
import sys
from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.snippets import function_of
from tests.compiled.test_strings import text

# Of s, a string, i, an integer, x, a float, v, any value.
USUAL = [
    "f'{s}: {i} {x} {v}'",
    "f'{s!r} {s!s} {s!a}'",
    "f'{i:d}|{i:5}|{i:05}|{i:+}|{i: }|{i:,}|{i:_}|{i:<8}|{i:^8}|{i:>8}|{i:*>8}|{i:=+8}'",
    "f'{i:x}|{i:X}|{i:#x}|{i:08b}|{i:#o}|{i:_x}|{i:#_b}|{i:010,}|{i:04,}|{i:+08_}|{i:020_x}'",
    "f'{x:.2f}|{x:.0f}|{x:8.3f}|{x:08.1f}|{x:+.1f}|{x:,.2f}|{x:<10.2f}|{x:^10.1f}|{x:.10f}'",
    "f'{x:f}|{x:F}|{x:_.1f}|{x:015,.2f}|{x:.1%}|{x:%}|{x:.19f}|{x:.25f}|{x: .3f}'",
    "f'{x:e}|{x:.0e}|{x:.3E}|{x:g}|{x:.3g}|{x:.10G}|{x:.0g}|{x:12.4e}|{x:.17g}|{x:.30e}'",
    "f'{x:.3}|{x:.17}|{x:10}|{x:,}|{x:+}|{x:010}|{x:.1}|{x:_}|{x:<20}|'",
    "f'{i:.2f}|{i:e}|{i:g}|{i:%}|{i:,.1f}'",
    "f'{s:10}|{s:>10}|{s:^11}|{s:*<9}|{s:.3}|{s:é^7.2}|{s:05}|{s:s}|{s:>{w}}|{s!r:>20}'",
    "f'{i:{w}}|{x:{w}.{p}f}|{s:{f}}'",
    "f'{{}} {s}\\n'",
    "format(x, '.3f') + format(i) + format(s, '>8') + format(None, '') + format(i, f)",
    "'{} {:>5} {x:.1f}'.format(s, i, x=x) + '{1}-{0}'.format(s, i)",
    "[str(s), str(i), str(x), str(v), str(), str(True), str(None), str([s, i, x, v])]",
    "[repr(s), repr(i), repr(x), repr(v), ascii(s), repr((s,)), repr(()), repr({s: [i, {}]})]",
    "'%s %d %i %r' % (s, i, i, s)",
    "'%s' % s",
    "'%d%%' % i",
    "'%5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o' % (i, i, i, i, i, i, i, i, i)",
    "'%.2f|%8.3f|%-8.1f|%08.2f|%+.1f|%e|%g|%.0f|%f' % (x, x, x, x, x, x, x, x, i)",
    "'%d' % x",
    "'%10s|%-10s|%.3s|%5.1s|%05s|%a' % (s, s, s, s, s, s)",
    "'%(s)s and %(i)03d' % {'s': s, 'i': i}",
    "'%s %s' % (v, [v])",
    "'%s' % [v, s]",
    # What Python refuses.
    "'%d' % s",
    "'%s' % (s, i)",
    "'%s %s' % (s,)",
    "'%x' % x",
    "'%(a)s' % {'s': s}",
    "f'{None:5}'",
    "f'{[s]:5}'",
]

SPECIAL = [0.0, -0.0, 0.5, 1.5, 2.5, 0.125, 0.375, 1e15, 1e16, 1e17, 123456789.125, 1e21, 1e22]
SPECIAL += [9.995, 0.9995, 99999.5, 999999.5, 9999995.0, 0.0001, 0.00001, 5e-324, 1e-310, 1e100]
SPECIAL += [sys.float_info.max, sys.float_info.min, 2.0**63, 2.0**64, 2.0**53 + 2, 0.1 + 0.2, 100.0]


def number(source: random.Random) -> float:
    kind = source.randrange(6)
    if kind == 0:
        return source.choice(SPECIAL) * source.choice([1.0, -1.0])
    if kind == 1:
        return source.uniform(-1000, 1000)
    if kind == 2:
        return round(source.uniform(-100, 100), source.randint(0, 4))
    if kind == 3:
        # Halfway between two results, exactly.
        return math.ldexp(source.randint(-(10**6), 10**6), -source.randint(1, 12))
    if kind == 4:
        return source.uniform(-10, 10) * float(f"1e{source.randint(-25, 25)}")
    value: float = math.nan
    while not math.isfinite(value):
        (value,) = struct.unpack("<d", source.randbytes(8))
    return value


def records(seed: str, count: int, *, plain: bool = False) -> list[dict[str, Any]]:
    source = random.Random(seed)
    found = []
    for _ in range(count):
        s = text(source, source.choice([3, 12, 40]))
        if plain and not s.isascii():
            s = "plain"
        i = source.choice([0, 7, -1, 10, 999, 1000, -12345, 123456789, 2**63 - 1, -(2**63)])
        if source.random() < 0.5:
            i = source.randint(-(10 ** source.randint(1, 18)), 10 ** source.randint(1, 18))
        values = [None, True, False, s, i, 1.5, [], {}, [s, 1.0, None], {"k": [True, {"s": s}]}]
        found.append(
            {
                "s": s,
                "i": i,
                "x": number(source),
                "v": source.choice(values),
                "w": source.randint(1, 20),
                "p": source.randint(0, 12),
                "f": source.choice(["", "5", ">4", "^9"]),
            }
        )
    return found


@pytest.mark.parametrize("expression", USUAL)
def test_a_format_is_that_of_python(expression: str) -> None:
    assert same(function_of(expression, "sixvwpf"), records(expression, 200)) < 200


@pytest.mark.parametrize("expression", USUAL)
def test_values_of_everyday_life_are_not_given_back(expression: str) -> None:
    usual = [each for each in records(expression, 200, plain=True) if abs(each["x"]) < 1e15]
    assert same(function_of(expression, "sixvwpf"), usual) == 0


def specifications(seed: str, count: int) -> list[str]:
    """Return specifications, of which some are none."""
    source = random.Random(seed)

    def part(*choices: str) -> str:
        return source.choice(choices)

    return [
        part("", "", "<", ">", "^", "=", "*<", "0>", "é^", " =", "0=", "_>", "'<")
        + part("", "", "", "+", "-", " ")
        + part("", "", "", "", "#", "z")
        + part("", "", "", "0")
        + part("", "", "1", "5", "8", "12", "20", "33")
        + part("", "", "", ",", "_")
        + part("", "", ".0", ".1", ".2", ".3", ".6", ".12", ".20", ".40", ".")
        + part(
            "", "", "d", "b", "o", "x", "X", "e", "E", "f", "F", "g", "G", "%", "s", "n", "c", "q"
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("value", ["s", "i", "x", "v", "True"])
def test_any_specification_is_that_of_python(value: str) -> None:
    for specification in specifications(value, 60):
        expression = f"format({value}, {specification!r})"
        same(function_of(expression, "sixv"), records(specification, 12))


@pytest.mark.parametrize("value", ["s", "i", "x", "True"])
def test_a_specification_may_be_any_character(value: str) -> None:
    same(
        function_of(f"format({value}, chr(i))", "six"),
        [{"s": "u", "i": i, "x": 1.5} for i in range(128)],
    )


@pytest.mark.long
@pytest.mark.parametrize("value", ["s", "i", "x", "v", "True"])
def test_many_specifications_are_those_of_python(value: str) -> None:
    for specification in specifications(f"long {value}", 600):
        expression = f"format({value}, {specification!r})"
        same(function_of(expression, "sixv"), records(specification, 30))


@pytest.mark.long
@pytest.mark.parametrize("expression", USUAL)
def test_a_format_is_that_of_python_in_many_cases(expression: str) -> None:
    same(function_of(expression, "sixvwpf"), records(f"long {expression}", 20_000))


@pytest.mark.long
def test_percent_formats_are_those_of_python() -> None:
    source = random.Random("percent")
    flags = ["", "-", "0", "+", " ", "#", "-0", "+0", " +"]
    sizes = ["", "1", "6", "15", "09"]
    precisions = ["", ".", ".0", ".2", ".9", ".25"]
    for flag, size, precision in itertools.product(flags, sizes, precisions):
        kind = source.choice("sradiuxXoeEfFgGcq%")
        for name in "sixv":
            expression = f"'<%{flag}{size}{precision}{kind}>' % ({name},)"
            same(function_of(expression, "sixv"), records(expression, 40))


def test_what_repr_prints_is_printed_by_every_version() -> None:
    letters = [chr(point) for point in range(0x20000) if not 0xD800 <= point < 0xE000]
    groups = [{"s": "".join(letters[i : i + 16])} for i in range(0, len(letters), 16)]
    assert same(function_of("repr(s)", "s"), groups) < len(groups)
