"""The TypeScript client: its own tests, one by one, and the example that uses it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests import children
from tests.servers import ROOT, Server, StartServer, launch, wait_until
from tests.sources.brokers import RedisServer

# Nothing here depends on the way in which the server reads a body.
_one_way = pytest.mark.parametrize("start_server", ["takeover"], indirect=True)

_TESTS = re.findall(
    r'^test\("([^"]+)"', (ROOT / "examples/node/forst-client.test.ts").read_text(), re.MULTILINE
)
_NEED_THEIR_OWN_SERVER = {
    "a producer that throws while the server reads nothing",
    "a server that dies",
    "a server that hangs",
    "a server that is shutting down",
    "a token",
    "abort before there is a response",
}
_TOKEN = {"FORSTCORE_TOKEN": "a secret of this test"}
# A caller that does not read is backpressure here, not a half-duplex client.
_OPTIONS = ("--heartbeat", "0.1", "--stall", "60", "--no-access-log")


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    server = launch(*_OPTIONS)
    yield server
    server.stop()
    server.process.communicate()


def node(built: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return children.run(
        ["node", *arguments],
        cwd=built,
        env={**os.environ, **env},
        text=True,
    )


def test_the_client_compiles_beside_the_types_of_browsers(built: Path) -> None:
    done = node(built, "node_modules/typescript/bin/tsc", "--noEmit", "--lib", "ES2023,DOM")
    assert done.returncode == 0, done.stdout


def run_test(built: Path, server: Server, name: str, **env: str) -> None:
    done = node(
        built,
        "--test-reporter=tap",
        f"--test-name-pattern=^{re.escape(name)}$",
        "build/node/forst-client.test.js",
        FORST_URL=server.url,
        FORST_PID=str(server.process.pid),
        **env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 1\n" in done.stdout


@pytest.mark.parametrize("name", [name for name in _TESTS if name not in _NEED_THEIR_OWN_SERVER])
def test_client(built: Path, shared_server: Server, name: str) -> None:
    run_test(built, shared_server, name)


@_one_way
@pytest.mark.parametrize("name", sorted(_NEED_THEIR_OWN_SERVER))
def test_client_with_a_server_of_its_own(built: Path, start_server: StartServer, name: str) -> None:
    secret = _TOKEN if name == "a token" else {}
    run_test(built, start_server(*_OPTIONS, env=secret), name, **secret)


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


_CONSUMER = """
import { ForstStreamingClient, StreamingIntegration } from "./build/node/forst-client.js";

const integration = new StreamingIntegration(new ForstStreamingClient(process.env.FORST_URL));
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
            # It has asked for what is behind the first batches, so they are done with.
            wait_until(lambda: 150 <= pending() < 300)
            first.kill()
        with consumer("none") as second:
            assert second.stdout is not None
            found: set[int] = set()
            while not found >= set(range(150, 300)):
                found.add(int(second.stdout.readline()))
            second.kill()
        assert 0 not in found
