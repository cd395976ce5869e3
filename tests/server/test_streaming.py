"""`POST /streaming-process` as clients see it, over real sockets."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests import children
from tests.server.raw import RawStream
from tests.servers import ROOT, Server

pytestmark = pytest.mark.both_ways

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def stream(server: Server, headers: dict[str, str] | None = None) -> RawStream:
    return RawStream((server.host, server.port), headers=headers)


def curl(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    return children.run(["curl", "-sSN", *arguments], input=stdin)


def test_each_result_comes_before_the_next_record_is_sent(server: Server) -> None:
    with stream(server) as request:
        for number in range(20):
            request.send(RECORD % number)
            assert request.read_line() == RESULT % number
        request.end()
        assert request.read_rest() == b""


def test_the_response_says_what_it_is(server: Server) -> None:
    with stream(server) as request:
        request.end()
        assert request.read_head() == 200
        assert request.headers["content-type"] == "application/octet-stream"
        assert request.headers["transfer-encoding"] == "chunked"
        assert request.headers["cache-control"] == "no-cache"
        assert request.headers["x-accel-buffering"] == "no"
        assert request.read_rest() == b""


def test_a_record_cut_over_many_chunks(server: Server) -> None:
    with stream(server) as request:
        for byte in RECORD % 7:
            request.send(bytes([byte]))
        assert request.read_line() == RESULT % 7


def test_the_last_line_needs_no_lf(server: Server) -> None:
    with stream(server) as request:
        request.send(RECORD % 1 + (RECORD % 2).rstrip())
        request.end()
        assert request.read_rest() == RESULT % 1 + RESULT % 2


@pytest.mark.parametrize("size", [1, 7, 100, 65536, 1_000_000])
def test_every_record_comes_back_in_order(server: Server, size: int) -> None:
    count = 2_000 if size < 100 else 20_000 if size == 100 else 200_000
    body = b"".join(RECORD % number for number in range(count))
    with stream(server) as request:

        def send() -> None:
            for start in range(0, len(body), size):
                request.send(body[start : start + size])
            request.end()

        sender = threading.Thread(target=send)
        sender.start()
        assert request.read_rest() == b"".join(RESULT % number for number in range(count))
        sender.join()


def test_skip_is_the_default(server: Server) -> None:
    with stream(server) as request:
        request.send(b"junk\n" + RECORD % 1)
        request.end()
        assert request.read_rest() == RESULT % 1


def test_emit_puts_an_error_in_the_line_s_place(server: Server) -> None:
    with stream(server, {"Forst-On-Error": "emit"}) as request:
        request.send(RECORD % 1 + b'{"id":7}\n' + RECORD % 3)
        request.end()
        assert request.read_line() == RESULT % 1
        error = json.loads(request.read_line())
        assert (error["line"], error["offset"], error["code"]) == (2, 6, "wrong_type")
        assert request.read_rest() == RESULT % 3


def test_fail_sends_what_was_good_and_cuts_the_stream(server: Server) -> None:
    with stream(server, {"Forst-On-Error": "fail"}) as request:
        request.send(RECORD % 1 + b"junk\n" + RECORD % 3)
        lines = request.read_until_cut().splitlines(keepends=True)
    assert lines[0] == RESULT % 1
    assert json.loads(lines[1])["line"] == 2
    assert len(lines) == 2


def test_fail_on_the_last_line_cuts_the_stream(server: Server) -> None:
    with stream(server, {"Forst-On-Error": "fail"}) as request:
        request.send(RECORD % 1 + b"junk")
        request.end()
        assert request.read_until_cut().startswith(RESULT % 1)


def test_the_rest_of_an_input_is_numbered_on(server: Server) -> None:
    headers = {"Forst-On-Error": "emit", "Forst-First-Line": "1000001"}
    with RawStream((server.host, server.port), headers=headers) as stream:
        stream.send_and_end(b'{"id":"1"}\n[]\n')
        assert b'"line":1000002,' in stream.read_rest()


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "", "9" * 19])
def test_a_line_number_that_is_none(server: Server, number: str) -> None:
    headers = {"Forst-First-Line": number}
    with RawStream((server.host, server.port), headers=headers) as stream:
        assert stream.read_head() == 400
        assert b"Forst-First-Line" in stream.read_rest()


def test_curl_streams_a_file(server: Server) -> None:
    sample = ROOT / "examples" / "records.ndjson"
    done = curl("-X", "POST", "-T", str(sample), f"{server.url}/streaming-process")
    assert done.returncode == 0
    sent = [json.loads(line) for line in sample.read_bytes().splitlines()]
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert got == [
        {"id": record["id"], "result": "processed_" + record["data"], "status": "success"}
        for record in sent
    ]


def test_curl_with_its_own_content_type(server: Server) -> None:
    done = curl("--data-binary", "@-", f"{server.url}/streaming-process", stdin=RECORD % 5)
    assert (done.returncode, done.stdout) == (0, RESULT % 5)


def test_curl_tells_a_failed_stream(server: Server, tmp_path: Path) -> None:
    bad = tmp_path / "bad.ndjson"
    bad.write_bytes(RECORD % 1 + b"junk\n")
    headers = ("-H", "Forst-On-Error: fail")
    done = curl(*headers, "-X", "POST", "-T", str(bad), f"{server.url}/streaming-process")
    assert done.returncode != 0
    assert done.stdout.startswith(RESULT % 1)


def test_keep_alive_carries_the_next_request(server: Server) -> None:
    request = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
    body = RECORD % 1
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        for _ in range(3):
            connection.sendall(request % (len(body), body))
            got = b""
            while not got.endswith(b"0\r\n\r\n"):
                got += connection.recv(65536)
            assert RESULT % 1 in got


def test_a_stopped_reader_stops_the_reading(server: Server) -> None:
    chunk = b"".join(RECORD % number for number in range(40_000))
    with RawStream((server.host, server.port), receive_buffer=65536) as request:
        request.send(RECORD % 0)
        assert request.read_line() == RESULT % 0
        before = server.rss()
        request.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            request.send_many(chunk, times=200)
        assert server.rss() - before < 20 << 20


def test_memory_is_flat(server: Server) -> None:
    batch = b"".join(RECORD % number for number in range(50_000))

    def run(batches: int) -> int:
        with stream(server) as request:

            def send() -> None:
                for _ in range(batches):
                    request.send(batch)
                request.end()

            sender = threading.Thread(target=send)
            sender.start()
            lines = 0
            while line := request.read_line():
                lines += line.count(b"\n")
                rest, request._body = request._body, b""
                lines += rest.count(b"\n")
            sender.join()
        assert lines == batches * 50_000
        return server.rss()

    assert run(40) - run(4) < 20 << 20


def test_a_client_that_goes_away_harms_nobody(server: Server) -> None:
    for _ in range(20):
        with stream(server) as request:
            request.send(RECORD % 1 + b'{"id":')
            request.read_line()
    with stream(server) as request:
        request.send(RECORD % 2)
        request.end()
        assert request.read_rest() == RESULT % 2
    assert server.process.poll() is None


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "hint"),
    [
        ("GET", "/nowhere", {}, 404, "POST /streaming-process"),
        ("GET", "/streaming-process", {}, 426, "WebSocket"),
        ("PUT", "/streaming-process", {}, 405, "POST"),
        ("POST", "/streaming-process", {"Forst-On-Error": "explode"}, 400, "skip, emit or fail"),
        (
            "POST",
            "/streaming-process",
            {"Content-Type": "multipart/form-data; boundary=x"},
            415,
            "NDJSON",
        ),
    ],
)
def test_errors_before_the_response(
    server: Server, method: str, path: str, headers: dict[str, str], status: int, hint: str
) -> None:
    flags = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    done = curl("-i", "-X", method, *flags, f"{server.url}{path}")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in head
    problem = json.loads(body)
    assert problem["status"] == status
    assert hint in problem["detail"]


def test_health(server: Server) -> None:
    done = curl(f"{server.url}/healthz")
    assert json.loads(done.stdout)["status"] == "ok"


def test_many_streams_at_once(server: Server) -> None:
    wrong: list[int] = []

    def one(number: int) -> None:
        with stream(server) as request:
            for turn in range(20):
                request.send(RECORD % (number * 100 + turn))
                if request.read_line() != RESULT % (number * 100 + turn):
                    wrong.append(number)
                time.sleep(0.001)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
