"""Control lines: `Forst-Frames: 1`."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from xxhash import xxh3_64_hexdigest

from tests.server.raw import RawStream, apart
from tests.servers import Server, StartServer

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'
FRAMES = {"Forst-Frames": "1"}


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def stream(server: Server, **headers: str) -> RawStream:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawStream((server.host, server.port), headers={**FRAMES, **named})


def test_each_flush_is_acknowledged(server: Server) -> None:
    with stream(server) as request:
        for number in range(1, 4):
            request.send(RECORD % number)
            assert request.read_line() == RESULT % number
            assert request.read_line() == b":ack %d\n" % number


def test_lines_without_results_are_acknowledged_too(server: Server) -> None:
    with stream(server) as request:
        request.send(b"\njunk\n" + RECORD % 3)
        assert request.read_line() == RESULT % 3
        assert request.read_line() == b":ack 3\n"


def test_skipped_lines_alone_are_acknowledged(server: Server) -> None:
    with stream(server) as request:
        request.send(b"junk\n")
        assert request.read_line() == b":ack 1\n"


def test_the_end_counts_and_digests(server: Server) -> None:
    body = RECORD % 1 + b"junk\n\n" + RECORD % 2
    with stream(server, Forst_On_Error="emit") as request:
        request.send(body)
        request.end()
        lines = request.read_rest().splitlines(keepends=True)
    results = b"".join(line for line in lines if not line.startswith(b":"))
    assert lines[-1].startswith(b":end ")
    end = json.loads(lines[-1][5:])
    assert end == {
        "lines": 4,
        "records": 2,
        "errors": 1,
        "results": 2,
        "bytes_in": len(body),
        "bytes_out": len(results),
        "digest": "xxh3:" + xxh3_64_hexdigest(results),
    }


def test_an_empty_stream_has_an_end(server: Server) -> None:
    with stream(server) as request:
        request.end()
        assert json.loads(request.read_rest().removeprefix(b":end "))["lines"] == 0


def test_an_idle_stream_has_a_heartbeat(start_server: StartServer) -> None:
    server = start_server("--heartbeat", "0.2")
    with stream(server) as request:
        request.send(RECORD % 1 + b'{"id":')
        assert request.read_line() == RESULT % 1
        for _ in range(4):
            assert request.read_line() == b":ack 1\n"
        request.send(b'"2","data":"x"}\n')
        while (line := request.read_line()) == b":ack 1\n":
            pass
        assert line == RESULT % 2
        assert request.read_line() == b":ack 2\n"


def test_heartbeats_are_no_progress(start_server: StartServer) -> None:
    server = start_server("--heartbeat", "0.1", "--timeout", "0.8")
    with stream(server) as request:
        request.send(RECORD % 1)
        started = time.monotonic()
        lines = request.read_rest().splitlines()
        assert time.monotonic() - started > 0.5
    assert lines[-1].startswith(b":error ")
    assert json.loads(lines[-1][7:])["code"] == "timeout"


def test_a_failed_record_is_reported(server: Server) -> None:
    with stream(server, Forst_On_Error="fail") as request:
        request.send(RECORD % 1 + b"junk\n" + RECORD % 3)
        lines = request.read_rest().splitlines()
    assert lines[1] == b":ack 1" or lines[0] == b":rejected 2"
    results, (failed,) = apart(b"\n".join(lines))
    assert results == [(RESULT % 1).rstrip()]
    assert json.loads(failed)["line"] == 2
    assert lines[-2] == b":ack 2"
    error = json.loads(lines[-1].removeprefix(b":error "))
    assert (error["code"], error["status"]) == ("bad_record", 422)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("size", [7, 1000, 100_000])
@pytest.mark.parametrize("path", ["/streaming-process", "/large-dataset-stream"])
def test_error_lines_are_named(server: Server, path: str, size: int, coding: str) -> None:
    body = b"".join(
        RECORD % number if number % 3 else b'{"id":%d}\n' % number for number in range(1, 2000)
    )
    headers = {**FRAMES, "Forst-On-Error": "emit", "Accept-Encoding": coding}
    with RawStream((server.host, server.port), path, headers) as request:
        for at in range(0, len(body), size):
            request.send(body[at : at + size])
        request.end()
        response = request.read_rest()
    if coding == "gzip":
        response = gzip.decompress(response)
    results, errors = apart(response)
    assert [json.loads(line)["line"] for line in errors] == list(range(3, 2000, 3))
    assert {json.loads(line)["status"] for line in results} == {"success"}
    end = json.loads(response.splitlines()[-1][5:])
    assert (end["errors"], end["results"]) == (len(errors), len(results))


def test_a_mark_stands_before_the_line(server: Server) -> None:
    with stream(server, Forst_On_Error="emit") as request:
        request.send(b"junk\n" + RECORD % 2)
        assert request.read_line() == b":rejected 1\n"
        assert json.loads(request.read_line())["line"] == 1
        assert request.read_line() == RESULT % 2
        assert request.read_line() == b":ack 2\n"
        request.send(RECORD % 3)
        assert request.read_line() == RESULT % 3
        assert request.read_line() == b":ack 3\n"
        request.send(b"x" * 3_000_000)
        assert request.read_line() == b":rejected 1\n"
        assert json.loads(request.read_line())["code"] == "line_too_long"


@pytest.mark.parametrize("value", ["0", "yes", ""])
def test_other_values_mean_no_frames(server: Server, value: str) -> None:
    with stream(server, Forst_Frames=value) as request:
        request.send(RECORD % 1)
        request.end()
        assert request.read_rest() == RESULT % 1
