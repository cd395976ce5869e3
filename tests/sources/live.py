"""Subscriptions to a real server, and publications to it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import children
from tests.server.raw import RawStream
from tests.servers import ROOT, Server

__all__ = ["Subscription", "consumer", "highest", "numbers", "publish", "refused"]


class Subscription(RawStream):
    """A subscription with frames, read line by line.

    Args:
        server: the server.
        source: name of the source.
        start: where to start, as ``from``.
        headers: additional request headers.
        receive_buffer: as for `RawStream`.
        acks: whether the request stays open for acknowledgements.
        wanted: additional members of the request.
    """

    def __init__(
        self,
        server: Server,
        source: str = "events",
        start: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        receive_buffer: int = 0,
        acks: bool = False,
        **wanted: Any,
    ) -> None:
        super().__init__(
            (server.host, server.port),
            "/real-time-process",
            {"Forst-Frames": "1", **({"Forst-Ack": "1"} if acks else {}), **(headers or {})},
            timeout=60,
            receive_buffer=receive_buffer,
        )
        if start is not None:
            wanted["from"] = start
        text = json.dumps({"source": source, **wanted}).encode()
        if acks:
            self.send(text + b"\n")
        else:
            self.send_and_end(text)
        self._ahead: list[bytes] = []
        # Heartbeats would keep a test that waits for something else running forever.
        self._deadline = time.monotonic() + 60
        self.offset = ""
        self.acked = -1
        self.missed: list[str] = []
        self.rejected: list[int] = []
        self.states: list[str] = []
        self.detail = ""
        self.delivery = ""

    def acknowledge(self, lines: int) -> None:
        """Acknowledge the first lines."""
        self.send(b":ack %d\n" % lines)

    def start(self) -> str:
        """Wait until reading has begun; return its offset."""
        while not self.offset:
            assert self.next_line() is None
        self.began()
        return self.offset

    def began(self) -> None:
        """Wait until reading has begun, for a source that may have no offsets."""
        while self.acked < 0:
            assert self.next_line() is None

    def next_line(self) -> bytes | None:
        """Read a line: a result, or None for a control line, which is remembered."""
        if self._ahead:
            return self._ahead.pop()
        assert time.monotonic() < self._deadline, f"it does not come; states: {self.states}"
        line = self.read_line()
        if not line.startswith(b":"):
            assert line, "the stream has ended"
            return line
        kind, _, text = line.decode().rstrip("\n").partition(" ")
        if kind == ":ack":
            self.acked = int(text)
        elif kind == ":offset":
            self.offset = text
        elif kind == ":missed":
            self.missed.append(text)
        elif kind == ":delivery":
            self.delivery = text
        elif kind == ":rejected":
            self.rejected = [int(place) for place in text.split()]
        elif kind == ":source":
            notice = json.loads(text)
            self.states.append(notice["state"])
            self.detail = notice.get("detail", "")
        else:
            raise AssertionError(line)
        return None

    def results(self, count: int) -> list[Any]:
        """Read so many results, and the control lines up to the next acknowledgement."""
        found: list[Any] = []
        while len(found) < count:
            line = self.next_line()
            if line is not None:
                found.append(json.loads(line))
        before = self.acked
        while self.acked == before:
            if (line := self.next_line()) is not None:
                self._ahead.append(line)
                break
        return found

    def ids(self, count: int) -> list[str]:
        """Read so many results; return their ids."""
        return [result["id"] for result in self.results(count)]

    def until_state(self, state: str) -> None:
        """Read until the source is reported to be in a state."""
        while state not in self.states:
            self.next_line()


def numbers(first: int, end: int) -> list[str]:
    """Return the ids of such records."""
    return [str(number) for number in range(first, end)]


def lines_of(first: int, end: int) -> bytes:
    """Return records with these numbers as ids, as NDJSON."""
    return b"".join(b'{"id":"%d"}\n' % number for number in range(first, end))


def publish(
    server: Server, data: bytes, source: str = "events", **headers: str
) -> tuple[int, dict[str, Any]]:
    """Publish NDJSON; return the status and the JSON document of the response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with RawStream((server.host, server.port), f"/sources/{source}", named) as request:
        if data:
            request.send(data)
        request.end()
        return request.read_head(), json.loads(request.read_rest())


def check_delivery(server: Server, source: str) -> None:
    """Check that records published to a source reach a subscriber of it."""
    with Subscription(server, source) as live:
        live.began()
        status, answer = publish(server, lines_of(0, 300), source)
        assert (status, answer["records"]) == (200, 300)
        assert live.ids(300) == numbers(0, 300)


def refused(server: Server, wanted: object) -> tuple[int, str]:
    """Request a subscription that is refused; return the status and the reason."""
    with RawStream((server.host, server.port), "/real-time-process") as request:
        request.send_and_end(json.dumps(wanted).encode())
        status = request.read_head()
        return status, json.loads(request.read_rest())["detail"]


@contextmanager
def highest(server: Server) -> Iterator[list[int]]:
    """Record the maximum memory of a server, beyond its current memory."""
    before = server.rss()
    most = [0]
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.01):
            most[0] = max(most[0], server.rss() - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


_CONSUMER = """
import sys, time
from forstcore import ForstStreamingClient

for result in ForstStreamingClient(sys.argv[1]).follow_forst(
    "/real-time-process", {"source": "jobs"}
):
    print(result["id"], flush=True)
    time.sleep(float(sys.argv[2]))
"""


def consumer(server: Server, pause: float = 0) -> subprocess.Popen[str]:
    """Start a process that consumes records, with a pause after each."""
    return children.start(
        [sys.executable, "-c", _CONSUMER, server.url, str(pause)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
