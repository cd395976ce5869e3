"""The examples that use the npm package: a program, a route handler, a consumer of a source."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from redis import Redis

from tests import children
from tests.servers import Server, StartServer, wait_until
from tests.sources.brokers import RedisServer

# Nothing here depends on the way in which the server reads a body.
_one_way = pytest.mark.parametrize("start_server", ["takeover"], indirect=True)


def node(built: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return children.run(
        ["node", *arguments],
        cwd=built,
        env={**os.environ, **env},
        text=True,
    )


@_one_way
def test_main_shows_the_first_results_and_the_counts(built: Path, server: Server) -> None:
    done = node(built, "build/node/main.js", "2000", server.url)
    assert (done.returncode, done.stderr) == (0, "")
    *results, summary = done.stdout.splitlines()
    assert [json.loads(line) for line in results] == [
        {"id": f"{number}", "result": f"processed_record {number}", "status": "success"}
        for number in range(1, 6)
    ]
    assert summary == "2000 lines, 2000 results"


@_one_way
def test_main_says_what_is_wrong(built: Path, server: Server) -> None:
    server.stop()
    done = node(built, "build/node/main.js", "5", server.url)
    assert done.returncode == 1
    assert "ECONNREFUSED" in done.stderr
    assert done.stderr.count("\n") == 1


_HANDLER = """
import { POST } from "./build/next/route.js";

const body = '{"id":"1","data":"x"}\\n';
const response = await POST(new Request("http://app/process", { method: "POST", body }));
console.log(response.status, await response.text());
"""


@_one_way
def test_a_route_handler_returns_the_response(built: Path, server: Server) -> None:
    (built / "handler.mjs").write_text(_HANDLER)
    done = node(built, "handler.mjs", FORST_URL=server.url)
    assert done.stdout.strip() == '200 {"id":"1","result":"processed_x","status":"success"}'


_CONSUMER = """
import { StreamingIntegration } from "forstcore";

const integration = new StreamingIntegration(process.env.FORST_URL);
for await (const result of integration.processRealTimeData({ source: "jobs" })) {
  console.log(result.id);
  if (process.argv[2] === result.id) await new Promise(() => setInterval(() => {}, 1000));
}
"""


def test_what_a_consumer_had_in_hand_when_it_died_goes_to_another(
    built: Path, start_one: StartServer, tmp_path: Path
) -> None:
    broker = RedisServer(tmp_path)
    try:
        _take_and_die(built, start_one, broker)
    finally:
        broker.stop()


def _take_and_die(built: Path, start_one: StartServer, broker: RedisServer) -> None:
    url = f"redis://127.0.0.1:{broker.port}/0?stream=jobs&group=workers&claim=60"
    server = start_one("--source", f"jobs={url}")
    (built / "consumer.mjs").write_text(_CONSUMER)

    def consumer(last: str) -> subprocess.Popen[str]:
        return children.start(
            ["node", "consumer.mjs", last],
            cwd=built,
            env={**os.environ, "FORST_URL": server.url},
            stdout=subprocess.PIPE,
            text=True,
        )

    def pending() -> int:
        return int(redis.xpending("jobs", "workers")["pending"])

    with Redis(port=broker.port, decode_responses=True) as redis:
        for number in range(300):
            redis.xadd("jobs", {"id": str(number), "data": "x"})
        with consumer("150") as first:
            assert first.stdout is not None
            for number in range(151):
                assert first.stdout.readline() == f"{number}\n"
            # It has asked for records after the first batches, so those are finished.
            wait_until(lambda: 150 <= pending() < 300)
            first.kill()
        with consumer("none") as second:
            assert second.stdout is not None
            found: set[int] = set()
            while not found >= set(range(150, 300)):
                found.add(int(second.stdout.readline()))
            second.kill()
        assert 0 not in found
