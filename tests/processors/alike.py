"""Print the results of a Python processor for edge cases, to compare installations.

Arguments: names of modules to hide.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import io
import logging
import sys
import uuid
from collections import OrderedDict
from typing import Any, NamedTuple

if __name__ == "__main__":
    for hidden in sys.argv[1:]:
        sys.modules[hidden] = None  # type: ignore[assignment]

import forstcore
from forstcore._io import json_lines as codec


@dataclasses.dataclass
class Typed:
    id: Any = None
    n: Any = None


@dataclasses.dataclass
class Whole:
    n: int = 0


class Point(NamedTuple):
    x: int
    y: float


class Level(enum.Enum):
    HIGH = "high"


class Number(enum.IntEnum):
    ONE = 1


class Name(str):
    pass


def same(record: dict[str, Any]) -> dict[str, Any]:
    return record


async def same_async(record: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return record


def typed(record: Typed) -> dict[str, Any]:
    return {"id": record.id, "n": record.n}


def whole(record: Whole) -> Whole:
    return record


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def circle() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


RESULTS: list[Any] = [
    {"n": float("nan")},
    {"n": float("inf")},
    {"n": [1, {"m": -float("inf")}]},
    {"n": 2**63 - 1},
    {"n": 2**63},
    {"n": 2**64 - 1},
    {"n": 2**64},
    {"n": -(2**63)},
    {"n": -(2**63) - 1},
    {"n": 2**70},
    {"n": 10**5000},
    {"n": [1e16, 1e15, 1e-4, 1e-5, 1.5e-7, 1e22, 5e-324, -0.0, 0.1, 1e100, 1.7976931348623157e308]},
    {"n": [123456789012345680.0, 9999999999999998.0, 1 / 3, 2.0**53, 2.0**63, 100.0]},
    {1: "a"},
    {None: "a"},
    {True: "a"},
    {1.5: {"x": 1}},
    {"a": {2: 3}},
    {Name("a"): Name("b")},
    {"\ud800": 1},
    {"a": "\udfff"},
    {"a": '\x00\x1f\x7f\u2028\u2029"\\/\b\f\n\r\t é😀'},
    {"a": b"bytes"},
    {"a": {1, 2}},
    {"a": object},
    {"a": 1 + 2j},
    {"a": Level.HIGH, "b": Number.ONE},
    {"a": datetime.datetime(2024, 1, 2, 3, 4, 5, 6, datetime.UTC)},
    {"a": datetime.datetime(2024, 1, 2, 3, 4, 5)},
    {"a": datetime.date(2024, 1, 2), "b": datetime.time(1, 2, 3)},
    {"a": uuid.UUID(int=5)},
    {"a": Point(1, 2.5)},
    {"a": (1, (2, 3))},
    {"a": Typed(Typed(1, float("nan")), 2)},
    {"a": Typed("x", [2**64, Typed(2**80)])},
    OrderedDict(b=1, a=2),
    {"a": nested(190)},
    {"a": nested(260)},
    {"a": nested(498)},
    {"a": nested(499)},
    {"a": nested(500)},
    {"a": nested(2000)},
    {"a": circle()},
    "text",
    5,
    True,
]


def choose(record: dict[str, Any]) -> Any:
    return [RESULTS[record["n"]]]


async def choose_async(record: dict[str, Any]) -> Any:
    return [RESULTS[record["n"]]]


NUMBERS = [
    *(
        "0",
        "-0",
        "-0.0",
        "0.0",
        "1e0",
        "1E5",
        "1e-5",
        "0.00001",
        "1e22",
        "1e400",
        "-1e400",
        "1e-400",
    ),
    *("9007199254740993", "9007199254740993.0", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "-9223372036854775809", "18446744073709551615"),
    *("18446744073709551616", "18446744073709551617", "12345678901234567890123", "1" + "0" * 307),
    *("1" + "0" * 400, "-" + "9" * 300, "1." + "0" * 5000, "0." + "9" * 40, "01", "1.", ".5", "+1"),
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "1_000",
        "0x10",
        "4.9e-324",
        "2.4703282292062327e-324",
    ),
    *("1.7976931348623157e308", "1.7976931348623159e308", "179769313486231580793e289"),
]
LINES = [
    *(b'{"id":"1","n":%b}' % number.encode() for number in NUMBERS),
    b'{"n":1,"m":2,"n":3}',
    b'{"a":{"n":1,"n":18446744073709551616}}',
    b'{"id":"12345678901234567890","n":"-12345678901234567890"}',
    *(
        b'{"id":"%b"}' % text
        for text in (rb"\ud800", rb"\udc00\ud800", rb"\ud83d\ude00", b"\xed\xa0\x80")
    ),
    *(
        b'{"id":"%b"}' % text
        for text in (b"\x00", b"\x1f", b"\x7f", rb"\u0000", rb"\/", b"\xff", b"\xc0\x80")
    ),
    *(
        b'{"n":%b1%b}' % (b"[" * n, b"]" * n)
        for n in (100, 199, 201, 253, 255, 499, 500, 1023, 1024)
    ),
    *(b'{"n":%b1%b}' % (b'{"a":' * n, b"}" * n) for n in (199, 255, 498, 499, 500, 1023, 1024)),
    b'{"n":"%b"}' % (b"[" * 3000),
    *(
        b"[]",
        b"1",
        b"",
        b"{",
        b'{"n":1}x',
        b'{"n":1,}',
        b"{'n':1}",
        b'{"n":tru}',
        b"\xef\xbb\xbf{}",
    ),
]


def main() -> None:
    logging.disable(logging.CRITICAL)
    data = b"\n".join(LINES)
    chosen = b"".join(b'{"n":%d}\n' % number for number in range(len(RESULTS)))
    for processor in (same, same_async, typed, whole):
        if processor in (typed, whole) and sys.modules.get("msgspec", 1) is None:
            continue
        for mode in ("emit", "skip"):
            print(processor.__name__, mode)
            for part in forstcore.process(data, processor, on_error=mode):
                print(part.decode(), end="")
    for chooser in (choose, choose_async):
        print(chooser.__name__)
        for part in forstcore.process(chosen, chooser, on_error="emit"):
            print(part.decode(), end="")
    for value in RESULTS:
        file = io.BytesIO()
        try:
            codec.dump_lines([value], file)
        except (TypeError, ValueError) as error:
            print(type(error).__name__, error)
        print(file.getvalue().decode(), end="")
    for line in LINES:
        for read in (codec.loads, codec.load_lines):
            try:
                value = read(line if read is codec.loads else line + b"\n")
            except ValueError:
                print("ValueError")
            else:
                print(type(value).__name__, str(value)[:400] if line.count(b"[") < 200 else "")


if __name__ == "__main__":
    main()
