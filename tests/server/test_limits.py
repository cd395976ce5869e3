"""Limits on streams, each with its option."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.server.raw import RawStream
from tests.servers import StartServer

pytestmark = pytest.mark.both_ways

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'


def test_a_long_line_is_an_error_and_the_stream_goes_on(start_server: StartServer) -> None:
    server = start_server("--max-line-size", "40")
    headers = {"Forst-On-Error": "emit"}
    with RawStream((server.host, server.port), headers=headers) as request:
        request.send(b"x" * 41 + b"\n" + RECORD % 2)
        error = json.loads(request.read_line())
        assert (error["code"], error["line"]) == ("line_too_long", 1)
        assert request.read_line() == RESULT % 2


def test_streams_at_once(start_server: StartServer) -> None:
    server = start_server("--max-streams", "2")
    address = (server.host, server.port)
    with RawStream(address) as first, RawStream(address) as second:
        for request in (first, second):
            request.send(RECORD % 1)
            assert request.read_line() == RESULT % 1
        with RawStream(address) as third:
            assert third.read_head() == 503
            assert int(third.headers["retry-after"]) > 0
            assert "max_streams" in json.loads(third.read_rest())["detail"]
        first.end()
        assert first.read_rest() == b""
        with RawStream(address) as fourth:
            fourth.send(RECORD % 4)
            assert fourth.read_line() == RESULT % 4


@pytest.mark.parametrize("chunk", [1, 1000])
def test_bytes_of_a_stream(start_server: StartServer, chunk: int) -> None:
    server = start_server("--max-stream-bytes", "1000")
    body = b"".join(RECORD % number for number in range(100))
    with RawStream((server.host, server.port), headers={"Forst-Frames": "1"}) as request:
        for start in range(0, len(body), chunk):
            try:
                request.send(body[start : start + chunk])
            except ConnectionError:
                break
        lines = request.read_rest().splitlines(keepends=True)
    error = json.loads(lines[-1].removeprefix(b":error "))
    assert (error["code"], error["status"]) == ("stream_too_large", 413)
    results = [line for line in lines if not line.startswith(b":")]
    assert results == [RESULT % number for number in range(len(results))]


def test_a_length_over_the_limit_is_refused_at_once(start_server: StartServer) -> None:
    import http.client

    server = start_server("--max-stream-bytes", "1000")
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.putrequest("POST", "/streaming-process")
    connection.putheader("Content-Length", "1001")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert b"max_stream_bytes" in response.read()
    connection.close()


def test_lines_of_a_stream(start_server: StartServer) -> None:
    server = start_server("--max-stream-records", "10")
    with RawStream((server.host, server.port)) as request:
        for number in range(10):
            request.send(RECORD % number)
            assert request.read_line() == RESULT % number
        request.send(RECORD % 10)
        request.read_until_cut()


def test_a_flood_of_tiny_chunks_is_slowed_down(start_server: StartServer) -> None:
    server = start_server("--max-chunk-rate", "20000")
    records = range(1, 2500)
    framed = b"".join(b"1\r\n%c\r\n" % byte for number in records for byte in RECORD % number)
    chunks = len(framed) // 6
    with RawStream((server.host, server.port)) as request:
        request.send(RECORD % 0)
        assert request.read_line() == RESULT % 0
        started = time.monotonic()
        sender = threading.Thread(target=request.socket.sendall, args=(framed + b"0\r\n\r\n",))
        sender.start()
        assert request.read_rest() == b"".join(RESULT % number for number in records)
        sender.join()
        # A second's worth at once, and the rest at the rate.
        assert time.monotonic() - started > (chunks - 20000) / 20000 - 0.5
