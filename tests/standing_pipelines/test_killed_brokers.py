"""Pipelines to brokers whose process is killed: exactly once, or at least once."""

from __future__ import annotations

import itertools
import signal
from typing import Any

import pytest
from redis import Redis

from tests.sources.brokers import RedisServer, redis_client
from tests.standing_pipelines.workspace import Workspace, records, results


def written(client: Redis) -> list[bytes]:
    """Return the results in the stream, as lines."""
    entries: Any = client.xrange("out")
    return [fields["data"].encode() + b"\n" for _, fields in entries]


@pytest.mark.parametrize("rounds", [3, pytest.param(15, marks=pytest.mark.long)])
def test_results_in_a_stream_of_redis_are_there_once_and_in_order(
    workspace: Workspace, rounds: int, redis_server: RedisServer
) -> None:
    count = 10_000 * rounds
    (workspace.path / "in.ndjson").write_bytes(records(0, count))
    workspace.declare(
        copy={
            "source": "file:in.ndjson?follow=no",
            "sink": f"redis://127.0.0.1:{redis_server.port}/0?stream=out",
            "processor": "python",
            "max_unconfirmed": 20_000,
        }
    )
    for number in itertools.count():
        process = workspace.start()
        if number == rounds:
            break
        with redis_client(redis_server) as client:
            before = int(client.xlen("out"))
            workspace.wait_until(
                lambda before=before, client=client: (  # type: ignore[misc]
                    client.xlen("out") > before or process.poll() is not None  # noqa: B023
                ),
                process,
            )
        process.send_signal(signal.SIGKILL)
        process.wait()
        if number % 2:
            redis_server.stop()
            redis_server.start()
    assert process.wait(120) == 0
    with redis_client(redis_server) as client:
        assert written(client) == results(0, count).splitlines(keepends=True)
