"""Worker processes of a server."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.processors.requesting import EMIT, stream
from tests.server.raw import RawStream
from tests.servers import Server, StartServer, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need POSIX")

ROUTES = ("--processors", "tests.processors.worker_routes")


def lines_of(*records: Any) -> bytes:
    texts = [json.dumps(record, separators=(",", ":")) for record in records]
    return "".join(f"{text}\n" for text in texts).encode()


def send(server: Server, name: str, *records: Any) -> bytes:
    with stream(server, name, EMIT) as request:
        request.send_and_end(lines_of(*records))
        return request.read_rest()


def pids_of(server: Server) -> set[int]:
    return {json.loads(send(server, "pid", {}))["pid"] for _ in range(3)}


def waiting(place: Path) -> list[int]:
    return [int(each.stem) for each in place.glob("*.waits")]


@pytest.fixture
def server(start_one: StartServer) -> Server:
    return start_one(*ROUTES, "--worker-kind", "processes", "--workers", "2")


def test_results_and_errors(server: Server) -> None:
    kept = [{"id": number} for number in range(4000)]
    first = [{"id": 1, "refuse": "no"}, {"id": 2, "times": 3}, {"id": 3, "signal": signal.SIGKILL}]
    refused, *turns, died = map(json.loads, send(server, "work", *first).splitlines())
    assert refused["message"] == "ValueError: no"
    assert turns == [{"id": 2, "turn": turn} for turn in range(3)]
    assert died["message"] == "WorkerDiedError: its worker process was ended by SIGKILL"
    large = b'{"id":4,"text":"%b"}\n' % (b"x" * 400_000)
    output = send(server, "work", *kept, {"id": 4, "size": 400_000}, {"id": 5, "drop": 1})
    assert output == lines_of(*kept) + large
    assert server.process.pid not in pids_of(server)
    assert send(server, "made", {"id": 2}) == b'{"id":6}\n'


def test_processes_are_used_again_and_end_with_the_server(server: Server) -> None:
    pids = pids_of(server)
    assert len(pids) == 1
    assert server.stop() == 0
    wait_until(lambda: not any(map(children.lives, pids)))


def test_a_server_that_is_killed(server: Server, tmp_path: Path) -> None:
    with stream(server, "work") as request:
        request.send(lines_of({"wait": str(tmp_path)}))
        wait_until(lambda: waiting(tmp_path))
        server.process.kill()
    wait_until(lambda: not any(map(children.lives, waiting(tmp_path))))


def test_a_client_that_goes_away(start_one: StartServer, tmp_path: Path) -> None:
    """Its stream ends when a result cannot be sent, without waiting for the next record."""
    server = start_one(*ROUTES, "--workers", "1")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with stream(server, "work") as request:
        request.send(lines_of({"wait": str(first)}, {"wait": str(second)}))
        wait_until(lambda: waiting(first))
        # Reset the connection.
        request.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    (first / "go").touch()
    wait_until(lambda: server.open_streams() == 0)
    wait_until(lambda: not any(map(children.lives, waiting(second))))
    assert send(server, "work", {"id": 1}) == b'{"id":1}\n'


def test_batches_in_work_are_finished_at_shutdown(server: Server, tmp_path: Path) -> None:
    with stream(server, "work", {"Forst-Frames": "1"}) as request:
        request.send(lines_of({"wait": str(tmp_path)}))
        wait_until(lambda: waiting(tmp_path))
        server.process.send_signal(signal.SIGTERM)
        for pid in waiting(tmp_path):
            os.kill(pid, signal.SIGTERM)
        (tmp_path / "go").touch()
        answer = request.read_rest().splitlines()
    assert json.loads(answer[0]) == {"wait": str(tmp_path)}
    assert answer[1] == b":ack 1"
    assert server.process.wait(timeout=60) == 0


@pytest.mark.long
def test_a_processor_that_does_not_end(start_one: StartServer, tmp_path: Path) -> None:
    """It is killed, so the server ends as it does without."""
    server = start_one(*ROUTES, "--drain-timeout", "0.5")
    with stream(server, "work") as request:
        request.send(lines_of({"wait": str(tmp_path)}))
        wait_until(lambda: waiting(tmp_path))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) in (0, 1)
    wait_until(lambda: not any(map(children.lives, waiting(tmp_path))))


def test_reload(start_one: StartServer, tmp_path: Path) -> None:
    def write(value: str) -> None:
        text = "import forstcore, os\n@forstcore.processor('route')\ndef route(record):\n"
        path.with_suffix(".new").write_text(
            f"{text}    return os.getpid() and {{'from': '{value}'}}\n"
        )
        path.with_suffix(".new").replace(path)

    path = tmp_path / "mine.py"
    write("old")
    server = start_one("--processors", str(path), "--reload", "--worker-kind", "processes")
    with stream(server, "route") as running:
        running.send(b"{}\n")
        assert running.read_line() == b'{"from":"old"}\n'
        write("newer")
        wait_until(lambda: send(server, "route", {}) == b'{"from":"newer"}\n')
        running.send_and_end(b"{}\n")
        assert running.read_rest() == b'{"from":"old"}\n'


def test_live_streams(server: Server) -> None:
    request = {"source": "events", "processor": "pid"}
    with RawStream((server.host, server.port), "/real-time-process") as live:
        live.send_and_end(json.dumps(request).encode())
        assert live.read_head() == 200
        with RawStream((server.host, server.port), "/sources/events") as published:
            published.send_and_end(b"{}\n{}\n")
            published.read_rest()
        for _ in range(2):
            assert json.loads(live.read_line())["pid"] != server.process.pid
