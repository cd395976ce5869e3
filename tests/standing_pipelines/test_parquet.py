"""A pipeline that writes Parquet, and is killed again and again."""

from __future__ import annotations

import json
import random
import signal
import subprocess

import pyarrow.parquet
import pytest

from tests.standing_pipelines.workspace import Workspace, records, results

MANIFEST = ".out.parquet.manifest"


def kill_after_progress(workspace: Workspace, process: subprocess.Popen[bytes], steps: int) -> None:
    for _ in range(steps):
        before = workspace.read(MANIFEST)
        workspace.wait_until(
            lambda before=before: (  # type: ignore[misc]
                workspace.read(MANIFEST) != before or process.poll() is not None
            ),
            process,
        )
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (2, 3))])
def test_each_result_is_in_the_files_once_and_in_order(workspace: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    (workspace.path / "in.ndjson").write_bytes(records(0, 200_000))
    workspace.declare(
        copy={
            "source": "file:in.ndjson?follow=no",
            "sink": "file:out.parquet?max_size=300kB",
            "processor": "python",
            "max_unconfirmed": 20_000,
        }
    )
    for _ in range(5):
        kill_after_progress(workspace, workspace.start(), chance.randrange(1, 5))
    done = workspace.run()
    assert done.returncode == 0, done.stderr
    paths = sorted(workspace.path.glob("out-*.parquet"))
    assert len(paths) > 1
    rows = [row for path in paths for row in pyarrow.parquet.read_table(path).to_pylist()]
    assert rows == [json.loads(line) for line in results(0, 200_000).splitlines()]
    assert list(workspace.path.glob(".out-*")) == []
