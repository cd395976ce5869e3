"""Shutdown of the server and its effect on streams; several worker processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests import children
from tests.server.raw import Cut, RawStream
from tests.servers import Server, StartServer, wait_until

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'
FRAMES = {"Forst-Frames": "1"}


def stream(server: Server, headers: dict[str, str] | None = None) -> RawStream:
    return RawStream((server.host, server.port), headers=headers)


def process_one(server: Server, number: int = 1) -> None:
    with stream(server) as request:
        request.send(RECORD % number)
        request.end()
        assert request.read_rest() == RESULT % number


def is_served(server: Server) -> bool:
    process_one(server)
    return True


def is_refused(server: Server) -> bool:
    """Return whether a new connection is refused."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex((server.host, server.port)) != 0


def ended_well(server: Server, seconds: float = 60) -> str:
    """Wait for the end of a server that is shutting down; return its standard error."""
    _, errors = server.process.communicate(timeout=seconds)
    assert server.process.returncode == 0, errors
    assert "Traceback" not in errors
    return errors


# Draining.


def test_an_idle_stream_with_frames_is_sent_an_error(start_server: StartServer) -> None:
    server = start_server("--drain-timeout", "60")
    with stream(server, FRAMES) as request:
        request.send(RECORD % 1 + RECORD % 2 + b'{"id":"cut')
        assert request.read_line() == RESULT % 1
        assert request.read_line() == RESULT % 2
        assert request.read_line() == b":ack 2\n"
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        line = request.read_line()
        assert time.monotonic() - started < 40  # It does not wait for the drain timeout.
        assert line.startswith(b":error ")
        error = json.loads(line.removeprefix(b":error "))
        assert (error["code"], error["status"]) == ("draining", 503)
        assert request.read_rest() == b""
    ended_well(server)


def test_idle_streams_without_frames_or_input_are_ended(start_server: StartServer) -> None:
    server = start_server("--drain-timeout", "60")
    with stream(server) as plain, stream(server) as empty, stream(server, FRAMES) as framed:
        plain.send(RECORD % 1 + RECORD % 2)
        assert plain.read_line() == RESULT % 1
        assert empty.read_head() == 200
        assert framed.read_head() == 200
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert plain.read_until_cut() == RESULT % 2
        assert empty.read_until_cut() == b""
        assert b'"draining"' in framed.read_rest()
        assert time.monotonic() - started < 40  # It does not wait for the drain timeout.
    ended_well(server)


def stop_reading(server: Server) -> RawStream:
    """Open a stream that sends until nothing more is taken, and reads nothing."""
    request = RawStream((server.host, server.port), receive_buffer=65536)
    batch = b"".join(RECORD % number for number in range(10_000))
    request.socket.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        while True:
            request.send(batch)
    return request


def test_nothing_new_is_taken_while_draining(start_server: StartServer) -> None:
    server = start_server("--drain-timeout", "3", "--stall", "60")
    probe = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with (
        stop_reading(server),
        socket.create_connection((server.host, server.port), timeout=5) as kept,
    ):
        kept.sendall(probe)
        assert kept.recv(4096).startswith(b"HTTP/1.1 200 ")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None
        with contextlib.suppress(ConnectionError):
            kept.sendall(probe)
            answer = kept.recv(4096)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 503 ")
            assert answer == b"" or b"Retry-After:" in answer
        assert is_refused(server)
    ended_well(server)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_readiness_fails_before_streams_are_refused(
    start_server: StartServer, processes: str
) -> None:
    server = start_server("--drain-delay", "4", "--processes", processes)
    if processes == "2":
        server.await_both(lambda: is_served(server))
    with stream(server, FRAMES) as before:
        before.send(RECORD % 1)
        assert before.read_line() == RESULT % 1
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: status_of(server, "/readyz") == 503)
        assert status_of(server, "/healthz") == 200
        # A balancer that has not asked yet sends more: that is taken.
        process_one(server)
        assert before.read_line() == b":ack 1\n"
        before.send(RECORD % 2)
        assert before.read_line() == RESULT % 2
        assert b'"draining"' in before.read_rest()
    ended_well(server)


def test_connections_are_not_kept_alive_any_more(start_server: StartServer) -> None:
    """A client with a pool would send its next request over one that is being reset."""
    server = start_server("--drain-delay", "4")
    kept = http.client.HTTPConnection(server.host, server.port, timeout=60)

    def ask(method: str, path: str, body: bytes | None = None) -> str | None:
        kept.request(method, path, body)
        with kept.getresponse() as response:
            response.read()
            return response.getheader("Connection")

    with contextlib.closing(kept):
        assert ask("GET", "/version") is None
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: status_of(server, "/readyz") == 503)
        assert ask("GET", "/version") == "close"
        # The library connects again, because the response has `Connection: close`.
        assert ask("POST", "/streaming-process", RECORD % 1) == "close"
        assert ask("GET", "/nothing") == "close"
    ended_well(server)


def status_of(server: Server, path: str) -> int:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.real_start
@pytest.mark.parametrize("wait", [0, 1])
def test_a_stopped_reader_does_not_hold_it_up(start_server: StartServer, wait: int) -> None:
    server = start_server("--drain-timeout", str(wait), "--stall", "60")
    with stop_reading(server):
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        ended_well(server)
        assert wait <= time.monotonic() - started < wait + 30


@pytest.mark.real_start
def test_more_signals_change_nothing(start_server: StartServer) -> None:
    server = start_server("--drain-timeout", "1", "--stall", "60")
    with stop_reading(server):
        server.process.send_signal(signal.SIGTERM)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            time.sleep(0.1)
            server.process.send_signal(number)
        ended_well(server)


class Flood:
    """A client that sends endlessly, and checks the results."""

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self.request = stream(server, headers)
        self.results = 0
        self.last = b""
        self.wrong = ""
        self.cut = False
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.read)]
        for thread in self.threads:
            thread.start()

    def send(self) -> None:
        with contextlib.suppress(OSError):
            for start in range(0, 10_000_000, 100):
                self.request.send(b"".join(RECORD % n for n in range(start, start + 100)))
                time.sleep(0.005)

    def read(self) -> None:
        try:
            while line := self.request.read_line():
                self.check(line)
        except Cut:
            self.cut = True

    def check(self, line: bytes) -> None:
        self.last = line
        if line.startswith(b":ack ") and int(line[5:]) != self.results:
            self.wrong = f"{line!r} after {self.results} results"
        if not line.startswith(b":"):
            if line != RESULT % self.results:
                self.wrong = f"{line!r} as result {self.results}"
            self.results += 1

    def finish(self) -> None:
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        self.request.socket.close()


@pytest.mark.real_start
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_flood_of_streams_ends_in_order(start_server: StartServer, processes: str) -> None:
    server = start_server("--processes", processes)
    if processes == "2":
        server.await_both(lambda: is_served(server))
    floods = [Flood(server, FRAMES if number % 2 else {}) for number in range(10)]
    wait_until(lambda: all(flood.results > 500 for flood in floods))
    server.process.send_signal(signal.SIGTERM)
    for flood in floods:
        flood.finish()
    errors = ended_well(server)
    assert [flood.wrong for flood in floods if flood.wrong] == []
    for number, flood in enumerate(floods):
        assert flood.cut or (number % 2 and flood.last.startswith(b":error "))
    lines = [json.loads(line) for line in errors.splitlines()]
    lines = [line for line in lines if line["outcome"] != "ok"]
    assert [line["outcome"] for line in lines] == ["draining"] * len(floods)
    # Results in transit may be lost when the server ends, but there are never more than were sent.
    assert sum(flood.results for flood in floods) <= sum(line["results"] for line in lines)


def test_a_stream_in_full_flow_is_sent_why_it_ends(start_server: StartServer) -> None:
    server = start_server()
    flood = Flood(server, FRAMES)
    wait_until(lambda: flood.results > 500)
    server.process.send_signal(signal.SIGTERM)
    flood.finish()
    ended_well(server)
    assert flood.wrong == ""
    assert flood.last.startswith(b":error ")
    assert b'"draining"' in flood.last


# Keep-alive.


def test_keep_alive_works_after_errors_skipped(start_server: StartServer) -> None:
    server = start_server()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    body = b"junk\n" + RECORD % 1 + b'{"id":7}\n[]\n{"id":"' + b"\xff\n" + RECORD % 2 + b"tail"
    for _ in range(3):
        connection.request("POST", "/streaming-process", body)
        first = connection.sock
        response = connection.getresponse()
        assert response.read() == RESULT % 1 + RESULT % 2
        assert connection.sock is first
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status": "ok"}'
        assert connection.sock is first
    connection.close()


# Several processes.


@pytest.fixture
def pair(start_server: StartServer) -> Iterator[Server]:
    """A server of two processes, both ready."""
    server = start_server("--processes", "2", "--drain-timeout", "2")
    workers = server.await_both(lambda: is_served(server))
    try:
        yield server
    finally:
        workers += server.workers()
        server.process.kill()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def test_each_process_serves_and_figures_add_up(pair: Server) -> None:
    one, two = pair.workers()
    for number in range(10):
        pair.without(one if number % 2 else two, lambda: is_served(pair))
    # Two more were processed to see that both are ready.
    wait_until(lambda: pair.figure("stream_seconds_count") == 12)
    assert pair.figure("streams_total", outcome="ok") == 12
    assert pair.figure("results_total") == 12
    assert pair.stop() == 0


@pytest.mark.real_start
def test_a_killed_worker_is_replaced(pair: Server) -> None:
    one, two = pair.workers()
    os.kill(two, signal.SIGSTOP)
    with stream(pair) as lost:
        lost.send(RECORD % 1)
        assert lost.read_line() == RESULT % 1
        os.kill(two, signal.SIGCONT)
        # It may have been stopped just before it counted the end of its own.
        wait_until(lambda: pair.figure("streams_open") == 1)
        wait_until(lambda: pair.figure("streams_total") == 2)
        os.kill(one, signal.SIGKILL)
        with pytest.raises(Cut):
            lost.read_line()
    process_one(pair)
    wait_until(lambda: one not in pair.workers())
    wait_until(lambda: len(pair.workers()) == 2)
    process_one(pair)
    pair.without(two, lambda: is_served(pair))
    # The counters of the dead process remain; its gauges do not.
    wait_until(lambda: pair.figure("streams_total") == 5)
    wait_until(lambda: pair.figure("streams_open") == 0)
    assert pair.stop() == 0
    errors = pair.process.communicate()[1]
    logged = [line for line in errors.splitlines() if not line.startswith("{")]
    assert len(logged) == 1
    assert str(one) in logged[0]
    assert "another one replaces it" in logged[0]


def test_a_worker_that_is_killed_harms_no_stream_of_the_other(pair: Server) -> None:
    one, two = pair.workers()
    os.kill(one, signal.SIGSTOP)
    with stream(pair) as kept:
        kept.send(RECORD % 1)
        assert kept.read_line() == RESULT % 1
        os.kill(one, signal.SIGKILL)
        wait_until(lambda: set(pair.workers()) - {one, two} != set())
        kept.send(RECORD % 2)
        kept.end()
        assert kept.read_rest() == RESULT % 2


@pytest.mark.real_start
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process(pair: Server, number: int) -> None:
    workers = pair.workers()
    with stream(pair, FRAMES) as request:
        request.send(RECORD % 1)
        assert request.read_line() == RESULT % 1
        pair.process.send_signal(number)
        assert b'"draining"' in request.read_rest()
    assert pair.process.wait(timeout=60) == 0
    assert [worker for worker in workers if children.lives(worker)] == []
    assert is_refused(pair)


@pytest.mark.real_start
@pytest.mark.parametrize("wait", [0, 0.1])
def test_a_signal_during_the_start_ends_every_process(
    start_server: StartServer, wait: float
) -> None:
    server = start_server("--processes", "2")
    time.sleep(wait)
    workers = server.workers()
    assert server.stop() == 0
    assert [worker for worker in workers if children.lives(worker)] == []


@pytest.mark.real_start
def test_the_workers_end_with_their_parent(pair: Server) -> None:
    workers = pair.workers()
    pair.process.kill()
    wait_until(lambda: not any(children.lives(worker) for worker in workers))


def test_a_stopped_reader_does_not_hold_up_the_workers(pair: Server) -> None:
    with stop_reading(pair):
        pair.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert pair.process.poll() is None
        refused = is_refused(pair)
        assert pair.process.wait(timeout=60) == 0
    assert refused
