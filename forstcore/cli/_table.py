"""A live table of the latest records of a stream."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from forstcore._plural import plural

__all__ = ["LiveTable"]

_WIDEST = 32  # Maximum width of a column.
_MOST = 500  # Records to keep, in case the terminal grows.
_ALTERNATE, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


class LiveTable:
    """Show records on the terminal's alternate screen while the block runs.

    Args:
        title: the first line.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._records: deque[dict[str, str]] = deque(maxlen=_MOST)
        self._columns: list[str] = []
        self._count = 0
        self._shown = 0
        self._at = time.monotonic()
        self._rate = 0.0

    def __enter__(self) -> LiveTable:
        sys.stdout.write(_ALTERNATE)
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.write(_BACK)
        sys.stdout.flush()

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a record."""
        self._count += 1
        self._records.append({name: _text(value) for name, value in record.items()})
        for name in record:
            if name not in self._columns:
                self._columns.append(name)

    def draw(self) -> None:
        """Draw the table."""
        now = time.monotonic()
        if now - self._at >= 1:
            self._rate = (self._count - self._shown) / (now - self._at)
            self._shown, self._at = self._count, now
        width, height = shutil.get_terminal_size()
        rows = list(self._records)[-max(1, height - 4) :]
        widths = {
            name: min(_WIDEST, max(len(name), *(len(row.get(name, "")) for row in rows), 1))
            for name in self._columns
            if rows
        }
        records = plural(self._count, "record")
        lines = [
            f"{self._title}   {self._count:,} {records}, {self._rate:,.0f}/s   Ctrl-C ends",
            "",
            _line({name: name for name in widths}, widths),
            *(_line(row, widths) for row in rows),
        ]
        text = "".join(f"{line[:width]}\x1b[K\r\n" for line in lines[: height - 1])
        sys.stdout.write(f"\x1b[H{text}\x1b[J")
        sys.stdout.flush()


def _line(row: Mapping[str, str], widths: Mapping[str, int]) -> str:
    return "  ".join(_fit(row.get(name, ""), width) for name, width in widths.items())


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Replace control characters: records must not move the cursor.
    return "".join(character if character.isprintable() else "�" for character in text[:200])
