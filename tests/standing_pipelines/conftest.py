"""Pipelines that run in a directory, with a broker of their own where they need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.brokers import RedisServer
from tests.standing_pipelines.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A directory with a file of pipelines, which `forstcore run` runs."""
    made = Workspace(tmp_path / "work")
    yield made
    made.end()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A separate Redis server."""
    directory = tmp_path / "redis"
    directory.mkdir()
    broker = RedisServer(directory)
    yield broker
    broker.stop()
