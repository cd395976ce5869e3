"""Compare the built-in processor with an equivalent native processor in C.

First through the server on one core with one worker, alternating; then in this process, with a
processor that takes about 2 µs per record and an increasing number of workers. Medians are printed.
`python -m benchmarks.native --help` lists the options.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Final

import forstcore
from benchmarks import records
from benchmarks.network import unpaced_network
from benchmarks.programs import ENDPOINT, Server, build, running
from benchmarks.usage import usage
from tests import native

ROUTES: Final = """
import forstcore
import cases

forstcore.processor("twin")(cases.twin)
"""
SOURCE: Final = Path(native.__file__).with_name("cases.c")
_BODY: Final = 4 << 20
_PIECE: Final = 1 << 16  # Bytes of a chunk, for the measurements in this process.


def compare_servers(routes: Path, body: Path, options: argparse.Namespace) -> None:
    """Measure processors with the same results through a server."""
    command = (sys.executable, "-m", "server", "--no-access-log", "--workers", "1")
    processors = ("--processors", str(routes), "--port", "{port}")
    ways = [
        Server(name, (*command, *processors), endpoint=endpoint)
        for name, endpoint in [
            ("the core alone", ENDPOINT),
            ("the built-in processor", "/large-dataset-stream"),
            ("the same in C, as a native one", "/twin"),
        ]
    ]
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    costs: dict[str, list[float]] = {way.name: [] for way in ways}
    for way in ways * options.repeat:
        with running(way) as here:
            here.client("throughput", body, "--total", str(options.size // 4))
            before = usage(here.pid).cpu_seconds
            report = here.client("throughput", body, "--total", str(options.size))
            costs[way.name].append((usage(here.pid).cpu_seconds - before) / options.size * 1e9)
        rates[way.name].append(report["mb_per_s"])
    print(f"{'through the server':32}{'MB/s':>8}{'times':>8}{'CPU s/GB':>10}{'times':>8}")
    rate, cost = (statistics.median(each[ways[1].name]) for each in (rates, costs))
    for way in ways:
        here_rate, here_cost = (statistics.median(each[way.name]) for each in (rates, costs))
        print(
            f"{way.name:32}{here_rate:8.0f}{here_rate / rate:8.2f}"
            f"{here_cost:10.2f}{here_cost / cost:8.2f}"
        )


def compare_workers(cases: ModuleType, body: bytes, options: argparse.Namespace) -> None:
    """Measure how a slow processor scales with the number of workers."""
    pieces = [body[at : at + _PIECE] for at in range(0, len(body), _PIECE)] * 6
    lines = body.count(b"\n") * 6
    expected = forstcore.process_block(b"".join(pieces))
    if b"".join(forstcore.process(iter(pieces), cases.toil)) != expected:
        raise SystemExit("the results are not those of the built-in processor")
    seconds: dict[int, list[float]] = {workers: [] for workers in options.workers}
    for workers in options.workers * options.repeat:
        size = 0
        started = time.perf_counter()
        for results in forstcore.process(iter(pieces), cases.toil, workers=workers):
            size += len(results)
        seconds[workers].append(time.perf_counter() - started)
        if size != len(expected):
            raise SystemExit(f"with {workers} workers there are {size} bytes of results")
    one = seconds[options.workers[0]]
    print(f"\n{'in process, 2 µs a record':32}{'µs a record':>12}{'times':>8}")
    for workers, samples in seconds.items():
        times = statistics.median(a / b for a, b in zip(one, samples, strict=True))
        cost = statistics.median(samples) / lines * 1e6
        print(f"{f'{workers} workers':32}{cost:12.2f}{times:8.2f}")


def main() -> None:
    """Run the measurements and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--size", type=int, default=10**9, help="bytes of a run (default: 10**9)")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    powers = itertools.takewhile(lambda count: count <= (cores or 1), (1, 2, 4, 8, 16, 32))
    parser.add_argument("--workers", type=int, nargs="+", default=list(powers))
    records.add_kinds_option(parser, "weblog", "110")
    options = parser.parse_args()
    if options.size < 10**8:
        parser.error("--size must be at least 10**8: CPU time has a resolution of 10 ms")
    network = unpaced_network(sys.argv[1:], "benchmarks.native")
    build()
    print(f"One connection. TCP: {network}.")
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        cases = native.build(SOURCE, directory)
        routes = directory / "routes.py"
        routes.write_text(ROUTES)
        for kind in options.kinds:
            body = records.make(kind, _BODY)
            path = directory / f"{kind}.ndjson"
            path.write_bytes(body)
            print(f"\nRecords: {records.TITLES[kind]}")
            compare_servers(routes, path, options)
            compare_workers(cases, body, options)


if __name__ == "__main__":
    main()
