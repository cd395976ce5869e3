from __future__ import annotations

from collections.abc import Iterator

import pytest

from forstcore.processors import REGISTRY


@pytest.fixture(autouse=True)
def _registry_as_before() -> Iterator[None]:
    """Remove the processors that a test declares."""
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)
