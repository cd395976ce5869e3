"""Reading ahead in a thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import pytest

from forstcore.cli._read_ahead import read_ahead


@pytest.fixture
def switching() -> Iterator[None]:
    """Make threads switch as often as possible, even between two adjacent steps."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


async def read(count: int) -> list[int]:
    return [item async for item in read_ahead(lambda: range(count))]


@pytest.mark.usefixtures("switching")
def test_each_item_once_in_order() -> None:
    for _ in range(10):
        assert asyncio.run(read(2000)) == list(range(2000))
