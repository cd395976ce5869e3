"""The formats of /metrics, and its metrics of the process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_families

import forstcore
from tests.server.requests import Answer, ask
from tests.servers import Server, StartServer, wait_until

OPENMETRICS = "application/openmetrics-text"
# As Prometheus asks for it.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def scrape(server: Server, accept: str = "") -> Answer:
    line = f"\nAccept: {accept}" if accept else ""
    answer = ask(server, f"GET /metrics HTTP/1.1\nHost: localhost{line}")
    assert answer.status == 200
    return answer


def openmetrics_families(text: str) -> list[Metric]:
    return list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def values(server: Server) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_families(scrape(server).body.decode())
        for sample in family.samples
        if not sample.labels
    }


@pytest.mark.parametrize("processes", ["1", "2"])
def test_openmetrics(start_one: StartServer, processes: str) -> None:
    server = start_one("--processes", processes)
    head = "POST /streaming-process HTTP/1.1\nHost: localhost\nContent-Length: 3"
    assert ask(server, f"{head}\n\nbad").status == 200
    # A stream is counted when it has ended, which is after its answer.
    wait_until(lambda: b"forstcore_streams_total" in scrape(server, PROMETHEUS).body)
    answer = scrape(server, PROMETHEUS)
    assert answer.headers["content-type"].startswith(f"{OPENMETRICS}; version=1.0.0")
    assert answer.headers["vary"] == "Accept"
    assert answer.body.endswith(b"# EOF\n")
    families = {each.name: each for each in openmetrics_families(answer.body.decode())}
    for name in ("forstcore_streams", "forstcore_record_errors", "process_cpu_seconds"):
        assert families[name].type == "counter"
        assert f"{name}_total" in {sample.name for sample in families[name].samples}


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain",
        f"{OPENMETRICS};q=0",
        f"{OPENMETRICS};q=0.1,text/plain",
        f"{OPENMETRICS};q=nonsense",
        ";;;,,,=",
    ],
)
def test_the_text_format_is_for_everybody_else(shared_server: Server, accept: str) -> None:
    answer = scrape(shared_server, accept)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in answer.body


@pytest.mark.parametrize(
    "accept",
    [f"{OPENMETRICS};version=nonsense", f"{OPENMETRICS};version=9.9.9;escaping=x", OPENMETRICS],
)
def test_the_version_is_not_the_clients(shared_server: Server, accept: str) -> None:
    answer = scrape(shared_server, accept)
    assert answer.headers["content-type"] == f"{OPENMETRICS}; version=1.0.0; charset=utf-8"


@pytest.mark.parametrize("processes", [1, 2])
def test_the_build_and_the_process(start_one: StartServer, processes: int) -> None:
    before = time.time()
    server = start_one("--processes", str(processes))
    if processes == 2:
        server.await_both(lambda: scrape(server).status == 200)
    assert server.figure("build_info", version=forstcore.__version__) == 1
    found = values(server)
    assert before - 2 <= found["process_start_time_seconds"] <= time.time()
    pids = server.workers() if processes == 2 else [server.process.pid]
    assert len(pids) == processes
    resident = sum(_resident(pid) for pid in pids)
    assert resident / 2 < found["process_resident_memory_bytes"] < resident * 2
    assert found["process_cpu_seconds_total"] > 0
    assert 10 * processes < found["process_open_fds"] < found["process_max_fds"]
    assert found["forstcore_streams_limit"] == 1000 * processes
    assert found["forstcore_connections_limit"] >= found["forstcore_connections_open"] >= 1


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
