"""Compiled processors: functions of the standard library."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import json
import os
import subprocess
import sys
import unicodedata
import uuid
import zlib
from bisect import bisect, bisect_left, bisect_right
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import (
    parse_qs,
    parse_qsl,
    quote,
    quote_plus,
    unquote,
    unquote_plus,
    urlencode,
    urlparse,
    urlsplit,
    urlunparse,
    urlunsplit,
)

import pytest

from tests.compiled.oracle import same
from tests.compiled.random_values import random_text, random_value
from tests.compiled.snippets import function_of

NAMES = {
    each.__name__: each
    for each in (
        *(base64, binascii, hashlib, hmac, html, json, unicodedata, uuid, zlib, date, datetime),
        *(parse_qs, parse_qsl, quote, quote_plus, unquote, unquote_plus, urlencode),
        *(urlparse, urlsplit, urlunparse, urlunsplit),
    )
}
WRONG: list[Any] = [None, True, 7, 1.5, [], ["a"], {}, {"a": 1}]


def check(expression: str, texts: list[Any], given_back: int | None = None) -> None:
    """Compare an expression of `a` with Python's; say how many may be given back."""
    function = function_of(expression, "a", **NAMES)
    found = same(function, [{"a": text} for text in texts])
    if given_back is not None:
        assert found <= given_back


def texts(seed: int, count: int = 60) -> list[str]:
    rng = Random(seed)
    return [
        "",
        "a",
        "é",
        "日本",
        "\U0001f600",
        "x" * 300,
        *(random_text(rng) for _ in range(count)),
    ]


# Bytes and digests.


@pytest.mark.parametrize("name", ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b"])
def test_digests_of_all_lengths(name: str) -> None:
    lengths = [*range(140), 239, 240, 255, 256, 257, 1000]
    inputs = ["abcdé"[: length % 5] + "x" * length for length in lengths]
    check(f"hashlib.{name}(a.encode()).hexdigest()", inputs, 0)
    check(f"hashlib.new('{name}', a.encode('utf-8')).hexdigest()[:12]", inputs[:9], 0)
    check(f"hashlib.{name}(a).hexdigest()", ["a"])
    check(f"hashlib.{name}(a.encode()).hexdigest()", WRONG)
    check(f"hashlib.{name}().hexdigest()", ["a"], 0)


def test_digests_in_parts() -> None:
    def md5(r: dict[str, Any]) -> dict[str, Any]:
        digest = hashlib.md5(usedforsecurity=False)
        for part in r["parts"]:
            digest.update(part.encode())
        before = digest.hexdigest()
        digest.update(b"\x00")
        return {"before": before, "after": digest.digest().hex()}

    def blake2b(r: dict[str, Any]) -> dict[str, Any]:
        digest = hashlib.blake2b(digest_size=20)
        for part in r["parts"]:
            digest.update(part.encode())
        return {"digest": digest.hexdigest()}

    rng = Random(3)
    records = [
        {"parts": ["y" * rng.choice((0, 1, 63, 64, 65, 128)) for _ in range(n)]} for n in range(9)
    ]
    assert same(md5, records) == same(blake2b, records) == 0
    same(md5, [{"parts": [each]} for each in WRONG] + [{"parts": "ab"}])


def test_keyed_digests() -> None:
    keys = ["", "k", "x" * 64, "x" * 65, "é" * 100]
    check("hmac.new(a.encode(), b'message', hashlib.sha256).hexdigest()", keys, 0)
    check("hmac.new(a.encode(), b'message', 'sha512').digest().hex()", keys, 0)
    check("hmac.new(a.encode(), a.encode(), digestmod=hashlib.md5).hexdigest()", keys, 0)
    check("hmac.new(b'key', msg=a.encode(), digestmod='sha1').hexdigest()", keys, 0)
    check("hashlib.blake2b(a.encode(), key=b'secret', digest_size=9).hexdigest()", keys, 0)
    check("hmac.new(b'key', a, 'sha1').hexdigest()", ["a", *WRONG])
    check("hmac.new(b'key', a.encode(), 'nothing').hexdigest()", ["a"])


_REFUSED_DIGESTS = """
import hashlib, hmac, uuid
from forstcore.compiled import Compiled
from tests.compiled.oracle import compile_any, same
from tests.compiled.snippets import function_of

for expression in (
    "hashlib.md5(a.encode()).hexdigest()",
    "hashlib.new('md5', a.encode()).hexdigest()",
    "hashlib.new(name='md5', data=a.encode()).hexdigest()",
    "hashlib.new(a).hexdigest()",
    "hmac.new(b'key', a.encode(), hashlib.md5).hexdigest()",
    "hmac.new(b'key', a.encode(), 'md5').hexdigest()",
    "hmac.new(b'key', b'message', a).hexdigest()",
    "str(uuid.uuid5(uuid.NAMESPACE_DNS, a))",
):
    function = function_of(expression, "a", hashlib=hashlib, hmac=hmac, uuid=uuid)
    if isinstance(compile_any(function), Compiled):
        same(function, [{"a": "md5"}, {"a": "sha256"}])
"""


def test_digests_that_openssl_refuses(tmp_path: Path) -> None:
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = init\n[init]\nalg_section = algorithms\n"
        "[algorithms]\ndefault_properties = fips=yes\n"
    )
    environment = {**os.environ, "OPENSSL_CONF": str(configuration)}
    subprocess.run([sys.executable, "-c", _REFUSED_DIGESTS], check=True, env=environment)


def test_checksums_and_uuids() -> None:
    check("zlib.crc32(a.encode())", texts(1), 0)
    check("zlib.crc32(a.encode(), 12345) % 16", texts(1), 0)
    check("binascii.crc32(a.encode())", texts(2), 0)
    check("str(uuid.uuid5(uuid.NAMESPACE_URL, a))", texts(2), 0)
    check("str(uuid.uuid5(uuid.NAMESPACE_DNS, a))", WRONG)
    check("uuid.uuid5(uuid.NAMESPACE_DNS, a).hex[:12]", texts(3), 0)


def test_uuids_of_text() -> None:
    usual = [str(uuid.UUID(int=i << 64 | 0xABCDEF << 40 | i)) for i in (0, 1, 0xFFFF, 77 << 50)]
    usual += (
        [each.upper() for each in usual] + [f"{{{each}}}" for each in usual] + ["", "y", "-" * 32]
    )
    usual += [each.replace("-", "") for each in usual] + ["g" * 32, usual[0][:-1], usual[0] + "0"]
    for expression in ("str(uuid.UUID(a))", "uuid.UUID(a).hex"):
        check(expression, usual, 0)
        check(expression, [*WRONG, *texts(5), "é" * 32, "urn:uuid:" + usual[0], "+" + "1" * 31])
        check(expression, ["1_" * 16, " " + "1" * 31, "0x" + "1" * 30, "١" * 32, "{1}" * 12, "}-{"])


def test_comparing_digests() -> None:
    check("hmac.compare_digest(a, 'abc')", [*texts(6), "abc", "abcd", ""])
    check("hmac.compare_digest(a.encode(), b'abc')", ["abc", "abd", "", "é"], 0)
    check("hmac.compare_digest(a, a)", [*WRONG, "é", "abc"])
    check("hmac.compare_digest(a, b'abc')", [*WRONG, "abc"])


def test_normalized_text() -> None:
    check("unicodedata.normalize('NFKD', a).encode('ascii', 'ignore').decode()", texts(7))
    check("unicodedata.normalize('NFC', a)", ["abc", "", "A b\n"], 0)
    check("unicodedata.normalize(a, 'x')", [*WRONG, "NFD", "nfc", ""])
    check("unicodedata.normalize('NFC', a)", WRONG)


def test_bytes() -> None:
    inputs = [*texts(4), "a" * 9]
    for expression in (
        *("len(a.encode())", "bool(a.encode())", "a.encode().hex()", "a.encode('ascii')[:3].hex()"),
        *("a.encode('ascii', 'ignore').decode()", "a.encode('utf8')[0]", "a.encode()[-1]"),
        *("a.encode()[1:3].decode()", "a.encode()[1:].decode('utf-8', 'replace')"),
        *("int.from_bytes(a.encode()[:4], 'big')", "int.from_bytes(a.encode()[:8], 'little')"),
        *("int.from_bytes(a.encode()[:8], 'big', signed=True)", "a.encode('latin-1').hex()"),
        *(
            "a.encode() + b'x'",
            "a.encode() == b'a'",
            "a.encode()",
            "[a.encode()]",
            "str(a.encode())",
        ),
        *("a.encode()['x']", "a.encode().encode()", "a.decode()", "list(a.encode())"),
    ):
        check(expression, [*inputs, *WRONG])
    check("bytes.fromhex(a).hex()", ["", "00ff", "0 0", "00 Ff\n7f", "0", "xy", "0x", "é", *WRONG])


def test_errors_of_encodings() -> None:
    def process(r: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"ascii": r["a"].encode("ascii").decode()}
        except UnicodeDecodeError:
            return {"error": "decode"}
        except UnicodeEncodeError:
            return {"error": "encode"}

    def decoded(r: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"text": bytes.fromhex(r["a"]).decode()}
        except UnicodeEncodeError:
            return {"error": "encode"}
        except UnicodeError:
            return {"error": "decode"}
        except ValueError:
            return {"error": "hex"}

    assert same(process, [{"a": text} for text in texts(5)]) == 0
    broken = ["c3", "c3a9", "eda080", "f4908080", "c080", "e28082", "ff", "f09f9880", "6", "61"]
    assert same(decoded, [{"a": text} for text in broken]) == 0


# Base64.


def test_base64() -> None:
    inputs = [each.encode() for each in texts(6)] + [bytes(range(n)) for n in range(256)]
    plain = [base64.b64encode(each).decode() for each in inputs]
    url = [base64.urlsafe_b64encode(each).decode() for each in inputs]
    check("base64.b64decode(a).hex()", plain, 0)
    check("base64.urlsafe_b64decode(a).hex()", url, 0)
    check("base64.b64encode(base64.b64decode(a)).decode()", plain, 0)
    check("base64.urlsafe_b64encode(base64.b64decode(a)).decode('ascii')", plain, 0)
    rng = Random(7)
    broken = []
    for each in plain[:150]:
        at = rng.randint(0, len(each))
        broken.append(each[:at] + rng.choice("=\n-_ +/Aé*") + each[at:])
        broken.append(each[:at])
    broken += ["=", "==", "A", "AA", "AAA", "AAA=", "AA=", "AA=A", "A===", "AAAA=", "AA==AA=="]
    for expression in (
        *("base64.b64decode(a).hex()", "base64.urlsafe_b64decode(a).hex()", "base64.b64encode(a)"),
        *("base64.b64decode(a, validate=True).hex()", "base64.b64decode(a.encode()).decode()"),
    ):
        check(expression, [*broken, *url[:60], *WRONG])


def test_errors_of_base64() -> None:
    def process(r: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"text": base64.b64decode(r["a"]).decode()}
        except binascii.Error:
            return {"error": "base64"}
        except UnicodeDecodeError:
            return {"error": "text"}

    assert same(process, [{"a": text} for text in ("YQ==", "YQ", "A", "/w==", "w6k=")]) == 0


# JSON.

BROKEN = [
    *("", " ", "{", "[", "]", "{}", "[]", " [ ] ", "{ }", "[1,]", '{"a":1,}', "{,}", "[,]", "1 2"),
    *("01", "-", "-1", "1.", ".5", "1.5e", "1e5", "1E+5", "1e-7", "-0", "-0.0", "1e400", "-1e999"),
    *("NaN", "Infinity", "-Infinity", "nan", "true", "tru", "false", "null", "nul", "None", "True"),
    *('"a', '"\\x"', '"\\u12"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00x"', '"\\'),
    *('"\\ud83d\\u0041"', '"\\ud83d\\n"', '"a\nb"', '"\x00"', '"\x7f"', '"\\/\\b\\f"', '"é"'),
    *('{"a":1,"a":{"b":2},"c":3}', '{"a":{"x":1},"a":2}', '{"a" : [1 , {"b":null}]}', '{"a"}'),
    *("{'a':1}", '{"a":1 "b":2}', '{1:2}', "[1 2]", '{"a":}', "\ufeff{}", "[" * 50 + "]" * 50),
    *("[" * 101 + "]" * 101, "[" * 2000, "9" * 18, "9" * 19, "-9223372036854775808", "9" * 400),
    *("1" + "0" * 4400, "0.1234567890123456789", "\u00a01", "\t\r\n1\n", "\x0b1", "1\x00", '""'),
]  # fmt: skip


def values(seed: int, count: int = 80) -> list[Any]:
    rng = Random(seed)
    return [random_value(rng) for _ in range(count)]


@pytest.mark.parametrize("text", ["a", "a.encode()"])
def test_json_loads(text: str) -> None:
    written = [json.dumps(value, ensure_ascii=i % 2 == 0) for i, value in enumerate(values(8))]
    check(f"json.loads({text})", [*BROKEN, *written, *WRONG])
    check(f"json.loads({text})['a']", ['{"a":1}', '{"a":"\\n","b":[1,2.5]}'], 0)


def test_json_of_hostile_texts() -> None:
    rng = Random(9)
    hostile = []
    for value in values(10, 300):
        text = json.dumps(value)
        at = rng.randint(0, len(text))
        hostile.append(
            text[:at] + rng.choice(['"', "\\", "{", "]", ",", ":", "1", "e", "\n"]) + text[at:]
        )
        hostile.append(text[:at])
    check("json.loads(a)", hostile)


def test_errors_of_json() -> None:
    def process(r: dict[str, Any]) -> dict[str, Any]:
        try:
            parsed = json.loads(r["a"])
        except json.JSONDecodeError:
            return {"error": "json"}
        except TypeError:
            return {"error": "type"}
        parsed["seen"] = True
        return {"parsed": parsed}

    inputs: list[Any] = ['{"b":1}', "{", "", "[1", '{"c":{}}', None, {}]
    assert same(process, [{"a": each} for each in inputs]) == 0


@pytest.mark.parametrize(
    "options",
    [
        *("", ", ensure_ascii=False", ", sort_keys=True", ", separators=(',', ':')"),
        *(", sort_keys=True, separators=(',', ':'), ensure_ascii=False", ", default=str"),
    ],
)
def test_json_dumps(options: str) -> None:
    check(f"json.dumps(a{options})", [*values(11), *texts(12), "\x7f\u2028", 2**63, *WRONG])
    check(f"json.dumps(json.loads(a){options})", ['{"b":[1,null,true,0.1,"\\n"],"a":{}}'], 0)
    check(f"json.dumps({{1: a, None: 2, True: 3, 1.5: 4}}{options})", ["x"])
    check(f"json.dumps({{'at': datetime.fromisoformat(a), 'x': (1, a)}}{options})", ["2026-03-01"])
    check(f"json.dumps({{'at': date.fromisoformat(a)}}{options})", ["2026-03-01", "x"])


# URLs.

URLS = [
    *("", "/", "a", "a:b", ":", "http:", "http://", "http:/x", "//h", "//h/p", "http://h",
    "HTTP://H"),
    *("https://User:Pa%20ss@Host.Test:8080/p/a/th;x=1?q=1&r=#frag", "http://h?x", "http://h#x"),
    *("http://a@b@c:1/", "http://:80/", "http://h:/", "http://h:x/", "http://h:65536",
    "http://h:0"),
    *("http://[::1]:80/", "http://[::1", "http://é.test/", "http://h/é?ü=ß#ö", "mailto:a@b.c"),
    *(" http://h", "http://h ", "http://h/a\tb", "ht tp://h", "1http://h", "ht-t+p.1://h", "h:80"),
    *("?a=b", "#f", "/p?#", "//", "///p", "http:///p", "http://h//p", "http://h;p?x", "a;b",
    "a?b;c"),
    *("http://user@h", "http://user:@h", "http://@h", "http://%41@h%25x:1", "data:,x?y", "tel:1;2"),
    "http://h:" + "1" * 30,
]  # fmt: skip


@pytest.mark.parametrize("split", ["urlsplit", "urlparse"])
def test_urls(split: str) -> None:
    rng = Random(split)
    hostile = []
    for url in URLS:
        at = rng.randint(0, len(url))
        hostile.append(url[:at] + rng.choice(":/?#@[];%é A0\n") + url[at:])
    names = ("scheme", "netloc", "path", "query", "fragment", "hostname", "port", "username")
    for name in (
        *names,
        "password",
        "params",
        "nothing",
        "geturl()",
        "_replace(query='z').geturl()",
    ):
        if name != "nothing":
            check(f"{split}(a).{name}", [*URLS, *hostile, *WRONG])
    for expression in ("list({0}(a))", "{0}(a)[1]", "{0}(a)", "str({0}(a))", "len({0}(a))",
    "[{0}(a)]",
                       "{0}(a) == {0}(a)", "{0}(a)[:2]", "json.dumps({0}(a))", "{0}(a) + (1,)",
                       "{0}(a)._replace(netloc='x[', scheme='').hostname",
                       "{0}(a)._replace(path=1)[2]",
                       "isinstance({0}(a), tuple)", "f'{{{0}(a)}}'", "{0}(a) or 1"):  # fmt: skip
        check(expression.format(split), [*URLS, *hostile])
    usual = [f"https://u:p@h.test:{i}/p/{i}?q={i}&r#f" for i in range(9)]
    for name in (*names, "geturl()"):
        check(f"{split}(a).{name}", usual, 0)


def test_putting_urls_together() -> None:
    for parts in ("('http', 'h', a, '', '')", "['', '', a, 'q', 'f']", "('http', '', a, '', '')",
                  "('', 'h', a, '', '', '')", "('a', 'h')", "urlsplit(a)",
                  "('http', None, a, '', '')"):  # fmt: skip
        check(f"urlunsplit({parts})", ["", "p", "/p", "//p", "é", *WRONG])
    check("urlunparse(urlparse(a))", URLS)
    check("urlunparse(('http', 'h', a, 'x=1', '', ''))", ["", "p", "/p"])


QUERIES = [
    *("", "a", "a=", "=a", "a=b", "a=b&a=c&b=d", "a=b&&c", "&", "=", "a==b", "a=b=c", "+=+",
    "a+b=c+d"),
    *("%41=%42", "%", "%4", "%zz=1", "x=%C3%A9", "x=%C3", "x=%FF", "x=é%C3%A9", "x=%C3é",
    "%00=%0A"),
    *("a=1;b=2", "utm_source=x&utm_medium=y", "a=%2B+%26", "q=%F0%9F%98%80", "x=%ED%A0%80", "%E9"),
]  # fmt: skip


def test_queries() -> None:
    inputs = [*QUERIES, *texts(13), *WRONG]
    for expression in ("parse_qs(a)", "parse_qsl(a)", "parse_qs(a, keep_blank_values=True)",
                       "parse_qsl(a, True)", "dict(parse_qsl(a))", "unquote(a)", "unquote_plus(a)",
                       "quote(a)", "quote(a, safe='')", "quote(a, '\"/é')", "quote_plus(a)",
                       "quote('a/', safe=a)", "quote_plus('a b', a)",
                       "quote_plus(a, ' ')", "urlencode({'x': a, 'y z': 1})",
                       "urlencode(parse_qsl(a))",
                       "urlencode({'x': [a, 1]}, doseq=True)", "urlencode({'x': [a, 1]})",
                       "urlencode([('x', a), (1, 2.5)])", "urlencode([['x', a]])",
                       "urlencode(a)"):  # fmt: skip
        check(expression, inputs)
    for expression in ("parse_qs(a)", "unquote_plus(a)", "quote(a)", "urlencode({'x': a, 'n': 1})"):
        check(expression, ["a=b&c=%20", "x+y=é", "q=%C3%A9&q=2"], 0)


def test_html() -> None:
    inputs = ["", "a", "<b>&amp;\"x\" 'y'</b>", "é<", *texts(14), *WRONG]
    for expression in ("html.escape(a)", "html.escape(a, quote=False)", "html.unescape(a)"):
        check(expression, inputs)
    check("html.escape(a)", ["", "a < b & \"c\" 'd'", "ü"], 0)


LIMITS: Final = [-5, 0, 0, 1.5, 10, 2**62]
WORDS: Final = ("", "a", "a", "b", "é")


def places(r: dict[str, Any]) -> Any:
    return [bisect_left(LIMITS, r["a"]), bisect_right(LIMITS, r["a"]), bisect(LIMITS, r["a"])]


def places_of_texts(r: dict[str, Any]) -> Any:
    return [bisect_left(WORDS, r["a"]), bisect_right(WORDS, r["a"])]


def test_places_in_sorted_constants() -> None:
    numbers = (-6, -5, -0.0, 0, 1, 1.5, 9.99, 10, True, 2**62, 2**62 - 1, 2.0**62, 1e300)
    assert same(places, [{"a": each} for each in numbers]) == 0
    assert same(places_of_texts, [{"a": each} for each in ("", "a", "aa", "é", "z", "😀")]) == 0
    for function in (places, places_of_texts):
        same(function, [{"a": each} for each in (*WRONG, "a", 2**63, "1")])
