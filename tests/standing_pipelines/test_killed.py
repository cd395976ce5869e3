"""Pipelines whose process is killed again and again: nothing is lost, nothing is there twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from typing import Any

import pytest
from redis import Redis

from tests.sources.brokers import RedisServer, redis_client
from tests.standing_pipelines.workspace import Workspace, records, results

SEEDS = [pytest.param(1), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))]


def confirmed(workspace: Workspace) -> tuple[int, int]:
    """How much of the output is confirmed: the number of its file, and the bytes there."""
    text = workspace.read(".out.ndjson.manifest")
    found = json.loads(text) if text else {"number": 0, "size": 0}
    return found["number"], found["size"]


def kill_later(
    workspace: Workspace, process: subprocess.Popen[bytes], chance: random.Random
) -> bool:
    """Kill a process after it has confirmed something, unless it ends before."""
    for _ in range(chance.randrange(4)):
        before = confirmed(workspace)
        workspace.wait_until(
            lambda before=before: (
                confirmed(workspace) != before  # type: ignore[misc]
                or process.poll() is not None
            ),
            process,
        )
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    return True


@pytest.fixture(params=SEEDS)
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)


@pytest.mark.parametrize("sink", ["file:out.ndjson", "file:out.ndjson?max_size=300kB"])
def test_each_result_is_in_the_files_once_and_in_order(
    workspace: Workspace, chance: random.Random, sink: str
) -> None:
    lines = records(0, 40_000).splitlines()
    lines[20_000] = b"broken"
    (workspace.path / "in.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    workspace.declare(
        copy={
            "source": "file:in.ndjson?follow=no",
            "sink": sink,
            "errors": "file:errors.ndjson",
            "processor": "python",
            "max_unconfirmed": 20_000,
        }
    )
    for _ in range(5):
        if not kill_later(workspace, workspace.start(), chance):
            break
    done = workspace.run()
    assert done.returncode == 0, done.stderr
    written = workspace.read("out.ndjson") or b"".join(
        path.read_bytes() for path in sorted(workspace.path.glob("out-*.ndjson"))
    )
    assert written == results(0, 20_000) + results(20_001, 40_000)
    # Dead letters are written before the results that follow them, so at least once.
    entries = [json.loads(line) for line in workspace.read("errors.ndjson").splitlines()]
    assert {entry["raw"] for entry in entries} == {"broken"}


def add(client: Redis, first: int, end: int) -> None:
    with client.pipeline() as pipeline:
        for line in records(first, end).splitlines():
            pipeline.xadd("in", {"data": line})
        pipeline.execute()


def kill_after_progress(workspace: Workspace) -> None:
    """Start the pipelines, which have something to do, and kill them once they did some of it."""
    before = confirmed(workspace)
    process = workspace.start()
    workspace.wait_until(lambda: confirmed(workspace) != before, process)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("rounds", [2, pytest.param(10, marks=pytest.mark.long)])
def test_results_of_a_stream_in_redis_are_there_once_and_in_order(
    workspace: Workspace, rounds: int, redis_server: RedisServer
) -> None:
    workspace.declare(
        copy={
            "source": f"redis://127.0.0.1:{redis_server.port}/0?stream=in",
            "sink": "file:out.ndjson",
            "processor": "double",
            "max_unconfirmed": 20_000,
        }
    )
    with redis_client(redis_server) as client:
        for number in range(rounds):
            add(client, 3000 * number, 3000 * (number + 1))
            kill_after_progress(workspace)
            redis_server.stop()
            redis_server.start()
    whole = results(0, 3000 * rounds)
    process = workspace.start()
    workspace.wait_until(lambda: len(workspace.read("out.ndjson")) >= len(whole), process)
    workspace.stop(process)
    assert workspace.read("out.ndjson") == whole


@pytest.mark.parametrize("rounds", [2, pytest.param(10, marks=pytest.mark.long)])
def test_entries_of_a_group_are_written_at_least_once(
    workspace: Workspace, rounds: int, redis_server: RedisServer
) -> None:
    workspace.declare(
        copy={
            "source": f"redis://127.0.0.1:{redis_server.port}/0?stream=in&group=g&consumer=c",
            "sink": "file:out.ndjson",
            "processor": "double",
            "max_unconfirmed": 20_000,
        }
    )
    with redis_client(redis_server) as client:
        client.xgroup_create("in", "g", id="0", mkstream=True)
        for number in range(rounds):
            add(client, 3000 * number, 3000 * (number + 1))
            kill_after_progress(workspace)
        process = workspace.start()

        def is_done() -> bool:
            groups: Any = client.xinfo_groups("in")
            return bool(groups[0]["pending"] == 0 and groups[0]["lag"] == 0)

        workspace.wait_until(is_done, process)
        workspace.stop(process)
    found = workspace.read("out.ndjson").splitlines(keepends=True)
    assert set(found) == set(results(0, 3000 * rounds).splitlines(keepends=True))
