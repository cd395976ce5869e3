"""Clients that send everything before they read anything."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import requests

from tests.server.raw import RawStream
from tests.servers import StartServer, wait_until

RECORD = b'{"id":"%07d","data":"' + b"x" * 80 + b'"}\n'
BATCH = 10_000


def batches(total: int) -> Iterator[bytes]:
    for start in range(0, total, BATCH):
        yield b"".join(RECORD % number for number in range(start, start + BATCH))


def send_all(request: RawStream, total: int) -> None:
    for batch in batches(total):
        request.send(batch)


def check(lines: Iterator[bytes], total: int) -> None:
    number = -1
    for number, line in enumerate(lines):
        assert line.startswith(b'{"id":"%07d","result":"processed_xxx' % number)
    assert number == total - 1


def test_requests_with_200_megabytes(start_server: StartServer) -> None:
    server = start_server("--stall", "0.2")
    total = 1_900_000
    before = server.rss()
    with requests.post(
        f"{server.url}/streaming-process",
        data=batches(total),
        headers={"Accept-Encoding": "identity"},
        stream=True,
        timeout=60,
    ) as response:
        assert response.status_code == 200
        check(response.iter_lines(1 << 20), total)
    assert server.rss() - before < 40 << 20


def test_httpx(start_server: StartServer) -> None:
    server = start_server("--stall", "0.2")
    total = 600_000
    with (
        httpx.Client(timeout=60, headers={"Accept-Encoding": "identity"}) as client,
        client.stream(
            "POST", f"{server.url}/streaming-process", content=batches(total)
        ) as response,
    ):
        lines = (line.encode() for line in response.iter_lines())
        check(lines, total)


def test_urllib_s_http_client(start_server: StartServer) -> None:
    server = start_server("--stall", "0.2")
    total = 300_000
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request(
        "POST", "/streaming-process", batches(total), {"Forst-Frames": "1"}, encode_chunked=True
    )
    lines = connection.getresponse().read().splitlines()
    connection.close()
    check((line for line in lines if not line.startswith(b":")), total)
    assert json.loads(lines[-1].removeprefix(b":end "))["results"] == total


def test_a_slow_reader_is_not_spooled(start_server: StartServer) -> None:
    server = start_server("--stall", "0.5")
    with RawStream((server.host, server.port), receive_buffer=1 << 16) as request:
        request.socket.setblocking(False)
        chunk = next(batches(BATCH))
        unsent = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        view = memoryview(unsent)
        deadline = time.monotonic() + 4
        # Sends as much as it can, and reads, but little at a time.
        while time.monotonic() < deadline:
            try:
                view = view[request.socket.send(view) :] or memoryview(unsent)
            except BlockingIOError:
                time.sleep(0.05)
                try:
                    request.socket.recv(1 << 17)
                except BlockingIOError:
                    continue
    assert server.figure("spooled_bytes_total") == 0


def test_the_spool_is_bounded(start_server: StartServer) -> None:
    server = start_server("--stall", "0.2", "--timeout", "1.5", "--max-spool-size", str(4 << 20))
    with RawStream((server.host, server.port), receive_buffer=1 << 16) as request:
        request.socket.settimeout(3)
        with pytest.raises((TimeoutError, ConnectionError)):
            send_all(request, 3_000_000)
    assert 0 < server.figure("spooled_bytes_total") <= 4 << 20


def test_a_reader_that_starts_late_catches_up(start_server: StartServer) -> None:
    server = start_server("--stall", "0.2")
    with RawStream((server.host, server.port), receive_buffer=1 << 16) as request:
        total = 100_000
        send_all(request, total)
        wait_until(lambda: server.figure("spooled_bytes_total"))
        number = 0
        while number < total:
            assert request.read_line().startswith(b'{"id":"%07d"' % number)
            number += 1
        # The stream is live again: results arrive at once.
        request.send(RECORD % total)
        assert request.read_line().startswith(b'{"id":"%07d"' % total)
        request.end()
        assert request.read_rest() == b""


def test_spool_files_have_no_name(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--stall", "0.2", "--spool-dir", str(tmp_path))
    with RawStream((server.host, server.port), receive_buffer=1 << 16) as request:
        send_all(request, 100_000)
        wait_until(lambda: server.figure("spooled_bytes_total"))
        # Even a killed process leaves no file behind.
        assert list(tmp_path.iterdir()) == []


def test_a_spool_that_cannot_be_written_ends_the_stream(
    start_server: StartServer, tmp_path: Path
) -> None:
    directory = tmp_path / "spool"
    directory.mkdir()
    server = start_server("--stall", "0.2", "--spool-dir", str(directory))
    directory.rmdir()
    with RawStream((server.host, server.port), receive_buffer=1 << 16) as request:
        request.socket.settimeout(5)
        with pytest.raises((TimeoutError, ConnectionError)):
            send_all(request, 3_000_000)
    assert 'outcome="spool"' in requests.get(f"{server.url}/metrics", timeout=60).text
