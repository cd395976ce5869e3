"""Generate deterministic NDJSON for the benchmarks.

The same kind and size give the same bytes on every machine and Python version.

The first kinds have the shape of records that services write. Their `id` is always a string, which
the built-in processor demands. The others, most of them `{"id","data"}`, show the effect of one
property each: size, escapes, spaces, members that are not read.

Lengths vary, and contents are random excerpts of a long text, so that branch prediction and caches
do not perform better than with real traffic.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Final

from benchmarks.shapes.github import github
from benchmarks.shapes.source import RandomSource
from benchmarks.shapes.tweet import tweet
from benchmarks.shapes.weblog import weblog

_SEED: Final = 20_240_611


def _compact(id_mean: int, data_mean: int) -> Callable[[RandomSource], str]:
    def record(source: RandomSource) -> str:
        return f'{{"id":"{source.identifier(id_mean)}","data":"{source.text(data_mean)}"}}\n'

    return record


def _spaced(source: RandomSource) -> str:
    return json.dumps({"id": source.identifier(12), "data": source.text(74)}) + "\n"


def _members(source: RandomSource) -> str:
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


_MAKERS: Final[dict[str, Callable[[RandomSource], str]]] = {
    "weblog": weblog,
    "github": github,
    "tweet": tweet,
    "40": _compact(6, 14),
    "110": _compact(12, 78),
    "1000": _compact(24, 956),
    "escapes": _compact(12, 65),
    "spaced": _spaced,
    "members": _members,
}

KINDS: Final[tuple[str, ...]] = tuple(_MAKERS)
"""The kinds `make` knows: the numbers are mean bytes of a record with its LF."""

REAL_KINDS: Final[tuple[str, ...]] = ("weblog", "github", "tweet")
"""Those with the shape of records that services write."""

PLAIN_KINDS: Final[tuple[str, ...]] = ("40", "110", "1000")
"""Those with nothing but an id and data, in ASCII and without escapes."""

TITLES: Final = {
    "weblog": "web log, 350 bytes",
    "github": "GitHub events, 1.5 KB",
    "tweet": "tweets, 3.3 KB",
    "40": "40 bytes",
    "110": "110 bytes",
    "1000": "1000 bytes",
    "escapes": "110 bytes, escapes and UTF-8",
    "spaced": "110 bytes, with spaces",
    "members": "260 bytes, nested members between data and id",
}
"""What tables call them."""


def endless(kind: str) -> Iterator[bytes]:
    """Return the lines of one kind, one after another."""
    try:
        maker = _MAKERS[kind]
    except KeyError:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}") from None
    source = RandomSource(_SEED, escapes=kind == "escapes")
    return (maker(source).encode() for _ in itertools.repeat(None))


def make(kind: str, total_bytes: int) -> bytes:
    """Return whole lines of one kind, at least one, up to the first end at or past the total."""
    lines: list[bytes] = []
    size = 0
    for line in endless(kind):
        lines.append(line)
        size += len(line)
        if size >= total_bytes:
            break
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


def add_kinds_option(parser: argparse.ArgumentParser, *default: str) -> None:
    """Add `--kinds`, the kinds of records that a benchmark measures."""
    chosen = "all" if default == KINDS else " ".join(default)
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=KINDS,
        default=list(default),
        metavar="KIND",
        help=f"kinds of records: {', '.join(KINDS)} (default: {chosen})",
    )


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
