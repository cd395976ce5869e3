"""The server that all attacks of a module go to, on both ways of reading bodies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.target import Target


@pytest.fixture(scope="package", params=["takeover", "aiohttp"])
def attacked(request: pytest.FixtureRequest) -> Iterator[Target]:
    """One server for all attacks: what one of them breaks, the others would show."""
    target = Target("on" if request.param == "takeover" else "off")
    try:
        yield target
        target.check_nothing_is_left()
    finally:
        target.stop()


@pytest.fixture
def target(attacked: Target) -> Iterator[Target]:
    """The server; after each test it lives, and its witness has noticed nothing."""
    yield attacked
    attacked.check()
