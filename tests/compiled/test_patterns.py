"""Regular expressions in compiled processors match as Python's re does."""

from __future__ import annotations

import random
import re
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from forstcore.compiled import NotCompiled, compile_processor, re_internals
from forstcore.compiled.pattern_parts import fixed_range
from forstcore.compiled.patterns import UnsupportedPattern, pattern_integers
from forstcore.compiled.re_internals import parsed
from tests.compiled.oracle import same
from tests.compiled.patterns import HARD_PATTERNS, PATTERNS, TEXTS, random_pattern, random_text

SECONDS = 5.0  # CPU time for a pattern; `re` takes more for some than anybody would wait.
GIVEN_BACK = 0.01  # The largest share of records that a pattern without obstacles gives back.


def everything(pattern: re.Pattern[str]) -> Callable[[dict[str, Any]], Any]:
    """Return a function that shows all that a pattern finds in `record["text"]`."""

    def process(record: dict[str, Any]) -> Any:
        text = record["text"]
        first = pattern.match(text)
        whole = pattern.fullmatch(text)
        return {
            "all": [[m.span(), m.groups("none"), m.lastindex] for m in pattern.finditer(text)],
            "match": None if first is None else [first.span(), first.groups()],
            "fullmatch": None if whole is None else [whole.span(), whole.groups()],
            "found": pattern.findall(text),
            "split": pattern.split(text),
            "two": pattern.split(text, 2),
            "sub": pattern.sub("<>", text),
            "subn": pattern.subn("", text, 2),
        }

    return process


@pytest.mark.one_in(2)
@pytest.mark.parametrize("flags", [0, re.IGNORECASE, re.MULTILINE])
def test_patterns_as_people_write_them(flags: int) -> None:
    records = [{"text": each} for each in TEXTS]
    given_back = 0
    for text in PATTERNS:
        given_back += same(everything(re.compile(text, flags)), records)
    assert given_back < GIVEN_BACK * len(records) * len(PATTERNS)


def test_literal_text_is_found_wherever_it_begins() -> None:
    choose = random.Random(5).choices
    texts = ["".join(choose("/a1\0é", (8, 4, 4, 1, 1), k=size)) for size in range(200)]
    records = [{"text": each} for each in texts]
    for text in (r"/\d", r"/", r"/a1", r"/1(?=/|$)", r"\0", r"1/[a1]{9}", r"é1?"):
        assert same(everything(re.compile(text)), records) == 0


# Patterns with literal text at the start, and the place, the lowest byte and the number of bytes by
# which a search looks for a match, too.
FIXED = {
    r"/[a1]{3}/": (4, ord("/"), 1),
    r"/(a)1": (1, ord("a"), 1),
    r"/[a1]{2}[/-9]": (3, ord("/"), 11),
    r"/\b1": (1, ord("1"), 1),
    r"/(?=a)[a1]{2}1": (3, ord("1"), 1),
    r"/(?:a)(?:1|/)+": (1, ord("a"), 1),
    r"/(?:[a1][/])?1": (0, 0, 0),
    r"/[a1]{60}[/a]*": (0, 0, 0),
    r"/(?i:a)1": (2, ord("1"), 1),
    r"/(?i:[k])1": (0, 0, 0),  # which matches U+212A, too
    r"/[1-4]{1,3}/": (1, ord("1"), 4),
    r"a[\0-\5]": (0, 0, 0),
    r"/[aé]1": (0, 0, 0),
    r"/(?:a1){2}/": (0, 0, 0),
    r"/.1": (0, 0, 0),
    r"/": (0, 0, 0),
}


def test_searches_look_for_bytes_at_fixed_places() -> None:
    choose = random.Random(6).choices
    texts = ["".join(choose("/a1k\0é", (8, 6, 6, 2, 1, 1), k=size)) for size in range(120)]
    texts += ["/" + "a" * 60 + "/1", "/aaa/", "x" * 70 + "/a1", "é/a1", "/a1", "/K1", "/\u212a1"]
    records = [{"text": each} for each in texts]
    for text, fixed in FIXED.items():
        pattern = re.compile(text)
        assert fixed_range(list(parsed(text, pattern.flags)), pattern.flags, 1) == fixed
        assert same(everything(pattern), records) == 0


def test_patterns_that_go_back_often() -> None:
    records = [{"text": each} for each in TEXTS if len(each) < 18]
    for text in HARD_PATTERNS:
        assert same(everything(re.compile(text)), records) == 0


def test_a_pattern_that_takes_too_many_steps_is_given_back() -> None:
    pattern = re.compile(r"(a|aa)+$")

    def search(record: dict[str, Any]) -> Any:
        return {"found": pattern.search(record["text"]) is not None}

    assert same(search, [{"text": "a" * 30 + "b"}, {"text": "aa"}]) == 1


class TooSlowError(BaseException):
    """`re` has taken too long."""


@contextmanager
def limited_time() -> Iterator[None]:
    """Raise TooSlowError after so much CPU time, also within `re`, which lets signals in."""

    def end(_number: int, _frame: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def compare_random_patterns(generator: random.Random, count: int, records: int) -> int:
    """Compare so many random patterns; return how many records were given back."""
    given_back = 0
    flags = [0, 0, 0, re.IGNORECASE, re.MULTILINE, re.DOTALL, re.ASCII, re.IGNORECASE | re.ASCII]
    while count:
        try:
            pattern = re.compile(random_pattern(generator), generator.choice(flags))
            pattern_integers(pattern)
        except (re.error, OverflowError, UnsupportedPattern):
            continue
        lines = [{"text": random_text(generator)} for _ in range(records)]
        with suppress(TooSlowError), limited_time():
            given_back += same(everything(pattern), lines)
        count -= 1
    return given_back


def test_random_patterns() -> None:
    assert compare_random_patterns(random.Random(1), 300, 30) < GIVEN_BACK * 300 * 30


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_many_random_patterns(seed: int) -> None:
    compare_random_patterns(random.Random(100 + seed), 2_500, 40)


# What functions do with patterns and matches.

WORD = re.compile(r"(?P<first>\w)(?P<rest>\w*)|(-)")
NUMBER = re.compile(r"\d+")
RULES = [(re.compile(r"^/users/(\d+)"), "user"), (re.compile(r"^/orders/"), "order")]
LOWER_WORD = r"[a-z]+"

RECORDS = [{"text": each, "n": i} for i, each in enumerate(TEXTS)]


def match_objects(record: dict[str, Any]) -> Any:
    match = WORD.search(record["text"])
    if not match:
        return None
    return {
        "all": match.group(),
        "one": match.group(1),
        "named": match["rest"],
        "two": match.group("first", 3),
        "item": match[0],
        "groups": match.groups(),
        "otherwise": match.groups(""),
        "dict": match.groupdict(),
        "none": match.groupdict("none"),
        "start": match.start(),
        "end": match.end("first"),
        "span": match.span(3),
        "string": match.string,
        "last": [match.lastindex, match.lastgroup],
    }


def missing_groups(record: dict[str, Any]) -> Any:
    match = NUMBER.search(record["text"])
    try:
        return {"group": match.group(record["n"])}  # type: ignore[union-attr]
    except IndexError:
        return {"group": "IndexError"}
    except AttributeError:
        return {"group": "AttributeError"}


def functions_of_re(record: dict[str, Any]) -> Any:
    text = record["text"]
    return {
        "search": bool(re.search(r"ab+", text)),
        "match": re.match(LOWER_WORD, text, re.I) is not None,
        "fullmatch": re.fullmatch("[a-z ]*", text, flags=re.I | re.M) is None,
        "sub": re.sub(r"[aeiou]", "*", text, count=3),
        "subn": re.subn(r"\s+", " ", string=text),
        "split": re.split(r"[ ,;]", text, maxsplit=2),
        "findall": re.findall(r"(\w)\w*", text),
        "finditer": [m.start() for m in re.finditer("a", text)],
        "compiled": re.compile("[A-Z]").sub("_", text),
    }


def replacements(record: dict[str, Any]) -> Any:
    text = record["text"]
    return {
        "groups": WORD.sub(r"\2\1\3", text),
        "named": WORD.sub(r"<\g<rest>\g<1>>\n", text),
        "whole": WORD.sub(r"[\g<0>]", text, 2),
        "function": WORD.sub(lambda m: m.group().upper(), text),
        "some": NUMBER.sub(lambda m: str(int(m[0]) + 1), text, count=1),
        "quotes": NUMBER.sub('"\u00e9"', text),
        "value": NUMBER.sub(str(record["n"]), text),
        "never": NUMBER.sub("x", text, count=-1),
    }


def tables_of_patterns(record: dict[str, Any]) -> Any:
    for pattern, name in RULES:
        match = pattern.match(record["text"])
        if match:
            return {"name": name, "groups": match.groups(), "rest": pattern.split(record["text"])}
    return {"name": None}


def parts_of_texts(record: dict[str, Any]) -> Any:
    text = record["text"]
    match = NUMBER.search(text, 3)
    return {
        "from": None if match is None else match.span(),
        "to": NUMBER.findall(text, 2, 12),
        "before": text[: match.start()] if match else text,
    }


@pytest.mark.parametrize(
    "function",
    [match_objects, missing_groups, functions_of_re, replacements, parts_of_texts],
)
def test_functions_with_patterns(function: Callable[[dict[str, Any]], Any]) -> None:
    # Some texts are shorter than where a search is to begin, and some numbers beyond 64 bits.
    assert same(function, RECORDS) <= len(RECORDS) // 8


def test_tables_of_patterns() -> None:
    assert same(tables_of_patterns, RECORDS) == 0


def test_a_subject_that_is_no_text() -> None:
    def search(record: dict[str, Any]) -> Any:
        return {"found": NUMBER.search(record["text"]) is not None}

    def careful(record: dict[str, Any]) -> Any:
        try:
            return {"found": NUMBER.findall(record["text"])}
        except TypeError:
            return {"found": "TypeError"}

    texts: list[Any] = [None, 1, 1.5, True, [], {}, "1"]
    records = [{"text": each} for each in texts]
    same(search, records)
    assert same(careful, records) == 0


def test_an_error_in_a_replacement_comes_even_without_a_match() -> None:
    def replace(record: dict[str, Any]) -> Any:
        return {"text": NUMBER.sub(r"\q", record["text"])}

    assert same(replace, [{"text": "none"}, {"text": "1"}]) == 2


# What does not compile.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(?:ab|a)*+", "possessive"),
        ("(?:(a|)){2,5}" * 40, "long"),
        ("()" * 100, "groups"),
        ("(?=" * 120 + "a" + ")" * 120, "nested"),
    ],
)
def test_patterns_that_do_not_compile(text: str, reason: str) -> None:
    with pytest.raises(UnsupportedPattern, match=reason):
        pattern_integers(re.compile(text))


def test_why_a_function_with_a_pattern_does_not_compile() -> None:
    pattern = re.compile("(?:ab|a)*+")

    def search(record: dict[str, Any]) -> Any:
        return {"found": bool(pattern.search(record["text"]))}

    result = compile_processor(search)
    assert isinstance(result, NotCompiled)
    assert "possessive" in str(result)


# Characters beyond ASCII.


def code_points() -> Iterator[str]:
    return (chr(each) for each in range(sys.maxunicode + 1) if not 0xD800 <= each < 0xE000)


def test_what_folds_to_ascii() -> None:
    letters = re.compile("[a-z]", re.IGNORECASE)
    wide = "".join(each for each in code_points() if not each.isascii())
    assert letters.findall(wide) == list("\u0130\u0131\u017f\u212a")


def test_where_case_ends() -> None:
    assert not any(
        unicodedata.category(each) in ("Lu", "Ll", "Lt") and each.lower() != each.upper()
        for each in code_points()
        if ord(each) > 0x1FFFF
    )


@pytest.mark.one_in(3)
@pytest.mark.parametrize("text", [r"[\w!]", r"[^\df]", r"[\sk-é]", r"[\W]", r"[А-я]", r"[^ß]"])
@pytest.mark.parametrize("flags", [0, re.IGNORECASE, re.ASCII])
def test_sets_of_all_characters(text: str, flags: int) -> None:
    pattern = re.compile(text, flags)

    def every(record: dict[str, Any]) -> Any:
        return {"found": pattern.findall(record["text"])}

    everything = "".join(code_points())
    records = [{"text": everything[at : at + 4096]} for at in range(0, len(everything), 4096)]
    assert same(every, records) == 0


def test_patterns_stay_with_python_where_its_re_is_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert re_internals.missing() == ""
    monkeypatch.delattr("re._constants.POSSESSIVE_REPEAT")
    re_internals.missing.cache_clear()
    try:
        with pytest.raises(UnsupportedPattern, match="has no POSSESSIVE_REPEAT"):
            pattern_integers(re.compile("a pattern that is not in the cache"))
    finally:
        re_internals.missing.cache_clear()
