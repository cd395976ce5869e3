"""Measure Python processors: a function on dicts compared with a simple server, and async ones.

Each figure comes from a fresh server process; repetitions are interleaved, and medians are
printed. The client runs in a separate process and sends a prepared body.
`python -m benchmarks.processors --help` lists the options.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from benchmarks import records

ROUTES: Final = '''
"""The processors that are measured."""

import asyncio

from forstcore import processor


@processor("same")
def same(record: dict) -> dict:
    return record


@processor("same-async")
async def same_async(record: dict) -> dict:
    return record


@processor("nap")
async def nap(record: dict) -> dict:
    await asyncio.sleep(0.01)
    return record
'''
_CHUNK: Final = 1 << 16
_START_SECONDS: Final = 15.0


class BenchmarkError(Exception):
    """A server misbehaved; the message names the server and the problem."""


@dataclass(frozen=True)
class Case:
    """A measurement: a server, a path on it, and the number of records."""

    name: str
    command: tuple[str, ...]
    path: str
    records: int


@contextlib.contextmanager
def running(command: tuple[str, ...]) -> Iterator[int]:
    """Run a server on a free port; return the port when it accepts connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"{' '.join(command)} does not start")
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def exchange(port: int, path: str, lines: list[bytes]) -> tuple[float, bytes]:
    """Stream records through a server; return the duration in seconds, and the results."""
    data = b"".join(lines)
    chunks = (data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK))
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender = threading.Thread(target=connection.sendall, args=(head.encode() + body,))
        received = bytearray()
        started = time.perf_counter()
        sender.start()
        while not received.endswith(b"0\r\n\r\n"):
            piece = connection.recv(1 << 20)
            if not piece:
                raise BenchmarkError(f"{path} was cut: {bytes(received[-200:])!r}")
            received += piece
        seconds = time.perf_counter() - started
        sender.join()
    return seconds, results_of(bytes(received))


def results_of(response: bytes) -> bytes:
    """Extract the body of a chunked response."""
    _, _, rest = response.partition(b"\r\n\r\n")
    body = bytearray()
    place = 0
    while True:
        end = rest.index(b"\r\n", place)
        size = int(rest[place:end], 16)
        if not size:
            return bytes(body)
        body += rest[end + 2 : end + 2 + size]
        place = end + 4 + size


def measure(case: Case, lines: list[bytes]) -> float:
    """Return the seconds of a run on a fresh server; check that it returns every record."""
    sent = lines[: case.records]
    with running(case.command) as port:
        exchange(port, case.path, sent[:100])
        seconds, results = exchange(port, case.path, sent)
    # The functions return the record, which orjson then writes in its own way.
    if results != b"".join(orjson.dumps(orjson.loads(line)) + b"\n" for line in sent):
        raise BenchmarkError(f"{case.name} did not give back what it got, in order")
    return seconds


def cases_of(routes: Path, count: int) -> list[Case]:
    """Return the cases: first the one that the others are compared with, last the one that waits.

    Args:
        routes: the file of the processors.
        count: the number of records of a run.
    """
    server = (sys.executable, "-m", "server", "--processors", str(routes), "--no-access-log")
    obvious = (sys.executable, "-m", "benchmarks.servers.aiohttp_lines")
    return [
        Case("aiohttp + orjson, a line at a time", obvious, "/streaming-process", count // 2),
        Case("dict -> dict", server, "/same", count),
        Case("async dict -> dict", server, "/same-async", count),
        Case("async, 10 ms each, 100 workers", (*server, "--workers", "100"), "/nap", 10_000),
    ]


def report(kind: str, cases: list[Case], repeat: int) -> None:
    """Measure all cases with one kind of records, and print the medians."""
    lines = list(islice(records.endless(kind), max(case.records for case in cases)))
    samples: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(repeat):
        for case in cases:
            samples[case.name].append(measure(case, lines))
    base = statistics.median(samples[cases[0].name]) / cases[0].records
    print(f"{records.TITLES[kind]:36}{'us a record':>12}{'times':>8}")
    for case in cases[:-1]:
        cost = statistics.median(samples[case.name]) / case.records
        print(f"{case.name:36}{cost * 1e6:12.2f}{base / cost:8.1f}")
    last = cases[-1]
    ideal = last.records * 0.01 / 100
    median = statistics.median(samples[last.name])
    print(f"{last.name}: {median:.3f} s, {median / ideal - 1:+.0%} of the ideal {ideal:g} s\n")


def main() -> None:
    """Run the measurements and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="records of a run")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each case")
    records.add_kinds_option(parser, "weblog", "110")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        routes = Path(directory, "routes.py")
        routes.write_text(ROUTES)
        for kind in options.kinds:
            report(kind, cases_of(routes, options.records), options.repeat)


if __name__ == "__main__":
    main()
