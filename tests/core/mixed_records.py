"""Streams of records that have much in common and differ in everything: for comparisons.

A few templates are filled with random values, again and again, so that the reader learns their
shapes; a part of the lines is then damaged.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

SPACES = ["", "", "", "", "", "", " ", "\t", "\r", "  "]
NAMES = [
    *("id", "data", "a", "b", "c", "user", "status", "n", "", "a.b", "x" * 30, "y" * 90),
    *(r"\u0069d", r"d\u0061ta", "é", r"\u00e9", "日本", r"\"", r"\\", "😀", r"\ud83d\ude00"),
]
STRINGS = [
    *("", "x", "plain text", "0123456789" * 3, "z" * 63, "z" * 64, "z" * 65, "w" * 200),
    *(r"\"", r"\\", r"\\\\", r"a\\\"b", r"\n\t\b\f\r\/", r"\u0000", r"\u00e9", r"\ud83d\ude00"),
    *("é", "日本語", "😀", "aé" * 20, "x" * 61 + "é", "x" * 62 + "日", "x" * 63 + "\\\\"),
    *("{", "}", "[", "]", ":", ",", '{\\"a\\":1}', "//", "\x7f"),
]
NUMBERS = [
    *("0", "-0", "1", "-1", "12", "1234567890", "123456789012345678901234567890", "1" * 40),
    *("0.5", "-0.25", "1793232000.123", "3.141592653589793", "0." + "1" * 40, "1e5", "1E+5"),
    *("1e-5", "-1.25e-05", "1e308", "1e299", "123e100", "0e0", "1.0e00", "9007199254740993"),
]
WORDS = ["true", "false", "null"]
BAD_VALUES = [
    *(
        "",
        "nul",
        "tru",
        "truee",
        "falsy",
        "nullx",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
    ),
    *("1e999", "-1e400", "1" * 310, '"', '"\\x"', '"\\u12"', '"\\ud800"', '"\\udc00"', '"\x01"'),
    *(
        '"\t"',
        "'x'",
        "[1,]",
        "[,]",
        "[1 2]",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        "{,}",
        "[}",
        "1e",
        "1e+",
    ),
    *("\udcff", '"\udcc3"', '"\udced\udca0\udc80"', "\udcc3\udca9", '"\udce6\udc97"', "\\", '\\"'),
]


class Records:
    """Random lines from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def space(self) -> str:
        return self.random.choice(SPACES) if self.spaced else ""

    def scalar(self) -> str:
        kind = self.random.random()
        if kind < 0.5:
            return f'"{self.random.choice(STRINGS)}"'
        return self.random.choice(NUMBERS if kind < 0.8 else WORDS)

    def value(self, depth: int) -> str:
        kind = self.random.random()
        if depth > 4 or kind < 0.7:
            return self.scalar()
        count = self.random.choice([0, 1, 1, 2, 3])
        inside = [self.value(depth + 1) for _ in range(count)]
        if kind < 0.85:
            return f"[{self.space()}{','.join(inside)}{self.space()}]"
        return "{" + ",".join(f'"{self.random.choice(NAMES)}":{each}' for each in inside) + "}"

    def template(self, depth: int = 0) -> object:
        """Nested members: pairs of a name and what is there; True stands for any value."""
        count = self.random.choice([0, 1, 2, 3, 4, 8] if depth < 18 else [1])
        deep = self.random.random() < 0.02
        return [
            (
                self.random.choice(NAMES),
                self.template(depth + 1)
                if (depth < 3 and self.random.random() < 0.3) or (deep and depth < 25)
                else True,
            )
            for _ in range(count)
        ]

    def filled(self, template: object, depth: int = 0) -> str:
        if template is True or self.random.random() < 0.02:
            return self.value(depth)
        assert isinstance(template, list)
        members = [
            f'{self.space()}"{name}"{self.space()}:{self.space()}'
            f"{self.filled(inner, depth + 1)}{self.space()}"
            for name, inner in template
            if self.random.random() > 0.05
        ]
        if self.random.random() < 0.03:
            self.random.shuffle(members)
        if members and self.random.random() < 0.02:
            members.append(members[0])
        return "{" + ",".join(members) + "}"

    def damaged(self, line: str) -> str:
        """Change something anywhere."""
        at = self.random.randrange(len(line) + 1)
        kind = self.random.randrange(6)
        if kind == 0:
            return line[:at]
        if kind == 1:
            return line[:at] + line[at + 1 :]
        if kind == 2:
            return line[:at] + self.random.choice('"{}[],:\\ 0e\x01\udcc3\n') + line[at:]
        if kind == 3:
            return line[:at] + self.random.choice('"{}[],:\\ 0e\x01\udcc3') + line[at + 1 :]
        if kind == 4:
            return self.random.choice(['x"', '"', "", "[]", "1", "\ufeff{}", '{"id":"', '"""'])
        return line.replace('":', '":' + self.random.choice(BAD_VALUES), 1)

    def lines(self, size: int) -> Iterator[bytes]:
        """Yield lines up to a number of bytes, each with its LF."""
        made = 0
        templates: list[object] = []
        damage = 0.0
        while made < size:
            if not templates or self.random.random() < 0.01:
                templates = [self.template() for _ in range(self.random.choice([1, 1, 2, 4]))]
                self.spaced = self.random.random() < 0.1
                damage = self.random.choice([0, 0, 0.01, 0.1, 0.5])
            line = self.filled(self.random.choice(templates))
            if self.random.random() < damage:
                line = self.damaged(line)
            if self.random.random() < 0.001:
                line = line[:-1] + f',"long":"{"x" * self.random.choice([9000, 33000, 70000])}"}}'
            line = line + self.random.choice(["\n"] * 9 + ["\r\n"])
            for each in line.encode(errors="surrogateescape").splitlines(keepends=True):
                whole = each if each.endswith(b"\n") else each + b"\n"
                made += len(whole)
                yield whole
