"""Pipelines that read what is published to a server."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import children
from tests.servers import ROOT, Server, launch, wait_until
from tests.standing_pipelines.test_server import ask, pipeline
from tests.standing_pipelines.workspace import PROCESSORS, records, results

CONFIG = """
processors = ["{directory}/processors.py"]
access_log = false
ring_size = 65536

[sources]
events = "memory:"
logs = "file:{directory}/log"

[pipelines.{name}]
source = "{source}"
processor = "double"
sink = "file:{directory}/out.ndjson"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with a pipeline that reads its memory."""
    started = launch("--config", str(config_in(tmp_path, "memory:events")))
    yield started
    started.kill()


def config_in(directory: Path, source: str) -> Path:
    (directory / "processors.py").write_text(PROCESSORS)
    path = directory / "server.toml"
    path.write_text(CONFIG.format(directory=directory, name="published", source=source))
    return path


def publish(server: Server, first: int, end: int) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request("POST", "/sources/events", records(first, end))
        response = connection.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["records"] == end - first
    finally:
        connection.close()


def read(directory: Path) -> bytes:
    path = directory / "out.ndjson"
    return path.read_bytes() if path.exists() else b""


def test_what_is_published_is_processed_once(server: Server, tmp_path: Path) -> None:
    publish(server, 0, 1000)
    wait_until(lambda: read(tmp_path) == results(0, 1000))
    assert ask(server, "POST", "/pipelines/published/stop")[0] == 200
    wait_until(lambda: pipeline(server, "published")["state"] == "stopped")
    # What is published meanwhile waits, as far as it has room.
    publish(server, 1000, 2000)
    assert ask(server, "POST", "/pipelines/published/start")[0] == 200
    wait_until(lambda: read(tmp_path) == results(0, 2000))
    wait_until(lambda: pipeline(server, "published")["lag"] == 0)
    assert pipeline(server, "published")["lag_unit"] == "records"
    # What was acknowledged is processed, even if the server ends at once.
    publish(server, 2000, 4000)
    assert server.stop() == 0
    assert read(tmp_path) == results(0, 4000)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("memory:", "source: there is no source memory:; there are: memory:events"),
        ("memory:logs", "source: there is no source memory:logs; there are: memory:events"),
        (
            'memory:events"\nstart = "start',
            "source: is read from the start of the server on, or where it was stopped: omit start",
        ),
    ],
)
def test_only_what_is_in_memory_has_that_url(tmp_path: Path, source: str, reason: str) -> None:
    path = config_in(tmp_path, source)
    arguments = ["-m", "server", "--port", "0", "--config", str(path)]
    done = children.run([sys.executable, *arguments], cwd=ROOT, text=True)
    assert done.returncode == 2
    assert reason in done.stderr
