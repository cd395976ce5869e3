"""JSON values that are difficult for parsers, as in JSONTestSuite.

Each holds no LF, so that it fits on a line.
"""

from __future__ import annotations

MAX_FLOAT = 2**1024 - 2**971
# From half a step above the largest double on, an integer rounds to infinity.
FIRST_INFINITE = 2**1024 - 2**970


def nested(depth: int, *, opening: bytes = b"[", closing: bytes = b"]", core: bytes = b"") -> bytes:
    """Nest brackets."""
    return opening * depth + core + closing * depth


def mixed(depth: int) -> bytes:
    """Nest alternating arrays and objects."""
    half, odd = divmod(depth, 2)
    return b"[" * odd + b'{"a":[' * half + b"]}" * half + b"]" * odd


def quoted(content: bytes) -> bytes:
    """Put quotes around."""
    return b'"' + content + b'"'


GOOD_STRINGS = [
    *(quoted(b"\\" + char) for char in (b'"', b"\\", b"/", b"b", b"f", b"n", b"r", b"t")),
    *(quoted(b"\\u00%02x" % code) for code in range(0x20)),
    *(quoted(bytes([code])) for code in range(0x20, 0x80) if code not in b'"\\'),
    rb'""',
    rb'"\u0022\u005c\u002F"',
    rb'"\u007f\u0080\u07ff\u0800"',
    rb'"\uD7FF\uE000\uFFFE\uffff\uFDD0"',
    rb'"\ud800\udc00\uDBFF\uDFFF"',
    rb'"\\ud800"',
    rb'"\\\\"',
    rb'"\\\""',
    *(
        quoted(char.encode())
        for char in "\x80\u07ff\u0800\ud7ff\ue000\ufeff\ufffd\ufffe\uffff\U00010000\U0010ffff"
    ),
    '"\u2028\u2029\u0085\u00a0"'.encode(),
    quoted("e\u0301\u202e\u200d\U0001f468\u200d\U0001f469".encode()),
]

BAD_ESCAPES = [
    *(quoted(b"\\" + bytes([code])) for code in range(256) if code not in b'"\\/bfnrtu\n'),
    *(quoted(b"\\u" + digits) for digits in (b"", b"0", b"00", b"000", b"00g0", b"g000", b"000g")),
    *(quoted(b"\\u" + digits) for digits in (b"+123", b"-001", b" 123", b"0x12", b"{12}")),
    quoted(b"\\u00:0"),
    quoted(b"\\u00/0"),
    quoted(b"\\u00@0"),
    quoted(b"\\u00`0"),
    quoted(b"\\u\xc3\xa9\xc3\xa9"),
    rb'"\U0041"',
    rb'"\x41"',
    rb'"\ud800"',
    rb'"\uDBFF"',
    rb'"\udc00"',
    rb'"\uDFFF"',
    rb'"\ud800a"',
    rb'"\ud800\n"',
    rb'"\ud800\u0041"',
    rb'"\ud800\ud800"',
    rb'"\ud800\ud800\udc00"',
    rb'"\udc00\ud800"',
    rb'"\ud800 \udc00"',
    rb'"\ud800\udbff"',
    rb'"\ud800\ue000"',
    rb'"\ud800\u"',
    rb'"\ud800\udc0"',
    rb'"\ud800\\udc00"',
    rb'"\ud800udc00"',
]
BAD_UTF8 = [
    quoted(content)
    for content in (
        *(bytes([code]) for code in range(0x80, 0x100)),
        *(bytes([code]) + b"\x80" for code in (0xC0, 0xC1, 0xE0, 0xE2, 0xF0, 0xF4, 0xF5, 0xFF)),
        b"\xc2\xc2",
        b"\xc2\x7f",
        b"\xc2\xc0",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xaf\xbf",
        b"\xed\xb0\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xe2\x82",
        b"\xe2\x28\xa1",
        b"\xe2\x82\x28",
        b"\xe2\x82\xc0",
        b"\xef\xbb",
        b"\xf0\x80\x80\xaf",
        b"\xf0\x8f\xbf\xbf",
        b"\xf0\x9f\x98",
        b"\xf0\x28\x8c\xbc",
        b"\xf0\x90\x28\xbc",
        b"\xf0\x90\x8c\x28",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xc3\xa9\xa9",
        b"\xf0\x9f\x98\x80\x80",
    )
]
BAD_STRINGS = [
    *(quoted(bytes([code])) for code in range(0x20) if code != 0x0A),
    b'"',
    b'"a',
    rb'"\"',
    rb'"\\\"',
    b'"\\',
    b'"\\u',
    b'"a""b"',
    b"'a'",
    b"a",
    "\u201ca\u201d".encode(),
    *BAD_ESCAPES,
    *BAD_UTF8,
]

GOOD_NUMBERS = [
    *(b"0", b"-0", b"0.0", b"-0.0", b"1", b"-1", b"10", b"0e0", b"0E+0", b"0e-0", b"1e5", b"1E5"),
    *(b"1e+5", b"1e-5", b"1.5e5", b"-1.5E-5", b"1e01", b"1e-00", b"0.1", b"0.10", b"1.000"),
    *(b"123.456", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808"),
    *(b"-9223372036854775809", b"18446744073709551615", b"18446744073709551616", b"1e308"),
    *(b"1.7976931348623157e308", b"1.7976931348623158e308", b"-1.7976931348623158e308"),
    *(b"17.976931348623157e307", b"0.00017976931348623157e312", b"1e-400", b"-1e-999999999999"),
    *(b"5e-324", b"2.4703282292062327e-324", b"4.9e-324", b"2.2250738585072011e-308"),
    *(b"0e999999999999999999999", b"-0.0e999999999", b"0e" + b"9" * 300, b"0.000e99999"),
    *(b"1" * 309, b"0." + b"0" * 400 + b"1e600", b"1" * 400 + b"e-300", b"0." + b"9" * 500),
    *(b"1e-" + digit * count for digit in (b"1", b"4", b"9") for count in range(9, 25)),
    str(MAX_FLOAT).encode(),
    str(FIRST_INFINITE - 1).encode(),
    b"-" + str(FIRST_INFINITE - 1).encode(),
    str(FIRST_INFINITE - 1).encode() + b"." + b"9" * 30,
    str(FIRST_INFINITE - 1).encode() + b"0e-1",
    str(FIRST_INFINITE)[:-1].encode() + b"e1",
]
BAD_NUMBERS = [
    *(b"01", b"-01", b"00", b"-00", b"00.1", b"1.", b"-1.", b"0.", b".5", b"-.5", b".", b"-", b"+"),
    *(b"--1", b"+1", b"+0", b"1e", b"1e+", b"1e-", b"1E", b"1.e5", b".e5", b"1.5e", b"0e", b"0e+"),
    *(b"1e1.5", b"e5", b"1.2.3", b"1..2", b"1e5e5", b"1-", b"1+1", b"1e+-5", b"0x10", b"0b1"),
    *(b"0o7", b"1_000", b"1,000 1", b"1a", b"1f", b"1 2", b"- 1", b"1 .5", b"1. 5", b"1e 5"),
    *(b"0 1", b"1\x00", b"1\x0b", b"0x", b"-a", b"NaN", b"nan", b"-NaN", b"Infinity", b"-Infinity"),
    *(b"inf", b"-inf", b"1.0.", b"1.5E+", b"-0e", "\uff11".encode(), "1\u0661".encode()),
    *("\u22121".encode(), "1\u00a0".encode(), b"1e309", b"-1e309", b"1e999", b"-1e999", b"1E400"),
    *(b"1e" + b"9" * 30, b"0.1e400", b"10e308", b"1.7976931348623159e308"),
    *(b"-1.7976931348623159e308", b"17976931348623159e292", b"1" * 310, b"1" * 400),
    *(b"2" + b"0" * 308, b"9" * 309, b"1" * 700 + b"e-300"),
    *(b"1e" + digit * count for digit in (b"1", b"4", b"9") for count in range(9, 25)),
    str(FIRST_INFINITE).encode(),
    b"-" + str(FIRST_INFINITE).encode(),
    str(FIRST_INFINITE).encode() + b".0",
    str(FIRST_INFINITE).encode() + b"0e-1",
    str(FIRST_INFINITE).encode() + b"e0",
]

GOOD_OTHERS = [
    *(b"true", b"false", b"null", b"[]", b"{}", b"[[]]", b"[{}]", b'{"":0}', b'{"a":{}}'),
    *(b"[1,2,3]", b"[ ]", b"{ }", b" [\t1 ,\r2 ] ", b'{ "a" : 1 , "b" : [ ] }', b'{"a":1,"a":2}'),
    *(b'["a","b"]', b'[null,true,false,0,"",[],{}]', b'{"a":[{"b":[{}]}]}', b'{"id":"a"}'),
    b"[[],[[]],[[],[]]]",
]
BAD_OTHERS = [
    *(b"tru", b"True", b"TRUE", b"truee", b"true1", b"truefalse", b"true false", b"fals"),
    *(b"falsey", b"t", b"nul", b"nulll", b"Null", b"None", b"undefined", b"n", b"f", b"tr\xc3\xa9"),
    *(b"tru\x00", b"null\x00", b"[", b"]", b"{", b"}", b"[}", b"{]", b"[1", b"[1,", b"[1,]"),
    *(b"[,1]", b"[,]", b"[1,,2]", b"[1 2]", b"[1}", b"[1]]", b"[[1]", b"[1],", b",", b":", b",1"),
    *(b"1,", b"[1:2]", b"[1;2]", b"(1)", b"<1>", b"{,}", b"{1:2}", b"{a:1}", b"{'a':1}", b'{"a"}'),
    *(b'{"a":}', b'{"a":1,}', b'{"a":1,,"b":2}', b'{"a" 1}', b'{"a"::1}', b'{"a":1 "b":2}'),
    *(b'{"a":1,"b"}', b'{"a":1', b'{"a":', b'{"a"', b'{"a', b'{"a":1}}', b'{"a":1]', b'{"a",1}'),
    *(b"{:1}", b"{null:1}", b"{true:1}", b"{[]:1}", b'{"a":1;"b":2}', b'{"a":1}{"b":2}', b"{} {}"),
    *(b"{}[]", b"[]{}", b'""{}', b"{}x", b"{},", b'{"a":1}#', b"[1]//", b"/**/1", b"\x00"),
    *(b"\x0b1", b"\x0c1", b"1\x0c", b"\x1f", b"\x7f", b"\xff", b"\x80", b"[\x80]", b"{\xff}"),
    *(b"[1\xff]", "\u00a01".encode(), "\u20281".encode(), "[1\u2003]".encode()),
    *("\u0085[]".encode(), "[\ufeff]".encode(), b"\xef\xbb\xbf1", b"1\xef\xbb\xbf", b"@", b"*"),
    *(b"$", b"\\", b"\\n", b"[\\]", b"#", b"%", b"&", b"?"),
]

GOOD: list[bytes] = [*GOOD_STRINGS, *GOOD_NUMBERS, *GOOD_OTHERS]
BAD: list[bytes] = [*BAD_STRINGS, *BAD_NUMBERS, *BAD_OTHERS]


def deep(depth: int) -> list[bytes]:
    """Give values of this depth in every shape."""
    return [
        nested(depth),
        nested(depth, core=b"1"),
        nested(depth, opening=b" [ ", closing=b" ] "),
        nested(depth - 1, opening=b'{"a":', closing=b"}", core=b"{}"),
        nested(depth, opening=b'{"a":', closing=b"}", core=b"null"),
        nested(depth, opening=b'{"a":', closing=b',"b":0}', core=b'""'),
        nested(depth, opening=b"[0,", closing=b",0]", core=b"0"),
        mixed(depth),
    ]
