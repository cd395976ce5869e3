"""Generate deterministic NDJSON for the benchmarks.

The same kind and size give the same bytes on every machine and Python version: only
`random.Random.random()` is used, whose sequence Python guarantees for a given seed.

Lengths vary around the mean, and contents are random excerpts of a long text, so that branch
prediction and caches do not perform better than with real traffic.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

_SEED: Final = 20_240_611
_TEXT_ATOMS: Final = 64 * 1024

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


class _Source:
    """Random pieces of ids and text."""

    def __init__(self, seed: int, *, escapes: bool = False) -> None:
        self._random = Random(seed).random
        # An atom is indivisible: a character or an escape sequence.
        self._atoms = list(self._natural_text(_TEXT_ATOMS, escapes=escapes))

    def below(self, limit: int) -> int:
        return int(self._random() * limit)

    def around(self, mean: int) -> int:
        """A length between 0.5 and 1.5 times the mean."""
        low = mean // 2
        return low + self.below(2 * (mean - low) + 1)

    def identifier(self, mean: int) -> str:
        prefix = _ID_PREFIXES[self.below(len(_ID_PREFIXES))] if mean >= 8 else ""
        digits = max(1, self.around(mean) - len(prefix))
        return prefix + "".join([_HEX[self.below(16)] for _ in range(digits)])

    def text(self, mean_atoms: int) -> str:
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


def _compact(id_mean: int, data_mean: int) -> Callable[[_Source], str]:
    def record(source: _Source) -> str:
        return f'{{"id":"{source.identifier(id_mean)}","data":"{source.text(data_mean)}"}}\n'

    return record


def _spaced(source: _Source) -> str:
    return json.dumps({"id": source.identifier(12), "data": source.text(74)}) + "\n"


def _members(source: _Source) -> str:
    value = {
        "data": source.text(70),
        "seq": source.below(1_000_000),
        "meta": {
            "tags": [source.identifier(5), source.identifier(7)],
            "at": 1_700_000_000 + source.below(10_000_000) / 1000,
            "ok": source.below(2) == 0,
            "parent": None,
            "position": {"lat": (source.below(180_000) - 90_000) / 1000, "lon": -1.25e-05},
        },
        "id": source.identifier(12),
        "note": source.text(12),
    }
    return json.dumps(value, separators=(",", ":")) + "\n"


_MAKERS: Final[dict[str, Callable[[_Source], str]]] = {
    "40": _compact(6, 14),
    "110": _compact(12, 78),
    "1000": _compact(24, 956),
    "escapes": _compact(12, 65),
    "spaced": _spaced,
    "members": _members,
}

KINDS: Final[tuple[str, ...]] = tuple(_MAKERS)
"""The kinds `make` knows: the numbers are mean bytes of a record with its LF."""


def make(kind: str, total_bytes: int) -> bytes:
    """Return whole lines of one kind, at least one, up to the first end at or past the total."""
    try:
        maker = _MAKERS[kind]
    except KeyError:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}") from None
    source = _Source(_SEED, escapes=kind == "escapes")
    lines: list[bytes] = []
    size = 0
    while size < total_bytes or not lines:
        line = maker(source).encode()
        lines.append(line)
        size += len(line)
    return b"".join(lines)


def cut_at_lines(body: bytes, size: int) -> list[bytes]:
    """Divide into blocks of whole lines with at most `size` bytes; a longer line is one block."""
    blocks: list[bytes] = []
    start = 0
    while start < len(body):
        end = body.rfind(b"\n", start, start + size) + 1
        if end == 0:
            end = body.find(b"\n", start) + 1 or len(body)
        if start + size >= len(body):
            end = len(body)
        blocks.append(body[start:end])
        start = end
    return blocks


def cut_anywhere(body: bytes, size: int) -> list[bytes]:
    """Divide into pieces of exactly `size` bytes (the last may be shorter), as a network does."""
    return [body[at : at + size] for at in range(0, len(body), size)]


def main() -> None:
    """Write records to standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.records",
        description="Write deterministic NDJSON records to standard output.",
        epilog="example: python -m benchmarks.records 110 1000000 > records.ndjson",
    )
    parser.add_argument("kind", choices=KINDS, help="numbers are mean bytes of a record")
    parser.add_argument("total_bytes", type=int, help="stop at the first line end from here on")
    options = parser.parse_args()
    sys.stdout.buffer.write(make(options.kind, options.total_bytes))


if __name__ == "__main__":
    main()
