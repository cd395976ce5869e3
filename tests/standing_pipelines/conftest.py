"""Pipelines that run in a directory, with their own broker if they need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.conftest import kafka, redis_server
from tests.standing_pipelines.workspace import Workspace

__all__ = ["kafka", "redis_server", "workspace"]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A directory with a pipeline file, which `forstcore run` runs."""
    made = Workspace(tmp_path / "work")
    yield made
    made.end()
