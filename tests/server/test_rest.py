"""Idle streams: they cost next to nothing, and their timeouts still apply."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from pathlib import Path

import pytest

from tests.server.raw import RawStream
from tests.servers import Server, StartServer, wait_until

RECORD = b'{"id":"1","data":"x"}\n'

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


def wake_ups(server: Server) -> int:
    """Return how often the process has waited for something."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])


def processor_time(server: Server) -> float:
    """Return the seconds of processor time that the process has used."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_streams_at_rest_have_no_timers_of_their_own(start_one: StartServer) -> None:
    server = start_one("--no-access-log", "--timeout", "300")
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(RawStream((server.host, server.port))) for _ in range(200)]
        for stream in streams:
            stream.send(RECORD)
        for stream in streams:
            stream.read_line()
        # Each notices by itself that it has nothing to do, and the server frees memory.
        time.sleep(4)
        wakes, used = wake_ups(server), processor_time(server)
        time.sleep(4)
        # With timers of their own there were 1600; one for all streams has two a second at most.
        assert wake_ups(server) - wakes < 40
        assert processor_time(server) - used < 0.1


def test_a_stream_at_rest_still_ends_by_its_timeout(start_one: StartServer) -> None:
    server = start_one("--no-access-log", "--timeout", "3")
    with RawStream((server.host, server.port), headers={"Forst-Frames": "1"}) as stream:
        stream.send(RECORD)
        stream.read_line()
        started = time.monotonic()
        assert b"no input came for 3 seconds" in stream.read_rest()
        assert time.monotonic() - started > 2.5


def test_heartbeats_of_a_stream_at_rest(start_one: StartServer) -> None:
    server = start_one("--no-access-log", "--heartbeat", "1.2")
    with RawStream((server.host, server.port), headers={"Forst-Frames": "1"}) as stream:
        stream.send(RECORD)
        stream.read_line()
        started = time.monotonic()
        while time.monotonic() - started < 7:
            assert stream.read_line().startswith(b":ack 1")
        assert time.monotonic() - started < 20


def test_a_client_that_sends_after_a_rest_and_reads_nothing(start_one: StartServer) -> None:
    server = start_one("--no-access-log", "--stall", "1", "--timeout", "120")
    with RawStream((server.host, server.port)) as stream:
        stream.send(RECORD)
        time.sleep(4)
        # It is noticed long before the next check of a stream at rest, 30 seconds later.
        started = time.monotonic()
        records = (b'{"id":"1","data":"%s"}\n' % (1000 * b"x")) * 100
        for _ in range(300):
            stream.send(records)
        assert time.monotonic() - started < 25
        stream.end()
        assert stream.read_rest().count(b"\n") == 30_001
        wait_until(lambda: server.open_streams() == 0)


def test_a_shutdown_says_what_it_waits_for(start_one: StartServer) -> None:
    server = start_one("--no-access-log", "--drain-timeout", "5", "--stall", "60")
    address = (server.host, server.port)
    with RawStream(address, receive_buffer=1 << 14) as stream:
        # It reads nothing, so that results remain.
        stream.socket.settimeout(2)
        with contextlib.suppress(TimeoutError):
            for _ in range(200):
                stream.send(b'{"id":"1","data":"%s"}\n' % (1_000_000 * b"x"))
        server.stop()
    assert server.process.stderr is not None
    log = server.process.stderr.read()
    found = re.search(r"shutting down: waiting for 1 stream, with (\d+) bytes of results", log)
    assert found is not None
    assert int(found[1]) > 0
