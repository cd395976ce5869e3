"""Clients that publish, subscribe and watch the dashboard."""

from __future__ import annotations

import http.client
import itertools
import json
import random

from prometheus_client.parser import text_string_to_metric_families

from tests.server.raw import RawStream
from tests.soak.load import Client, Load

__all__ = ["LIVE"]

_DATA = b"x" * 1000
_numbers = itertools.count()


def publisher(load: Load, chance: random.Random) -> None:
    """Publish records with consecutive numbers. There is one publisher: subscribers count."""
    with load.open("/sources/events") as request:
        sent = 0
        for _ in range(chance.randrange(20, 200)):
            count = chance.randrange(1, 60)
            request.send(
                b"".join(
                    b'{"id":"%d","data":"%b"}\n' % (number, _DATA)
                    for number in itertools.islice(_numbers, count)
                )
            )
            sent += count
            if not load.pause(0.05):
                break
        request.end()
        assert request.read_head() == 200, request.read_rest()
        answer = json.loads(request.read_rest())
        assert answer["records"] == sent, answer


def subscriber(load: Load, chance: random.Random) -> None:
    """Receive the records published from now on; none may be missing."""
    with _Subscription(load, "now") as subscription:
        subscription.follow(chance.randrange(1000, 8000))
        assert subscription.missed == 0


def historian(load: Load, chance: random.Random) -> None:
    """Receive the records that are still stored, then new ones."""
    with _Subscription(load, "start") as subscription:
        subscription.follow(chance.randrange(100, 8000))


def slow_subscriber(load: Load, chance: random.Random) -> None:
    """Stop reading for some time; the exact number of missing records has to be reported."""
    with _Subscription(load, "now", receive_buffer=4096) as subscription:
        subscription.follow(10)
        load.pause(chance.uniform(3, 8))
        subscription.follow(5000)


def viewer(load: Load, chance: random.Random) -> None:
    """Look at the dashboard for a while."""
    connection = http.client.HTTPConnection(*load.address, timeout=60)
    try:
        connection.request("GET", "/dashboard/news")
        response = connection.getresponse()
        assert response.status == 200, response.read()
        for _ in range(chance.randrange(2, 20)):
            assert isinstance(json.loads(response.readline()), dict)
            if load.ending.is_set():
                break
    finally:
        connection.close()


def poll(load: Load, chance: random.Random) -> None:
    """Send the requests of a load balancer and of Prometheus, over one connection."""
    connection = http.client.HTTPConnection(*load.address, timeout=60)
    try:
        for _ in range(chance.randrange(1, 10)):
            for path in ("/healthz", "/readyz", "/version", "/processors", "/", "/metrics"):
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read()
                assert response.status == 200, (path, body)
            families = text_string_to_metric_families(body.decode())
            assert any(family.name == "forstcore_streams_open" for family in families)
            if not load.pause(0.5):
                break
    finally:
        connection.close()


class _Subscription(RawStream):
    """A subscription that checks that no number is left out or comes twice.

    Attributes:
        missed: how many records the server said to be missing.
    """

    def __init__(self, load: Load, start: str, *, receive_buffer: int = 0) -> None:
        headers = {"Forst-Frames": "1"}
        super().__init__(
            load.address, "/real-time-process", headers, timeout=60, receive_buffer=receive_buffer
        )
        self.send_and_end(json.dumps({"source": "events", "from": start}).encode())
        self.missed = 0
        self._load = load
        self._due: int | None = None

    def follow(self, lines: int) -> None:
        """Read so many lines, fewer when the load ends."""
        for _ in range(lines):
            line = self.read_line()
            assert line, "the subscription ended"
            if line.startswith(b":missed "):
                count = int(line[8:])
                self.missed += count
                self._due = self._due + count if self._due is not None else None
            elif not line.startswith(b":"):
                self._check(json.loads(line))
            if self._load.ending.is_set():
                return

    def _check(self, result: dict[str, str]) -> None:
        assert result["result"] == f"processed_{_DATA.decode()}"
        number = int(result["id"])
        assert self._due in (None, number), f"{number} came, {self._due} was due"
        self._due = number + 1


LIVE: tuple[tuple[Client, int], ...] = (
    (publisher, 1),
    (subscriber, 3),
    (historian, 1),
    (slow_subscriber, 1),
    (viewer, 2),
    (poll, 1),
)
