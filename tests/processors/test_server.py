"""Processors in the server: same bytes, in order, and correct ends of streams."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

import forstcore
from forstcore.processors import REGISTRY
from tests.processors import routes as _routes  # noqa: F401 (declares them)
from tests.processors.requesting import EMIT, FRAMES, send, stream
from tests.server.raw import RawStream
from tests.servers import WAYS, Server, StartServer, launch, wait_until

ROUTES = ("--processors", "tests.processors.routes")

# Something of everything.
INPUT = b"\n".join(
    [
        b'\xef\xbb\xbf{"id":"1","data":"a"}',
        b"",
        b'{"id":2,"n":3,"data":"\xc3\xbc"}',
        b'{"refuse":"no","n":"no"}',
        b"junk",
        b'{"drop":1,"id":4,"n":0}',
        b'{"id":5,"state":"open","items":[{"name":"saw"}]}',
        b'{"sensor":"s","value":1.5}\r',
        b"[1]",
        b'{"id":"' + b"x" * 300 + b'"}',
        b'{"id":"last"}',
    ]
)


OPTIONS = (*ROUTES, "--max-line-size", "200", "--workers", "3")


@pytest.fixture(scope="module", params=["takeover", "aiohttp"])
def served(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for all tests that do not look at its counts or its log."""
    server = launch("--no-access-log", *OPTIONS, env=WAYS[request.param])
    yield server
    server.kill()


@pytest.fixture
def fresh(start_server: StartServer) -> Server:
    return start_server(*OPTIONS)


def get(server: Server, path: str, method: str = "GET") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def errors_of(server: Server, status: int = 0) -> str:
    """Stop a server, and return its standard error."""
    server.process.send_signal(signal.SIGTERM)
    _, errors = server.process.communicate(timeout=60)
    assert server.process.returncode == status, errors
    return errors


# The same bytes.


@pytest.mark.parametrize("mode", ["skip", "emit"])
def test_the_bytes_are_those_of_the_engine_in_process(served: Server, mode: Any) -> None:
    headers = {"Forst-On-Error": mode, "Forst-First-Line": "1"}
    for name in [*REGISTRY, "large-dataset-stream"]:
        how = None if name == "large-dataset-stream" else name
        expected = b"".join(forstcore.process([INPUT], how, on_error=mode, max_line_size=200))
        for size in (1, 7, 100, len(INPUT)):
            with stream(served, name, headers) as request:
                for at in range(0, len(INPUT), size):
                    request.send(INPUT[at : at + size])
                request.end()
                assert request.read_rest() == expected, (name, size)


def test_several_workers_give_the_bytes_of_the_core(served: Server) -> None:
    lines = INPUT + b"".join(b'\n{"id":"%d","data":"x"}' % n for n in range(100_000))
    one = send(served, "streaming-process", lines, EMIT)
    several = send(served, "large-dataset-stream", lines, EMIT)
    assert one == several
    assert one.count(b"processed_x") == 100_000


def test_a_flood_over_many_chunks_comes_back_in_order(served: Server) -> None:
    count = 50_000
    for name in ("same", "same-async", "large-dataset-stream"):
        with stream(served, name) as request:

            def feed(request: RawStream = request) -> None:
                for start in range(0, count, 500):
                    numbers = range(start, start + 500)
                    request.send(b"".join(b'{"id":"%d"}\n' % number for number in numbers))
                request.end()

            sender = threading.Thread(target=feed)
            sender.start()
            rows = [json.loads(line) for line in request.read_rest().splitlines()]
            sender.join()
        assert [int(row["id"]) for row in rows] == list(range(count))


def test_compressed_both_ways(served: Server) -> None:
    body = b"".join(b'{"id":%d}\n' % number for number in range(10_000))
    answer = requests.post(
        f"{served.url}/same",
        data=gzip.compress(body),
        headers={"Content-Encoding": "gzip", "Accept-Encoding": "gzip"},
        timeout=60,
    )
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.content == body


def test_a_client_that_sends_all_before_it_reads(start_server: StartServer) -> None:
    server = start_server(*ROUTES, "--stall", "0.3")
    line = b'{"id":"' + b"x" * 1000 + b'"}\n'

    def lines() -> Any:
        for _ in range(300):
            yield line * 100

    for name in ("same", "same-async"):
        answer = requests.post(f"{server.url}/{name}", data=lines(), timeout=60)
        assert answer.content == line * 30_000


# One at a time, and reports of the progress.


def test_a_lone_record_comes_back_at_once(served: Server) -> None:
    for name in ("same", "same-async", "twin", "large-dataset-stream"):
        with stream(served, name) as request:
            for number in range(20):
                request.send(b'{"id":"%d"}\n' % number)
                assert json.loads(request.read_line())["id"] == str(number)
            request.end()
            assert request.read_rest() == b""


@pytest.mark.parametrize("name", ["times", "times-async", "picky", "picky-async"])
def test_acknowledgements_are_right(served: Server, name: str) -> None:
    texts = [b'{"id":1,"n":3}', b'{"drop":1,"n":0}', b'{"refuse":"x","n":"x"}', b"", b"junk"]
    lines = [texts[number % 7 % 5] for number in range(999)]
    counts = {
        text: b"".join(forstcore.process([text], name, on_error="emit")).count(b"\n")
        for text in texts
    }
    acks = results = 0
    with stream(served, name, FRAMES | EMIT) as request:
        for at in range(0, 999, 37):
            request.send(b"".join(line + b"\n" for line in lines[at : at + 37]))
        request.end()
        for line in request.read_rest().splitlines():
            if line.startswith(b":ack "):
                acks += 1
                assert sum(counts[each] for each in lines[: int(line[5:])]) == results
            elif line.startswith(b":end "):
                end = json.loads(line[5:])
            elif not line.startswith(b":rejected "):
                results += 1
    assert acks > 1
    assert end["lines"] == 999
    assert end["records"] + end["errors"] + lines.count(b"") == 999
    assert end["results"] + end["errors"] == results


def test_completion_order(served: Server) -> None:
    headers = FRAMES | {"Forst-Order": "completion"}
    with stream(served, "nap-async", headers) as request:
        request.send(b'{"id":0,"seconds":1}\n{"id":1}\n')
        assert request.read_line() == b'{"id":1}\n'
        assert request.read_line() == b'{"id":0,"seconds":1}\n'
        assert request.read_line() == b":ack 2\n"
    with stream(served, "nap-async", {"Forst-Order": "random"}) as request:
        assert request.read_head() == 400
        assert b"Forst-Order must be input or completion" in request.read_rest()


def test_long_work_is_no_silence(start_server: StartServer) -> None:
    server = start_server(*ROUTES, "--timeout", "0.3", "--heartbeat", "0.1")
    for name in ("nap", "nap-async"):
        with stream(server, name, FRAMES) as request:
            request.send_and_end(b'{"seconds":1}\n')
            lines = request.read_rest().splitlines()
        acks = lines.count(b":ack 0")
        assert acks > 3
        assert lines[acks] == b'{"seconds":1}'
        # On a busy machine a heartbeat may follow.
        assert set(lines[acks + 1 : -1]) == {b":ack 1"}
        assert lines[-1].startswith(b":end ")


def test_no_work_is_silence(start_server: StartServer) -> None:
    server = start_server(*ROUTES, "--timeout", "0.3")
    with stream(server, "nap-async", FRAMES) as request:
        request.send(b'{"id":1}\n')
        assert request.read_rest().splitlines()[-1].startswith(b":error ")


# Errors.


@pytest.mark.parametrize("name", ["picky", "picky-async"])
def test_fail_ends_the_stream(fresh: Server, name: str) -> None:
    headers = {"Forst-On-Error": "fail"}
    body = b'{"id":1}\n{"refuse":"no"}\n' + b'{"id":2}\n' * 1000
    with stream(fresh, name, headers) as request:
        request.send(body)
        lines = request.read_until_cut().splitlines()
    assert lines[0] == b'{"id":1}'
    assert json.loads(lines[1])["code"] == "processor_failed"
    assert len(lines) == 2
    with stream(fresh, name, headers | FRAMES) as request:
        request.send(body)
        last = request.read_rest().splitlines()[-1]
    assert json.loads(last.removeprefix(b":error "))["code"] == "bad_record"
    assert "Traceback" in errors_of(fresh)


def test_too_many_records(start_server: StartServer) -> None:
    server = start_server(*ROUTES, "--max-stream-records", "10")
    for name in ("same", "same-async"):
        with stream(server, name, FRAMES) as request:
            request.send(b"{}\n" * 11)
            assert b'"too_many_records"' in request.read_rest()


def test_a_failure_is_logged_with_its_traceback(fresh: Server) -> None:
    send(fresh, "picky", b'{"refuse":"no"}\n' * 100)
    errors = errors_of(fresh)
    assert 5 <= errors.count("Traceback") < 50
    assert 'raise ValueError(record["refuse"])' in errors
    assert "were not logged" in errors
    assert '"path": "/picky"' in errors


def test_what_there_is_is_listed(served: Server) -> None:
    status, body = get(served, "/processors")
    assert status == 200
    listed = {each.pop("name"): each for each in json.loads(body)["processors"]}
    assert sorted(listed) == sorted(REGISTRY)
    assert re.fullmatch(r"routes\.py:\d+:\d+: .+", listed["order"].pop("reason"))
    assert listed["order"] == {
        "kind": "typed",
        "async": False,
        "input": "Order",
        "output": "Order",
        "doc": "Pay an order.",
        "compiled": False,
    }
    assert listed["same"]["compiled"] is True
    assert listed["reading"]["async"] is True
    status, body = get(served, "/nowhere", "POST")
    assert status == 404
    assert "POST /order, POST /picky, " in json.loads(body)["detail"]
    assert get(served, "/same")[0] == 426
    assert get(served, "/same", "PUT")[0] == 405
    assert get(served, "/healthz", "POST")[0] == 405
    assert get(served, "/same/more", "POST")[0] == 404


def test_figures_by_processor(fresh: Server) -> None:
    send(fresh, "times", b'{"id":1,"n":3}\n{"id":2,"n":0}\njunk\n')
    send(fresh, "large-dataset-stream", b'{"id":"1"}\n')
    send(fresh, "streaming-process", b'{"id":"1"}\n')
    wait_until(lambda: fresh.figure("stream_seconds_count") == 3)
    assert fresh.figure("processor_records_total", processor="times") == 2
    assert fresh.figure("processor_results_total", processor="times") == 3
    assert fresh.figure("processor_errors_total", processor="times") == 1
    assert fresh.figure("processor_seconds_total", processor="times") > 0
    assert fresh.figure("processor_records_total", processor="built-in") == 1
    assert fresh.figure("records_total") == 4


def test_places_that_give_records_back_are_listed(start_server: StartServer) -> None:
    server = start_server(*ROUTES)
    send(server, "picky", b'{"id":1}\n{"refuse":"no"}\n{"id":2}\n{"refuse":"never"}\n{"id":3}\n')
    listed = {
        each["name"]: each for each in json.loads(get(server, "/processors")[1])["processors"]
    }
    (place,) = listed["picky"]["given_back"]
    assert place.pop("line") > 1
    assert place == {
        "file": "routes.py",
        "column": 9,
        "reason": "raise ValueError(record['refuse'])",
        "records": 2,
    }
    assert "given_back" not in listed["same"]
    assert server.figure("processor_given_back_total", processor="picky") == 2


def test_metrics_tell_which_processors_are_compiled(served: Server) -> None:
    assert served.figure("processor_compiled", processor="same") == 1
    assert served.figure("processor_compiled", processor="order") == 0


# Ends.


def test_a_client_that_goes_away_stops_the_work(start_server: StartServer) -> None:
    server = start_server(*ROUTES, "--workers", "2")
    for name in ("nap", "nap-async"):
        for _ in range(4):
            with stream(server, name) as request:
                request.send(b'{"seconds":0.01}\n' + b'{"seconds":0.5}\n' * 1000)
                request.read_line()
        wait_until(lambda: server.figure("streams_open") == 0)
        # At most the sleeps that have started are left.
        assert send(server, name, b'{"id":1}\n') == b'{"id":1}\n'
    assert "Traceback" not in errors_of(server)


def test_drain_processes_what_was_read(start_server: StartServer) -> None:
    for name in ("nap", "nap-async"):
        server = start_server(*ROUTES)
        with stream(server, name, FRAMES) as request:
            request.send(b'{"id":0,"seconds":0.5}\n{"id":1,"seconds":0.5}\n{"id":2')
            request.read_head()
            wait_until(lambda s=server: s.figure("streams_open") == 1)  # type: ignore[misc]
            time.sleep(0.1)
            server.process.send_signal(signal.SIGTERM)
            lines = request.read_rest().splitlines()
        results = [json.loads(line)["id"] for line in lines if not line.startswith(b":")]
        assert results == [0, 1]
        assert lines[-2] == b":ack 2"
        assert json.loads(lines[-1].removeprefix(b":error "))["code"] == "draining"
        assert "Traceback" not in errors_of(server)


def test_a_drain_does_not_wait_for_ever(start_server: StartServer) -> None:
    server = start_server(*ROUTES, "--drain-timeout", "0.5")
    with stream(server, "nap-async") as request:
        request.send(b'{"seconds":60}\n')
        request.read_head()
        time.sleep(0.1)
        assert "Traceback" not in errors_of(server)


def test_a_processor_that_does_not_end_is_left_behind(start_server: StartServer) -> None:
    server = start_server(*ROUTES, "--drain-timeout", "0.5")
    with stream(server, "nap") as request:
        request.send(b'{"seconds":60}\n')
        request.read_head()
        time.sleep(0.1)
        errors = errors_of(server, status=1)
    assert "a processor did not end in time, and was stopped" in errors
    assert "Traceback" not in errors


def test_a_reader_that_stops_stops_the_reading(start_server: StartServer) -> None:
    server = start_server(*ROUTES, "--stall", "60")
    chunk = b"".join(b'{"id":"%d","data":"x"}\n' % number for number in range(10_000))
    for name in ("same", "same-async", "large-dataset-stream"):
        address = (server.host, server.port)
        with RawStream(address, f"/{name}", receive_buffer=65536) as request:
            request.send(b"{}\n")
            request.read_line()
            before = server.rss()
            request.socket.settimeout(1)
            with pytest.raises(TimeoutError):
                request.send_many(chunk, times=800)
            assert server.rss() - before < 60 << 20


# Loading.


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["same", "same-async", "twin", "large-dataset-stream"])
@pytest.mark.parametrize("place", ["header", "query"])
def test_filters_are_for_every_processor(fresh: Server, name: str, place: str) -> None:
    body = b'{"id":"1","data":"a"}\njunk\n{"id":"2","data":"b"}\n{"id":"3","data":"a"}\n'
    headers = FRAMES | EMIT
    path = name
    if place == "header":
        headers |= {"Forst-Filter": '{"data":"a"}'}
    else:
        path += "?filter=%7B%22data%22:%22a%22%7D"
    *output, end = send(fresh, path, body, headers).splitlines()
    results = [line for line in output if not line.startswith(b":")]
    assert [json.loads(line).get("id") for line in results] == ["1", None, "3"]
    assert json.loads(results[1])["line"] == 2
    summary = json.loads(end.removeprefix(b":end "))
    assert (summary["records"], summary["results"], summary["filtered"]) == (3, 2, 1)
    metrics = requests.get(f"{fresh.url}/metrics", timeout=5).text
    assert "\nforstcore_filtered_total 1.0\n" in metrics


def test_a_filter_that_is_none_is_refused(served: Server) -> None:
    for text in ('{"a":{"near":1}}', "nope", "[]"):
        headers = {"Forst-Filter": text}
        answer = requests.post(f"{served.url}/same", b"", headers=headers, timeout=5)
        assert (answer.status_code, "Forst-Filter" in answer.json()["detail"]) == (400, True)
