"""A part of a line, with a mark below the byte where it is wrong."""

from __future__ import annotations

__all__ = ["excerpt"]

_AROUND = 36  # Characters on either side of the mark.


def excerpt(line: bytes, offset: int) -> str:
    """Show what stands around a byte, on two lines: the text, and a mark below it."""
    before = _shown(line[max(0, offset - 4 * _AROUND) : offset])
    behind = _shown(line[offset : offset + 4 * _AROUND])
    start = "…" if len(before) > _AROUND or offset > 4 * _AROUND else ""
    end = "…" if len(behind) > _AROUND or offset + 4 * _AROUND < len(line) else ""
    before, behind = start + before[-_AROUND:], behind[:_AROUND] + end
    return f"    {before}{behind}\n    {' ' * len(before)}^"


def _shown(data: bytes) -> str:
    text = data.decode(errors="replace")
    # Nothing in a record may move the cursor or change the colours of a terminal.
    return "".join(character if character.isprintable() else "�" for character in text)
