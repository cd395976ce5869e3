"""A line costs time in proportion to its length, whatever is in it."""

from __future__ import annotations

import pytest

from .hostile_lines import LINES, OPTIONS, seconds

SHORT = 16_000


@pytest.mark.parametrize("way", OPTIONS)
def test_time_grows_with_the_line(scan_path: str, way: str) -> None:
    """A line of 16 times the length takes less than 64 times as long, not 256 times."""
    for name, make in LINES.items():
        short, long = (seconds(make(size), OPTIONS[way], 4) for size in (SHORT, 16 * SHORT))
        assert long < 64 * short + 0.01, name
