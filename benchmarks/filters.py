"""Measure many subscribers of one stream in Redis, each with a filter of its own.

One process writes records with timestamps to Redis at a steady rate. A second one holds all
subscriptions, and checks that each gets its records. Redis and the server are processes of their
own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from benchmarks.live_server import running_server
from benchmarks.usage import usage

_STREAM = "sensors"
_TIME = re.compile(rb'"processed_(\d+)"')
_LAST_WAIT = 60.0  # Seconds to wait for the last records.


class Subscriber:
    """A subscription to the records of some devices.

    Args:
        address: of the server.
        devices: which records it wants.
    """

    def __init__(self, address: tuple[str, int], devices: list[int]) -> None:
        self.socket = socket.create_connection(address)
        body = json.dumps({"source": _STREAM, "filters": {"device": devices}}).encode()
        self.socket.sendall(
            b"POST /real-time-process HTTP/1.1\r\nHost: localhost\r\nForst-Frames: 1\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        # The first acknowledgement says that reading has begun.
        received = b""
        while b":ack 0\n" not in received:
            received += self.socket.recv(1 << 16)
        self.received = 0
        self._tail = b""

    def read(self) -> list[int]:
        """Return the times at which the received records were written."""
        *lines, self._tail = (self._tail + self.socket.recv(1 << 18)).split(b"\n")
        times = [int(found[1]) for line in lines if (found := _TIME.search(line))]
        self.received += len(times)
        return times


def publish(port: int, rate: int, seconds: float, devices: int) -> None:
    """Write records at a steady rate, each as soon as it is due."""
    redis = Redis(port=port)
    started = time.monotonic()
    for number in range(int(rate * seconds)):
        pause = started + number / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        line = b'{"id":"%d","device":%d,"place":{"hall":"north","row":%d},"data":"%d"}' % (
            number,
            number % devices,
            number % 40,
            time.monotonic_ns(),
        )
        redis.xadd(_STREAM, {"data": line})


def receive(subscribers: list[Subscriber], total: int, seconds: float) -> list[float]:
    """Read until all records have come; return their latencies in ms."""
    selector = selectors.DefaultSelector()
    for subscriber in subscribers:
        selector.register(subscriber.socket, selectors.EVENT_READ, subscriber)
    times: list[float] = []
    deadline = time.monotonic() + seconds + _LAST_WAIT
    while len(times) < total and time.monotonic() < deadline:
        for key, _ in selector.select(0.5):
            sent = key.data.read()
            now = time.monotonic_ns()
            times += [(now - each) / 1e6 for each in sent]
    return times


@contextmanager
def running_redis(directory: str) -> Iterator[int]:
    """Run a Redis that keeps everything in memory; yield its port."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=200)
    parser.add_argument("--wanted", type=int, default=1, help="devices that each filter wants")
    parser.add_argument("--rate", type=int, default=1000, help="records per second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()

    devices, count = options.subscribers, int(options.rate * options.seconds)
    wanted = [
        [(number + each) % devices for each in range(options.wanted)] for number in range(devices)
    ]
    records = Counter(number % devices for number in range(count))
    with (
        tempfile.TemporaryDirectory() as directory,
        running_redis(directory) as port,
        running_server(devices, "--source", f"{_STREAM}=redis://127.0.0.1:{port}/0") as (
            pid,
            address,
        ),
    ):
        subscribers = [Subscriber(address, each) for each in wanted]
        connections = len(Redis(port=port).client_list()) - 1
        publisher = multiprocessing.Process(
            target=publish, args=(port, options.rate, options.seconds, devices)
        )
        before, started = usage(pid).cpu_seconds, time.monotonic()
        publisher.start()
        expected = [sum(records[device] for device in each) for each in wanted]
        times = receive(subscribers, sum(expected), options.seconds)
        took = time.monotonic() - started
        cpu = usage(pid).cpu_seconds - before
        publisher.join()
    whole = sum(each.received == number for each, number in zip(subscribers, expected, strict=True))
    print(f"{whole} of {devices} subscribers got all their records, {len(times)} in all")
    print(f"connections to Redis: {connections}")
    cuts = statistics.quantiles(times, n=100)
    print(
        f"write to receipt: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, longest "
        f"{max(times):.1f} ms"
    )
    print(f"CPU of the server: {cpu:.2f} s in {took:.1f} s, {cpu / count * 1e6:.0f} µs a record")
    return 0 if whole == devices else 1


if __name__ == "__main__":
    raise SystemExit(main())
