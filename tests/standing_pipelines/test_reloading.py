"""Pipelines take the new code of their processors while they run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from tests import children
from tests.servers import launch, wait_until
from tests.standing_pipelines.workspace import PROCESSORS, Workspace, records

CHANGED = PROCESSORS.replace("twice", "two_times")
CONFIG = """
processors = ["{directory}/processors.py"]
access_log = false
state = "{directory}/state"

[pipelines.double]
source = "file:{directory}/in.ndjson"
processor = "double"
sink = "file:{directory}/out.ndjson"
"""


def append_until(directory: Path, first: int, is_enough: Callable[[], bool]) -> int:
    """Append records to the input until something happens; return the number of the next."""
    deadline = time.monotonic() + children.LIMIT
    while not is_enough():
        assert time.monotonic() < deadline, "it does not happen"
        with (directory / "in.ndjson").open("ab") as file:
            file.write(records(first, first + 100))
        first += 100
        time.sleep(0.02)
    return first


def read(directory: Path) -> bytes:
    path = directory / "out.ndjson"
    return path.read_bytes() if path.exists() else b""


def check_takes_new_code(directory: Path) -> int:
    """Change the processor while a pipeline runs; return the number of the next record."""
    first = append_until(directory, 0, lambda: b"twice" in read(directory))
    (directory / "processors.py").write_text(CHANGED)
    count = append_until(directory, first, lambda: b"two_times" in read(directory))
    wait_until(lambda: read(directory).count(b"\n") == count)
    found = [json.loads(line) for line in read(directory).splitlines()]
    assert [each["id"] for each in found] == [str(number) for number in range(count)]
    assert [name for name, _ in groupby(list(each)[1] for each in found)] == ["twice", "two_times"]
    return count


def test_a_server_gives_pipelines_the_new_code(tmp_path: Path) -> None:
    (tmp_path / "processors.py").write_text(PROCESSORS)
    (tmp_path / "server.toml").write_text(CONFIG.format(directory=tmp_path))
    log = tmp_path / "log"
    server = launch("--config", str(tmp_path / "server.toml"), "--reload", log=log)
    try:
        count = check_takes_new_code(tmp_path)
        (tmp_path / "processors.py").write_text(CHANGED.replace('("double")', '("other")'))
        wait_until(lambda: "there is no processor 'double' any more" in log.read_text())
        append_until(tmp_path, count, lambda: read(tmp_path).count(b"\n") > count)
    finally:
        server.stop()
        server.kill()


def test_the_command_takes_new_code(workspace: Workspace) -> None:
    workspace.declare(
        double={"source": "file:in.ndjson", "processor": "double", "sink": "file:out.ndjson"}
    )
    process = workspace.start("--reload")
    check_takes_new_code(workspace.path)
    errors = workspace.stop(process)
    assert b"forstcore: reloaded processors: async, double, python\n" in errors
