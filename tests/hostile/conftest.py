"""The server that all attacks of a module target, with both ways to read bodies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.target import Target


@pytest.fixture(scope="package", params=["takeover", "aiohttp"])
def attacked(request: pytest.FixtureRequest) -> Iterator[Target]:
    """One server for all attacks, so that later ones notice what earlier ones have broken."""
    target = Target("on" if request.param == "takeover" else "off")
    try:
        yield target
        target.check_nothing_is_left()
    finally:
        target.stop()


@pytest.fixture
def target(attacked: Target) -> Iterator[Target]:
    """The server; after each test it must live, and its witness must be unaffected."""
    yield attacked
    attacked.check()
