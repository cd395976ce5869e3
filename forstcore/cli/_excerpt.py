"""Excerpts of invalid lines, with a mark below the offending byte."""

from __future__ import annotations

__all__ = ["excerpt"]

_AROUND = 36  # Characters on either side of the mark.


def excerpt(line: bytes, offset: int) -> str:
    """Return two lines: the text around a byte, and a mark below that byte."""
    before = _shown(line[max(0, offset - 4 * _AROUND) : offset])
    behind = _shown(line[offset : offset + 4 * _AROUND])
    start = "…" if len(before) > _AROUND or offset > 4 * _AROUND else ""
    end = "…" if len(behind) > _AROUND or offset + 4 * _AROUND < len(line) else ""
    before, behind = start + before[-_AROUND:], behind[:_AROUND] + end
    return f"    {before}{behind}\n    {' ' * len(before)}^"


def _shown(data: bytes) -> str:
    text = data.decode(errors="replace")
    # Replace control characters: records must not move the cursor or change colours.
    return "".join(character if character.isprintable() else "�" for character in text)
