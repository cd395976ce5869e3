"""Observing the server: version, metrics and the access log."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import forstcore
from tests.server.raw import Cut, RawStream
from tests.servers import Server, StartServer, launch

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def stream(server: Server, headers: dict[str, str] | None = None) -> RawStream:
    return RawStream((server.host, server.port), headers=headers)


def process(server: Server, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    with stream(server, headers) as request:
        request.send(body)
        request.end()
        return request.read_rest()


def fetch(server: Server, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


Samples = dict[tuple[str, str], float]


def samples(server: Server) -> Samples:
    """Read /metrics: values by the sample's name and its label, empty for none."""
    _, body = fetch(server, "/metrics")
    return {
        (found.name.removeprefix("forstcore_"), ",".join(found.labels.values())): found.value
        for family in text_string_to_metric_families(body.decode())
        for found in family.samples
    }


def wait_for(server: Server, holds: Callable[[Samples], bool]) -> Samples:
    """Read /metrics until it is as expected: a stream is counted just after its last byte."""
    deadline = time.monotonic() + 5
    while True:
        found = samples(server)
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def ended(count: int) -> Callable[[Samples], bool]:
    return lambda found: found["stream_seconds_count", ""] == count


def log_of(server: Server) -> list[dict[str, Any]]:
    """End the server and return its access log; it may have written nothing else."""
    assert server.stop() == 0
    errors = server.process.communicate()[1]
    return [json.loads(line) for line in errors.splitlines()]


def test_version(server: Server) -> None:
    response, body = fetch(server, "/version")
    assert response.status == 200
    reported = json.loads(body)
    assert reported["forstcore"] == forstcore.__version__
    assert {"gzip", "deflate"} <= set(reported["codings"])
    assert reported["scan_path"]
    assert reported["python"]
    assert reported["aiohttp"]


# Figures.


def test_figures_are_prometheus_text(server: Server) -> None:
    response, body = fetch(server, "/metrics")
    assert response.status == 200
    assert (response.getheader("Content-Type") or "").startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    kinds = {name: family.type for name, family in families.items()}
    for name in ("streams", "lines", "records", "results", "errors", "bytes_in", "bytes_out"):
        assert kinds[f"forstcore_{name}"] == "counter"
    assert kinds["forstcore_record_errors"] == "counter"
    assert kinds["forstcore_streams_open"] == "gauge"
    assert kinds["forstcore_stream_seconds"] == "histogram"
    assert [name for name, family in families.items() if not family.documentation] == []


def test_a_stream_is_counted_when_it_has_ended(server: Server) -> None:
    body = RECORD % 1 + b"\n" + b"junk\n" + b'{"id":7}\n' + b"[]\n" + RECORD % 2
    assert process(server, body) == RESULT % 1 + RESULT % 2
    found = wait_for(server, ended(1))
    assert found["streams_total", "ok"] == 1
    assert found["lines_total", ""] == 6
    assert found["records_total", ""] == 2
    assert found["results_total", ""] == 2
    assert found["errors_total", ""] == 3
    assert found["bytes_in_total", ""] == len(body)
    assert found["bytes_out_total", ""] == len(RESULT % 1) * 2
    codes = {
        label: value for (name, label), value in found.items() if name == "record_errors_total"
    }
    assert codes == {"invalid_json": 1, "wrong_type": 1, "not_an_object": 1}
    assert found["core_seconds_total", ""] > 0
    assert found["streams_open", ""] == 0
    assert found["queue_bytes", ""] == 0
    assert found["spool_bytes", ""] == 0


def test_streams_are_counted_by_their_outcome(start_server: StartServer) -> None:
    server = start_server("--timeout", "0.5", "--no-access-log")
    process(server, RECORD % 1)
    process(server, b"\n")
    with stream(server, {"Forst-On-Error": "fail"}) as failing:
        failing.send(b"junk\n")
        failing.read_until_cut()
    with stream(server) as leaving:
        leaving.send(RECORD % 1)
        leaving.read_line()
    with stream(server) as idle:
        idle.send(RECORD % 1)
        assert idle.read_until_cut() == RESULT % 1
    found = wait_for(server, ended(5))
    outcomes = {label: value for (name, label), value in found.items() if name == "streams_total"}
    assert outcomes == {"ok": 2, "bad_record": 1, "disconnected": 1, "timeout": 1}


def test_refused_requests_are_no_streams(server: Server) -> None:
    with stream(server, {"Forst-On-Error": "explode"}) as refused:
        assert refused.read_head() == 400
    with stream(server, {"Content-Encoding": "magic"}) as refused:
        assert refused.read_head() == 415
    found = samples(server)
    assert found["stream_seconds_count", ""] == 0
    assert found["streams_open", ""] == 0


def test_a_running_stream_is_counted_as_it_goes(server: Server) -> None:
    with stream(server) as one, stream(server) as two:
        for number in range(1, 4):
            one.send(RECORD % number)
            one.read_line()
            assert samples(server)["results_total", ""] == number
        assert two.read_head() == 200
        found = samples(server)
        assert found["streams_open", ""] == 2
        assert found["stream_seconds_count", ""] == 0
        one.end()
        one.read_rest()
        assert wait_for(server, ended(1))["streams_open", ""] == 1
    found = wait_for(server, ended(2))
    assert found["streams_open", ""] == 0
    # Nothing is counted twice when a stream that was looked at ends.
    assert found["results_total", ""] == 3


def test_the_histogram_knows_how_long_streams_took(server: Server) -> None:
    process(server, RECORD % 1)
    with stream(server) as slow:
        slow.read_head()
        time.sleep(0.2)
        slow.end()
        slow.read_rest()
    found = wait_for(server, ended(2))
    assert 0.2 <= found["stream_seconds_sum", ""] < 5
    buckets = {label: value for (name, label), value in found.items() if "bucket" in name}
    assert buckets["+Inf"] == 2
    assert buckets["0.1"] <= 1
    assert list(buckets.values()) == sorted(buckets.values())


def test_many_streams_add_up(start_server: StartServer) -> None:
    server = start_server("--no-access-log")
    body = b"".join(RECORD % number for number in range(100)) + b"junk\n"
    for _ in range(50):
        process(server, body)
    found = wait_for(server, ended(50))
    assert found["lines_total", ""] == 50 * 101
    assert found["results_total", ""] == 50 * 100
    assert found["record_errors_total", "invalid_json"] == 50
    assert found["bytes_in_total", ""] == 50 * len(body)


# The access log.


def test_a_stream_is_one_line_of_json(server: Server) -> None:
    body = RECORD % 1 + b"\njunk\n" + RECORD % 2
    results = process(server, body)
    (entry,) = log_of(server)
    assert entry["event"] == "stream"
    assert entry["path"] == "/streaming-process"
    assert entry["client"] == "127.0.0.1"
    assert entry["outcome"] == "ok"
    counted = {name: entry[name] for name in ("lines", "records", "errors", "results")}
    assert counted == {"lines": 4, "records": 2, "errors": 1, "results": 2}
    assert entry["bytes_in"] == entry["bytes_received"] == len(body)
    assert entry["bytes_out"] == len(results)
    # Bytes on the wire: with the framing of HTTP chunks, without heartbeats and the head.
    assert len(results) < entry["bytes_sent"] <= len(results) + 100
    assert entry["bytes_spooled"] == 0
    assert 0 < entry["core_seconds"] < entry["seconds"] < 10
    made = time.mktime(time.strptime(entry["time"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(made - time.time()) < 60
    assert "trace_id" not in entry


def test_each_outcome_is_logged_once(start_server: StartServer) -> None:
    server = start_server("--timeout", "0.5")
    process(server, RECORD % 1)
    with stream(server, {"Forst-On-Error": "fail"}) as failing:
        failing.send(RECORD % 1 + b"junk\n")
        failing.read_until_cut()
    with stream(server) as leaving:
        leaving.send(RECORD % 1 + RECORD % 2 + b'{"id":')
        leaving.read_line()
        leaving.read_line()
    with stream(server) as idle:
        assert idle.read_until_cut() == b""
    wait_for(server, ended(4))
    entries = {entry["outcome"]: entry for entry in log_of(server)}
    assert list(entries) == ["ok", "bad_record", "disconnected", "timeout"]
    assert (entries["bad_record"]["lines"], entries["bad_record"]["errors"]) == (2, 1)
    assert entries["disconnected"]["results"] == 2
    assert entries["timeout"]["lines"] == 0
    assert entries["timeout"]["seconds"] >= 0.5
    assert "detail" not in entries["ok"]
    assert "(timeout)" in entries["timeout"]["detail"]


def test_a_reset_is_a_disconnect(server: Server) -> None:
    with stream(server) as request:
        request.send(RECORD % 1)
        request.read_line()
        # Linger for no time at all: the close is a reset.
        linger = struct.pack("ii", 1, 0)
        request.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    wait_for(server, ended(1))
    assert [entry["outcome"] for entry in log_of(server)] == ["disconnected"]


def test_only_streams_and_refusals_are_logged(server: Server) -> None:
    for path in ("/healthz", "/readyz", "/version", "/metrics", "/nowhere"):
        fetch(server, path)
    with stream(server, {"Forst-On-Error": "explode"}) as refused:
        refused.read_head()
    assert [(each["event"], each["path"]) for each in log_of(server)] == [
        ("refused", "/nowhere"),
        ("refused", "/streaming-process"),
    ]


def test_the_log_can_be_turned_off(start_server: StartServer) -> None:
    server = start_server("--no-access-log")
    process(server, RECORD % 1)
    assert log_of(server) == []


@pytest.mark.parametrize("processes", ["1", "2"])
def test_lines_of_the_log_are_never_mixed(start_server: StartServer, processes: str) -> None:
    server = start_server("--processes", processes)
    for _ in range(20):
        process(server, RECORD % 1)
    wait_for(server, ended(20))
    assert [entry["outcome"] for entry in log_of(server)] == ["ok"] * 20


# Trace context.


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (f"00-{TRACE}-{PARENT}-01", True),
        (f"00-{TRACE}-{PARENT}-00", True),
        (f"cc-{TRACE}-{PARENT}-09", True),
        (f"ff-{TRACE}-{PARENT}-01", False),
        (f"00-{'0' * 32}-{PARENT}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{PARENT}-01", False),
        (f"00-{TRACE[:-1]}-{PARENT}-01", False),
        (f"00-{TRACE}-{PARENT}", False),
        (f"00-{TRACE}-{PARENT}-01-more", False),
        (f"{TRACE}", False),
        ("", False),
    ],
)
def test_a_valid_trace_id_is_taken_over(watched: Server, value: str, valid: bool) -> None:
    process(watched, RECORD % 1, {"traceparent": value})
    entry = next_entry(watched)
    assert entry.get("trace_id") == (TRACE if valid else None)
    assert entry.get("parent_id") == (PARENT if valid else None)


@pytest.fixture(scope="module")
def watched() -> Iterator[Server]:
    """A server whose log the tests read line by line."""
    server = launch()
    try:
        yield server
        assert server.stop() == 0
        assert server.process.communicate()[1] == ""
    finally:
        server.kill()


def next_entry(server: Server) -> dict[str, Any]:
    assert server.process.stderr is not None
    entry = json.loads(server.process.stderr.readline())
    assert isinstance(entry, dict)
    return entry


@pytest.mark.parametrize(
    "line",
    [
        b'traceparent: 00-"},{"a":"-\\-01',
        b"traceparent: \xff\xfe\xed\xa0\x80",
        b"traceparent: 00-%b-%b-01\t" % (TRACE.encode(), PARENT.encode()),
        b"traceparent: \xe2\x80\xa8\xc2\x85",
        b'User-Agent: "\\\xe2\x80\xa9\xc2\x85\xff',
        b"Accept: \xff/\xff, application/x-ndjson",
        b"Accept-Encoding: \xff;q=\xff, gzip;q=nan, \xe2\x98\x83",
        b"Forst-Frames: \xff",
        b"X-Forwarded-For: \xff\xfe, 10.0.0.1",
        b"Content-Type: \xff/\xff; charset=\xff",
        b"Cookie: a=\xff; \xe2\x80\xa8",
    ],
)
@pytest.mark.parametrize("path", [b"/streaming-process", b"/streaming-process?filter=%0A%7B%7D%0D"])
def test_hostile_bytes_break_no_line(watched: Server, path: bytes, line: bytes) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%b\r\n" % (path, line)
    with socket.create_connection((watched.host, watched.port), timeout=60) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(RECORD % 1) + RECORD % 1)
        got = b""
        while data := connection.recv(65536):
            got += data
    assert got.split()[1] == b"200"
    entry = next_entry(watched)
    assert (entry["outcome"], entry["path"]) == ("ok", "/streaming-process")


@pytest.mark.parametrize(
    "line", [b"traceparent: a\x00b", b"X-A: a\x1bb", b"X-A: a\rb", b"X-A: \x7f"]
)
def test_control_characters_break_no_line(watched: Server, line: bytes) -> None:
    head = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%b\r\n"
    with socket.create_connection((watched.host, watched.port), timeout=60) as connection:
        connection.sendall(head % line + b"Content-Length: 1\r\n\r\n\n")
        got = connection.recv(65536)
    assert got.split()[1] == b"400"
    assert next_entry(watched)["reason"] == "bad_request"


def test_a_malformed_body_is_one_line(watched: Server) -> None:
    with stream(watched) as request:
        request.send(RECORD % 1)
        assert request.read_line() == RESULT % 1
        request.socket.sendall(b'\xff"\\\n\x1b\r\n')
        with pytest.raises(Cut):
            request.read_rest()
    entry = next_entry(watched)
    assert entry["outcome"] == "malformed_body"
    assert entry["results"] == 1
