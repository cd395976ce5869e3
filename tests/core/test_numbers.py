"""Numbers in C: read as `float` and `int` read them, written as `repr` writes them."""

from __future__ import annotations

import math
import random
import shutil
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import forstcore
from forstcore._io.json_lines import dump_line, loads
from tests import children
from tests.native import build

SOURCE = Path(__file__).parent.parent / "native" / "number_text.c"
INFINITY = 2047 << 52


@pytest.fixture(scope="module", params=["128 bits", "64 bits"])
def numbers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The functions in C, with the compiler's products of 128 bits and without."""
    undefined = ("__SIZEOF_INT128__",) if request.param == "64 bits" else ()
    return build(SOURCE, tmp_path_factory.mktemp("numbers"), undefined=undefined)


def double(bits: int) -> float:
    number: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return number


def same(one: float, other: float) -> bool:
    return struct.pack("<d", one) == struct.pack("<d", other)


def middle(bits: int) -> str:
    """Write the number exactly between a positive double and the next one."""
    exact = (Fraction(double(bits)) + Fraction(double(bits + 1))) / 2
    places = exact.denominator.bit_length() - 1
    return f"{exact.numerator * 5**places}e-{places}"


def neighbours(text: str) -> Iterator[str]:
    """Write a number in several ways, and the numbers just below and above it."""
    digits, exponent = text.split("e")
    for zeros in (0, 2, 60):
        padded, scale = digits + "0" * zeros, int(exponent) - zeros
        for delta in (-1, 0, 1):
            yield f"{int(padded) + delta}e{scale}"
        if 0 < -scale < len(padded):
            yield f"{padded[:scale]}.{padded[scale:]}"
        yield f"0.{padded}E{scale + len(padded)}"
    yield f"{digits}{'0' * 900}1e{int(exponent) - 901}"


def check_integer(numbers: ModuleType, number: int) -> None:
    expected = number if -(2**63) <= number < 2**63 else None
    assert numbers.read_integer(str(number).encode()) == expected


def doubles() -> Iterator[float]:
    """Yield the doubles around each power of two and of ten."""
    for exponent in range(2047):
        for distance in range(-2, 3):
            bits = (exponent << 52) + distance
            if 0 <= bits < INFINITY:
                yield double(bits)
    for exponent in range(-323, 309):
        power = float(f"1e{exponent}")
        yield from (power, math.nextafter(power, 0), math.nextafter(power, math.inf))


finite = st.floats(allow_nan=False, allow_infinity=False)
digits = st.text("0123456789", min_size=1, max_size=40)
integers = st.integers() | st.integers(-(10**4), 10**4) | st.integers(-(2**70), 2**70)
texts = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    digits.map(lambda text: text.lstrip("0") or "0"),
    st.just("") | digits.map(".{}".format),
    st.just("") | st.builds("{}{}".format, st.sampled_from(["e", "E+", "e-"]), st.integers(0, 330)),
).filter(lambda text: math.isfinite(float(text)))


class TestTable:
    """The powers of ten."""

    def test_it_is_what_integers_give(self, numbers: ModuleType) -> None:
        for exponent in range(numbers.LEAST_POWER, numbers.LARGEST_POWER + 1):
            high, low, binary = numbers.power(exponent)
            power = Fraction(10) ** exponent
            assert 1 <= power / Fraction(2) ** binary < 2
            scaled = power * Fraction(2) ** (127 - binary)
            assert high << 64 | low == math.ceil(scaled)
            exact = 0 <= exponent <= numbers.LARGEST_EXACT_POWER
            assert (scaled.denominator == 1) == exact


class TestReading:
    """Text to doubles and integers."""

    @given(finite)
    def test_what_repr_writes(self, numbers: ModuleType, number: float) -> None:
        assert same(numbers.read_number(repr(number).encode()), number)

    @given(texts)
    def test_any_text(self, numbers: ModuleType, text: str) -> None:
        assert same(numbers.read_number(text.encode()), float(text))

    @given(st.integers(0, INFINITY - 2) | st.integers(0, 2**53))
    def test_the_middle_of_two_doubles(self, numbers: ModuleType, bits: int) -> None:
        for text in neighbours(middle(bits)):
            assert same(numbers.read_number(text.encode()), float(text))

    @given(st.integers(2**53, 2**53 + 2**20) | st.integers(2**53, 2**64), st.integers(0, 12))
    def test_integers_that_are_no_doubles(
        self, numbers: ModuleType, number: int, places: int
    ) -> None:
        for text in (f"{number}", f"-{number}.{'0' * places}", f"{number}.{'0' * places}1"):
            text = text.removesuffix(".")
            assert same(numbers.read_number(text.encode()), float(text))

    def test_around_each_power_of_two_and_ten(self, numbers: ModuleType) -> None:
        for number in doubles():
            for text in (repr(number), f"{number:.16e}", f"{number:.25e}"):
                if math.isfinite(float(text)):
                    assert same(numbers.read_number(text.encode()), float(text))

    def test_all_exponents(self, numbers: ModuleType) -> None:
        for exponent in range(-345, 309):
            for digits in ("1", "9", "9007199254740993", "1.7976931348623157", "0.00024703282292"):
                text = f"{digits}e{exponent}"
                if math.isfinite(float(text)):
                    assert same(numbers.read_number(text.encode()), float(text))

    @pytest.mark.parametrize(
        "text",
        [
            "0e999999999999999999999",
            "1e-999999999999999999999",
            "-1e-400",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.2250738585072011e-308",
            "1e-0",
            "1E+00000000000000000000000000000000000000000000000002",
            "0." + "0" * 5000 + "1e5000",
            "1" + "0" * 300 + "." + "0" * 500 + "1",
            "0." + "0" * 400 + "9" * 800 + "e401",
            "17976931348623157" + "0" * 292,
            "1797693134862315807" + "9" * 290,
            "9" * 308,
        ],
    )
    def test_extremes(self, numbers: ModuleType, text: str) -> None:
        assert same(numbers.read_number(text.encode()), float(text))

    @given(integers)
    def test_integers(self, numbers: ModuleType, number: int) -> None:
        check_integer(numbers, number)

    @pytest.mark.parametrize("distance", [-2, -1, 0, 1, 2])
    @pytest.mark.parametrize("bound", [0, 2**63, -(2**63), 10**18, 10**19, 2**64])
    def test_integers_at_their_bounds(self, numbers: ModuleType, bound: int, distance: int) -> None:
        check_integer(numbers, bound + distance)

    @pytest.mark.parametrize("text", [b"1.0", b"1e5", b"12345678.5", b"123456789e1", b"-0.0"])
    def test_what_has_a_fraction_or_an_exponent_is_no_integer(
        self, numbers: ModuleType, text: bytes
    ) -> None:
        assert numbers.read_integer(text) is None

    def test_minus_zero_is_an_integer(self, numbers: ModuleType) -> None:
        assert numbers.read_integer(b"-0") == 0


def test_numbers_of_each_length(numbers: ModuleType) -> None:
    """Up to 16 bytes are read at once; a point may be anywhere among them."""
    chosen = random.Random(16)
    for size in range(1, 20):
        for point in (None, *range(1, size - 1)):
            for sign in ("", "-"):
                text = f"{chosen.randrange(10**size):0{size}}"
                if point is not None:
                    text = f"{int(text[:point])}.{text[point + 1 :]}"
                text = sign + (text if point is not None else str(int(text)))
                assert same(numbers.read_number(text.encode()), float(text))
                written = dump_line(loads(text.encode())).rstrip()
                assert numbers.write_normalized(text.encode()) == written


class TestWriting:
    """Doubles and integers to text."""

    @given(finite)
    def test_doubles(self, numbers: ModuleType, number: float) -> None:
        assert numbers.write_number(number) == repr(number).encode()

    def test_doubles_with_random_bits(self, numbers: ModuleType) -> None:
        bits = random.Random(1)
        for _ in range(20_000):
            number = double(bits.getrandbits(64))
            if math.isfinite(number):
                assert numbers.write_number(number) == repr(number).encode()

    def test_around_each_power_of_two_and_ten(self, numbers: ModuleType) -> None:
        for number in doubles():
            assert numbers.write_number(number) == repr(number).encode()

    @given(st.integers(-(10**17), 10**17), st.integers(0, 22))
    def test_short_ones(self, numbers: ModuleType, number: int, places: int) -> None:
        assert numbers.write_number(number / 10**places) == repr(number / 10**places).encode()

    @given(st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**4), 10**4))
    def test_integers(self, numbers: ModuleType, number: int) -> None:
        assert numbers.write_integer(number) == str(number).encode()

    def test_integers_of_all_sizes(self, numbers: ModuleType) -> None:
        for size in range(19):
            for number in (10**size - 1, 10**size, -(10**size), 10**size + 1):
                assert numbers.write_integer(number) == str(number).encode()
        for number in (2**63 - 1, -(2**63)):
            assert numbers.write_integer(number) == str(number).encode()


class TestNormalizing:
    """Text to what a processor in Python writes of what it reads."""

    @given(texts)
    def test_any_text(self, numbers: ModuleType, text: str) -> None:
        assert numbers.write_normalized(text.encode()) + b"\n" == dump_line(loads(text.encode()))

    @given(st.from_regex(r"-?(0|[1-9][0-9]{0,8})\.[05]{0,6}[0-9]{1,4}", fullmatch=True))
    def test_short_ones(self, numbers: ModuleType, text: str) -> None:
        assert numbers.write_normalized(text.encode()) == repr(float(text)).encode()

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("0.00", "0.0"),
            ("1.0e2", "100.0"),
            ("1E16", "1e+16"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("0.00000", "0.0"),
            ("12.50", "12.5"),
            ("1e-400", "0.0"),
            ("9" * 300, "9" * 300),
            ("-123456789012345678901234567890", "-123456789012345678901234567890"),
            ("0.1000000000000000055511151231257827", "0.1"),
        ],
    )
    def test_cases(self, numbers: ModuleType, text: str, written: str) -> None:
        assert numbers.write_normalized(text.encode()) == written.encode()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("language", ["-std=c11", "-std=c++11"])
def test_the_headers_compile_without_warnings(tmp_path: Path, compiler: str, language: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not here; one compiler is enough")
    source = tmp_path / "processor.c"
    source.write_text('#include "forstcore.h"\nint main(void) { return 0; }\n')
    kind = "c++" if "++" in language else "c"
    command = [compiler, language, "-x", kind, "-fsyntax-only", "-I", forstcore.get_include()]
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    children.run([*command, *warnings, str(source)], check=True)
