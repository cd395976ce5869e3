"""Measure the latency of records from a publisher to many subscribers.

One process publishes records with timestamps at a steady rate. A second one holds all
subscriptions, counts the records of each, and evaluates the timestamps of some. The server is a
third process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import selectors
import socket
import statistics
import time
from pathlib import Path

from benchmarks.live_server import running_server

_TIME = re.compile(rb'"processed_(\d+)"')
_TIMED = 50  # Subscribers whose timestamps are evaluated; for the others, records are counted.
_LAST_WAIT = 5.0  # Seconds to wait for the last records.


class Subscriber:
    """A subscription that does not parse the records it receives."""

    def __init__(self, address: tuple[str, int]) -> None:
        body = json.dumps({"source": "events"}).encode()
        self.socket = socket.create_connection(address)
        self.socket.sendall(
            b"POST /real-time-process HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.received = 0

    def read(self) -> bytes:
        """Return the received bytes, and count the records in them."""
        data = self.socket.recv(1 << 18)
        self.received += data.count(b'"processed_')
        return data


def publish(address: tuple[str, int], rate: int, seconds: float) -> None:
    """Publish at a steady rate, each record as soon as it is due."""
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(
            b"POST /sources/events HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        started = time.monotonic()
        for number in range(int(rate * seconds)):
            pause = started + number / rate - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            line = b'{"id":"%d","data":"%d"}\n' % (number, time.monotonic_ns())
            connection.sendall(b"%x\r\n%b\r\n" % (len(line), line))
        connection.sendall(b"0\r\n\r\n")
        connection.recv(1 << 16)


def receive(subscribers: list[Subscriber], total: int, seconds: float) -> list[float]:
    """Read until all subscribers have all records; return the latencies of some in ms."""
    selector = selectors.DefaultSelector()
    for number, subscriber in enumerate(subscribers):
        selector.register(subscriber.socket, selectors.EVENT_READ, (number, subscriber))
    times: list[float] = []
    missing = len(subscribers)
    deadline = time.monotonic() + seconds + _LAST_WAIT
    while missing and time.monotonic() < deadline:
        for key, _ in selector.select(0.5):
            number, subscriber = key.data
            before = subscriber.received
            data = subscriber.read()
            if number % max(1, len(subscribers) // _TIMED) == 0:
                now = time.monotonic_ns()
                times += [(now - int(sent)) / 1e6 for sent in _TIME.findall(data)]
            missing -= before < total <= subscriber.received
    return times


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB, 0 if unknown."""
    path = Path(f"/proc/{pid}/statm")
    if not path.exists():
        return 0.0
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument(
        "--stopped", type=int, default=0, help="additional subscribers that never read"
    )
    parser.add_argument("--rate", type=int, default=1000, help="records per second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()

    with running_server(options.subscribers + options.stopped) as (pid, address):
        everybody = [Subscriber(address) for _ in range(options.subscribers + options.stopped)]
        subscribers = everybody[: options.subscribers]
        for subscriber in everybody:
            subscriber.read()  # the head of the response
        before = resident(pid)
        publisher = multiprocessing.Process(
            target=publish, args=(address, options.rate, options.seconds)
        )
        publisher.start()
        total = int(options.rate * options.seconds)
        times = receive(subscribers, total, options.seconds)
        publisher.join()
        whole = sum(subscriber.received == total for subscriber in subscribers)
        after = resident(pid)
    print(f"{whole} of {len(subscribers)} subscribers got all {total} records")
    cuts = statistics.quantiles(times, n=100)
    print(
        f"publish to receipt: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, "
        f"longest {max(times):.1f} ms"
    )
    print(f"memory of the server: {before:.0f} MB before, {after:.0f} MB after")
    return 0 if whole == len(subscribers) else 1


if __name__ == "__main__":
    raise SystemExit(main())
