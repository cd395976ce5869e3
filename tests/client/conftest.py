"""Fixtures shared by the tests of the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import Server, launch


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for all tests of a module; other tests cover the ways to read bodies."""
    # The log would fill a pipe that nobody reads.
    server = launch("--no-access-log")
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def nothing_is_lost(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail if asyncio logs something, such as an exception that was never retrieved."""
    yield
    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []
