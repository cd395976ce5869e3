"""Lines that come again and again in any order: read at once, and one by one."""

from __future__ import annotations

from typing import Any

from forstcore import Filter
from forstcore._proc import PASS_ON, RecordStream, scan_path, scan_paths, use_scan_path
from fuzz.choices import Choices
from fuzz.cuts import alone
from fuzz.filters import wanted
from fuzz.grammar import lines
from fuzz.targets.native import tell

__all__ = ["check"]

LIMITS = [1 << 20, 1 << 20, 90]
# So much that the core learns shapes and then leaves lines out that are not worth it.
LEAST_BYTES = 8192
MOST_LINES = 400


def _one_by_one(text: list[bytes], options: dict[str, Any]) -> bytes:
    """Process each line in a stream of its own, which learns nothing."""
    return b"".join(
        RecordStream(first_line=number, **options).feed(line) for number, line in enumerate(text, 1)
    )


def _at_once(text: list[bytes], options: dict[str, Any]) -> bytes:
    """Process the lines in two calls, so that the second one begins with known shapes."""
    stream = RecordStream(**options)
    half = len(text) // 2
    return stream.feed(alone(b"".join(text[:half]))) + stream.feed(alone(b"".join(text[half:])))


def check(data: bytes) -> None:
    """Check one input: options, then decisions for the lines, then their order."""
    choices = Choices(data)
    options: dict[str, Any] = {
        "on_error": choices.pick(["emit", "skip"]),
        "max_line_size": choices.pick(LIMITS),
        "processor": choices.pick([None, PASS_ON, tell()]),
        "filter": Filter(wanted(choices)) if choices.number(2) else None,
    }
    kinds = lines(choices).split(b"\n")
    order = choices.take(64) or b"\x00"
    text: list[bytes] = []
    size = 0
    while size < LEAST_BYTES and len(text) < MOST_LINES:
        line = kinds[order[len(text) % len(order)] % len(kinds)]
        text.append(line + b"\n")
        size += len(line) + 1
    before = scan_path()
    try:
        use_scan_path("portable")
        expected = _one_by_one(text, options)
        for path in scan_paths():
            use_scan_path(path)
            assert _at_once(text, options) == expected, path
    finally:
        use_scan_path(before)
