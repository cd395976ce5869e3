"""Methods of str in compiled processors."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

# Of s, t and u, which are strings, and of i and j, which are integers.
METHODS = [
    "s.lower()",
    "s.upper()",
    "s.title()",
    "s.capitalize()",
    "s.swapcase()",
    "s.casefold()",
    "[s.isdigit(), s.isdecimal(), s.isnumeric(), s.isalpha(), s.isalnum(), s.isspace()]",
    "[s.isupper(), s.islower(), s.isascii(), s.isprintable(), s.isidentifier()]",
    "[s.strip(), s.lstrip(), s.rstrip(), s.strip(None)]",
    "[s.strip(t), s.lstrip(t), s.rstrip(t)]",
    "[s.split(), s.rsplit(), s.split(None, i), s.rsplit(None, i)]",
    "[s.split(t), s.rsplit(t), s.split(t, i), s.rsplit(t, maxsplit=i)]",
    "[s.split(','), s.rsplit(', '), s.split(sep='/', maxsplit=1)]",
    "[s.splitlines(), s.splitlines(True), s.splitlines(keepends=False)]",
    "s.partition(t)",
    "s.rpartition(t)",
    "[s.partition(' ')[0], s.rpartition('/')[2], s.partition('é')]",
    "[s.partition(t)[0], s.partition(t)[1], s.partition(t)[2], s.partition(t)[-1]]",
    "[s.rpartition(t)[0], s.rpartition(t)[1], s.rpartition(t)[2], s.rpartition(t)[-3]]",
    "[(s.partition(t) if i > 2 else t.rpartition(u))[0], (s and s.partition(t))[2:]]",
    "[s.partition(t)[True], s.partition(t)[i], s.partition(t)[3]]",
    "[part := s.partition(t), part[0], part[2]]",
    "i.partition(t)[0]",
    "s.partition(i)[2]",
    "[s.startswith(t), s.endswith(t)]",
    "[s.startswith(t, i), s.endswith(t, i), s.startswith(t, i, j), s.endswith(t, i, j)]",
    "[s.startswith((t, u)), s.endswith(('a', t, '')), s.startswith((), i), s.endswith(u, None, j)]",
    "[s.find(t), s.rfind(t), s.find(t, i), s.rfind(t, i, j), s.find(u, None, j)]",
    "[s.find(''), s.rfind(''), s.find('', i, j), s.rfind('', i), s.count('', i, j)]",
    "s.index(t)",
    "s.rindex(t, i)",
    "[s.count(t), s.count(t, i), s.count(t, i, j), s.count('')]",
    "[s.replace(t, u), s.replace(t, u, i), s.replace(t, '')]",
    "[s.replace('', t), s.replace('', u, i)]",
    "t.join([s, u, s])",
    "[t.join(s), t.join([]), t.join((s,)), ', '.join(s.split()), ''.join([c for c in s])]",
    "t.join({s: 1, u: 2})",
    "', '.join(c for c in s if c != ' ')",
    "[s.ljust(i), s.rjust(i), s.center(i), s.center(j, '*'), s.ljust(i, 'é'), s.rjust(j, '-')]",
    "s.center(i, t)",
    "[s.zfill(i), ('-' + s).zfill(j), ('+' + t).zfill(i)]",
    "[s.expandtabs(), s.expandtabs(i), s.expandtabs(tabsize=4)]",
    "[s.removeprefix(t), s.removesuffix(t), s.removeprefix(s), (s + t).removesuffix(t)]",
    "s.translate({97: 'A', 98: None, 99: 100, 233: 'ee', 32: '_', 8364: 'EUR'})",
    "ord(t)",
    "[ord(c) for c in s]",
    "chr(i)",
    "chr(ord(s[i]))",
    # Operators.
    "[s + t, s + '', '' + s, s + ':' + t]",
    "s * i",
    "[s == t, s != t, s < t, s <= t, s > t, s >= t]",
    "[t in s, t not in s, '' in s, 'é' in s, s in (t, u)]",
    "s[i]",
    "[s[i:], s[:i], s[i:j], s[-3:], s[:-2], s[::1], s[i::-1]]",
    "s[i:j:2]",
    "[s[::-1], s[::3], s[j:i:-2]]",
    "s[::i]",
    "[len(s), len(s.strip()), len(s + t)]",
    "[c for c in s]",
    # What is not a str.
    "s.lower().upper().strip().split('.')",
    "s.find(i)",
    "s.join(i)",
    "s.join([t, i])",
    "s.split(i)",
    "s.split(t, t)",
    "s.startswith(i)",
    "s.startswith((i, t))",
    "s.replace(t, i)",
    "s.strip(i)",
    "s.zfill(t)",
    "ord(i)",
    "i.lower()",
    "[s].lower()",
    "None.strip()",
]

ALPHABETS = [
    "ab",
    "abcXYZ019 _-.,/:?&=",
    "aA zZ\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000",
    "aé ßÄ\xb5\xff\xd7\xaa\u0130\u03a3",
    "a中文字 、",
    "a😀👍🏽é\u0301 \u200d",
    'a"\\\b\x7f\x00/',
]


def text(source: random.Random, most: int = 24) -> str:
    alphabet = source.choice(ALPHABETS)
    return "".join(source.choices(alphabet, k=source.randint(0, most)))


def records(seed: str, count: int) -> list[dict[str, Any]]:
    """Return records with strings of which one is often part of another."""
    source = random.Random(seed)
    found = []
    for _ in range(count):
        s = text(source, source.choice([3, 12, 24, 80]))
        t = text(source, 2)
        if s and source.random() < 0.6:
            start = source.randrange(len(s))
            t = s[start : start + source.randint(0, 5)]
        u = text(source, 3)
        i = source.choice([0, 1, 2, 3, 5, 8, 20, 40, -1, -2, -5, -100, 65, 8364])
        j = source.choice([0, 1, 2, 3, 5, 8, 20, 40, -1, -2, -5, -100])
        found.append({"s": s, "t": t, "u": u, "i": i, "j": j})
    return found


@pytest.mark.parametrize("expression", METHODS)
def test_a_method_is_that_of_python(expression: str) -> None:
    assert same(function_of(expression, "stuij"), records(expression, 300)) < 300


@pytest.mark.parametrize("expression", METHODS)
def test_ascii_text_is_not_given_back(expression: str) -> None:
    ascii_only = [
        each
        for each in records(expression, 300)
        if (each["s"] + each["t"] + each["u"]).isascii() and each["i"] < 200
    ]
    assert len(ascii_only) > 50
    assert same(function_of(expression, "stuij"), ascii_only) == 0


@pytest.mark.long
@pytest.mark.parametrize("expression", METHODS)
def test_a_method_is_that_of_python_in_many_cases(expression: str) -> None:
    same(function_of(expression, "stuij"), records(f"long {expression}", 20_000))


def test_letters_of_any_script_are_those_of_python() -> None:
    expression = (
        "[s.lower(), s.upper(), s.casefold(), s.title(), s.capitalize(), s.swapcase(),"
        " t.title(), t.capitalize(), s.isalpha(), s.isalnum(), s.isdigit(), s.isdecimal(),"
        " s.isupper(), s.islower(), t.isupper(), t.islower(), s.isidentifier()]"
    )
    points = [*range(0x80, 0x600), *range(0x600, 0x20000, 7)]
    letters = [chr(point) for point in points if not 0xD800 <= point < 0xE000]
    given_back = same(
        function_of(expression, "st"), [{"s": each, "t": f"aB{each}c"} for each in letters]
    )
    assert given_back < 0.8 * len(letters)


QUOTES = str.maketrans({"“": '"', "”": '"', "–": "-"})


def plain_quotes(r: dict[str, str]) -> dict[str, str]:
    return {"text": r["text"].translate(QUOTES)}


def test_a_table_for_translate_need_not_be_final() -> None:
    assert same(plain_quotes, [{"text": "“a” – b"}, {"text": ""}, {"text": "plain"}]) == 0


@pytest.mark.long
def test_all_letters_are_those_of_python() -> None:
    letters = [chr(point) for point in range(0x20000) if not 0xD800 <= point < 0xE000]
    for method in [
        "lower", "upper", "casefold", "title", "capitalize", "swapcase", "isalpha", "isalnum",
        "isdigit", "isdecimal", "isnumeric", "isupper", "islower", "isidentifier", "isprintable",
    ]:  # fmt: skip
        for start in range(0, len(letters), 5000):
            records = [{"s": each} for each in letters[start : start + 5000]]
            same(function_of(f"[s.{method}(), (s + 'x').{method}()]", "s"), records)
