"""Numbers at which arithmetic, rounding and reading go wrong, and random ones."""

from __future__ import annotations

import math
import random
import struct

__all__ = ["floats", "halves", "integers", "number_texts"]

_INTEGERS = [
    0, 1, -1, 2, -2, 3, 7, 10, -10, 63, 64, 65, 100, 255, 1000, -1000, 1_000_000_000,
    2**31 - 1, -(2**31), 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1,
    -(2**63), -(2**63) + 1, 5 * 10**18, 9 * 10**18, 1_700_000_000_123_456_789,
]  # fmt: skip
_FLOATS = [
    0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 0.3, 1 / 3, 1.0, -1.0, 1e-5, 2.675, 1.005, 0.125,
    1e15, 1e16, 1e17, 1e22, 1e23, 4.5e15, 2.0**52 + 0.5, 2.0**53, 2.0**63, -(2.0**63), 2.0**64,
    5e-324, -5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1e308, 1.7976931348623157e308,
    0.49999999999999994, 0.5000000000000001, 4503599627370495.5, 1e-300, 5e18, 1.5e19, 9.5, 1e3,
]  # fmt: skip


def integers(random_: random.Random, count: int) -> list[int]:
    """Return integers of all sizes within 64 bits, the nasty ones first."""
    some = [random_.getrandbits(random_.randint(1, 63)) for _ in range(count)]
    return _INTEGERS + [each * random_.choice((1, -1)) for each in some]


def floats(random_: random.Random, count: int) -> list[float]:
    """Return finite floats of all sizes, the nasty ones first."""
    result = list(_FLOATS)
    while len(result) < len(_FLOATS) + count:
        kind = random_.randrange(4)
        if kind == 0:
            (number,) = struct.unpack("<d", random_.randbytes(8))
        elif kind == 1:
            number = random_.uniform(-1000, 1000)
        elif kind == 2:
            number = random_.randint(-(10**9), 10**9) / 10 ** random_.randint(0, 9)
        else:
            number = random_.randint(-(2**53), 2**53) * 2.0 ** random_.randint(-60, 10)
        if math.isfinite(number):
            result.append(number)
    return result


def halves(random_: random.Random, count: int) -> list[tuple[float, int]]:
    """Return floats at or beside the middle of two decimal numbers, with the places of these."""
    result = []
    for _ in range(count):
        places = random_.randint(-20, 25)
        digits = random_.randint(0, 10 ** random_.randint(1, 17))
        number = float(f"{digits}5e{-places - 1}")
        for _ in range(random_.randrange(3)):
            number = math.nextafter(number, random_.choice((0, math.inf)))
        result.append((random_.choice((number, -number)), places))
    return result


def number_texts(random_: random.Random, count: int) -> list[str]:
    """Return texts that are numbers in Python, or nearly."""
    parts = [
        "1", "23", "0", "00", "7", "456789", "_", ".", "e", "E", "+", "-", " ", "\t", "\n", "inf",
        "Infinity", "nan", "NaN", "x", "0x", "b", "f", "1e5", "12.5", "\x1c", "\0", "9" * 20, "\v",
        "e-3", "\xa0", "٣", "1_0",
    ]  # fmt: skip
    result = [
        "",
        " ",
        "-",
        "+1",
        "--1",
        "1__0",
        "1_",
        "_1",
        "+_1",
        "0x_f",
        "0x",
        "9" * 400,
        "0" * 5000,
        "1e400",
    ]
    result += [
        "1e400",
        "-nan",
        "1e-400",
        "  12  ",
        "0_0",
        "1_0.0_1e1_0",
        "1._0",
        ".5",
        "5.",
        ".",
        "٣",
    ]
    for _ in range(count):
        result.append("".join(random_.choices(parts, k=random_.randint(1, 4))))
    return result
