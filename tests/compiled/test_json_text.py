"""Compiled processors: json.dumps with lines, and small functions of zlib and unicodedata."""

from __future__ import annotations

import json
import unicodedata
import zlib
from decimal import Decimal
from typing import Any

import pytest

from forstcore.compiled import Compiled
from tests.compiled.oracle import compile_any, same
from tests.compiled.snippets import function_of

NAMES: dict[str, Any] = {
    **{"json": json, "zlib": zlib, "unicodedata": unicodedata, "Decimal": Decimal},
}
VALUES: list[Any] = [
    *([], {}, [[]], [{}], {"a": []}, {"a": {}}, [1, [2, [3, []]], {"b": {"c": [None]}}], "text", 5),
    *(
        {"z": 1, "a": [1.5, True], "é": '\n"ü'},
        [[[[1]]]],
        None,
        1e300,
        {"k": {"l": {"m": "😀\x7f"}}},
    ),
    *({"n": [{"x": 1}, {"x": 2}], "t": "\u2028"}, [[], {}, [], 0], {"": ""}, [10**17, -0.0]),
]
DEEP: Any = 1
for _ in range(80):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "indent", ["2", "4", "0", "1", "-3", "64", "65", "None", "'\\t'", "'> '", "''"]
)
@pytest.mark.parametrize(
    "more", ["", ", sort_keys=True", ", separators=(',', ':')", ", ensure_ascii=False"]
)
def test_indent(indent: str, more: str) -> None:
    function = function_of(f"json.dumps(a, indent={indent}{more})", "a", **NAMES)
    given_back = same(function, [{"a": each} for each in VALUES])
    assert given_back == 0 or indent == "65"
    same(function, [{"a": DEEP}, b'{"a":["\\ud83d","\\u0000"]}'])


@pytest.mark.parametrize(
    "expression",
    [
        "json.dumps(a, indent=b)", "json.dumps({1: a, None: b}, indent=2)",
        "json.dumps(obj=a, indent=1)",
        "json.dumps((a, b), indent=2, default=str)",
        "json.dumps([Decimal('1.5')], indent=1, default=str)",
        "json.dumps(a, indent='é')", "json.dumps(a, indent=2)[:9]",
        "len(json.dumps(a, indent=True))",
        "zlib.adler32(str(a).encode())", "zlib.adler32(b'')", "zlib.adler32(b'x', 7)",
        "zlib.adler32(a)",
        "zlib.adler32(b'abc', b)", "zlib.adler32(b'\\xff' * 9000)", "zlib.crc32(str(a).encode())",
        "unicodedata.combining(a)", "''.join(c for c in str(a) if not unicodedata.combining(c))",
        "zlib.adler32(b'', 2**32 - 1)", "zlib.adler32(b'a', -1)", "zlib.adler32(b'a', 65521)",
    ],
)  # fmt: skip
def test_expressions(expression: str) -> None:
    function = function_of(expression, "ab", **NAMES)
    if isinstance(compile_any(function), Compiled):
        others: tuple[Any, ...] = (2, 0, None, "  ", True, 1.5, [], 70, 10**5, -1)
        same(function, [{"a": a, "b": b} for a in [*VALUES, "a", "é", "\u0301"] for b in others])
