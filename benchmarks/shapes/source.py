"""Random values for records, the same ones on every machine and Python version.

Only `random.Random.random()` is used, whose sequence Python guarantees for a given seed.
"""

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final, TypeVar

Item = TypeVar("Item")

_TEXT_ATOMS: Final = 64 * 1024
_START_MS: Final = 1_793_491_200_000  # 2026-11-01T00:00:00Z

_VOCABULARY: Final = (
    "the of and to in is for on that by this with you it not or be are from at as your all have "
    "new more an was we will home can us about if page my has search free but our one other do "
    "sensor reading order shipped customer account temperature pressure valve request response "
    "timeout payload received delivered warehouse invoice balance session device firmware update "
    "humidity battery level route vehicle driver station measurement threshold exceeded normal"
)
_WORDS: Final = _VOCABULARY.split()
_PUNCTUATION: Final = (", ", ". ", "; ", ": ", " - ", " (", ") ", "/", " = ", "? ", "! ")
_ESCAPES: Final = (
    # Weighted by repetition: most escapes are line ends and quotes.
    *("\\n",) * 7,
    *('\\"',) * 6,
    *("\\\\",) * 3,
    *("\\u00e9",) * 2,
    "\\t",
    "\\ud83d\\ude00",
)
_MULTIBYTE: Final = (*"ééüñß" * 3, *"日本語中文" * 2, *"😀🚀")
_ID_PREFIXES: Final = ("", "u", "usr-", "ord-", "dev:", "evt_", "sensor-")
_HEX: Final = "0123456789abcdef"

write_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
write_ascii_json: Final = json.JSONEncoder(separators=(",", ":")).encode


class RandomSource:
    """Random numbers, identifiers and text, and a clock that goes on with each record."""

    def __init__(self, seed: int, *, escapes: bool = False) -> None:
        self._random = Random(seed).random
        # An atom is indivisible: a character or an escape sequence.
        self._atoms = list(self._natural_text(_TEXT_ATOMS, escapes=escapes))
        self.clock_ms = _START_MS

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._random() < probability

    def below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1."""
        return int(self._random() * limit)

    def between(self, low: int, high: int) -> int:
        """Return a number from low to high, both included."""
        return low + self.below(high - low + 1)

    def around(self, mean: int) -> int:
        """Return a number between 0.5 and 1.5 times the mean."""
        low = mean // 2
        return low + self.below(2 * (mean - low) + 1)

    def exponential(self, mean: float) -> float:
        """Return an exponentially distributed number."""
        return -mean * math.log(1.0 - self._random())

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """Return some of the items, each once at most, in random order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def tick(self, most_ms: int) -> datetime:
        """Advance the clock by up to this time, and return it."""
        self.clock_ms += self.below(most_ms + 1)
        return datetime.fromtimestamp(self.clock_ms / 1000, UTC)

    def hexadecimal(self, digits: int) -> str:
        """Return this number of hexadecimal digits."""
        return "".join([_HEX[self.below(16)] for _ in range(digits)])

    def identifier(self, mean: int) -> str:
        """Return hexadecimal digits, often with a prefix."""
        prefix = _ID_PREFIXES[self.below(len(_ID_PREFIXES))] if mean >= 8 else ""
        digits = max(1, self.around(mean) - len(prefix))
        return prefix + self.hexadecimal(digits)

    def word(self) -> str:
        """Return a word."""
        return _WORDS[self.below(len(_WORDS))]

    def text(self, mean_atoms: int) -> str:
        """Return an excerpt of a long text, with escape sequences where they were asked for."""
        length = self.around(mean_atoms)
        start = self.below(len(self._atoms) - length)
        return "".join(self._atoms[start : start + length])

    def _natural_text(self, count: int, *, escapes: bool) -> Iterator[str]:
        made = 0
        next_escape, next_multibyte = 9, 17
        while made < count:
            gap = " " if self._random() < 0.85 else _PUNCTUATION[self.below(len(_PUNCTUATION))]
            for character in _WORDS[self.below(len(_WORDS))] + gap:
                yield character
                made += 1
                if not escapes:
                    continue
                if made >= next_escape:
                    yield _ESCAPES[self.below(len(_ESCAPES))]
                    made += 1
                    next_escape = made + 12 + self.below(10)
                if made >= next_multibyte:
                    yield _MULTIBYTE[self.below(len(_MULTIBYTE))]
                    made += 1
                    next_multibyte = made + 12 + self.below(10)
