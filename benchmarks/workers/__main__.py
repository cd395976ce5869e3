"""Measure a Python function that keeps the CPU busy, in one process and in worker processes.

The ways take turns, and the shortest time of each counts: other programs on the machine make a run
longer, never shorter. `python -m benchmarks.workers --help` lists the options.
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import islice
from typing import Final

import forstcore
from benchmarks import records
from benchmarks.results import machine
from forstcore.engine import EngineOptions

_PROBE: Final = 20_000  # Rounds that are timed to find out how many take the time wanted.


def rounds_for(microseconds: float) -> int:
    """Return how many rounds of the function take that long."""
    os.environ["ROUNDS"] = "1"
    from benchmarks.workers import busy

    busy.ROUNDS = _PROBE
    started = time.process_time()
    busy.busy({"id": "", "data": "x" * 60})
    rounds = round(microseconds * 1e-6 * _PROBE / (time.process_time() - started))
    busy.ROUNDS = max(1, rounds)
    # Worker processes import the module.
    os.environ["ROUNDS"] = str(busy.ROUNDS)
    return busy.ROUNDS


def measure(lines: bytes, options: EngineOptions) -> tuple[float, bytes]:
    """Return the seconds of a run, and its results."""
    started = time.perf_counter()
    results = b"".join(forstcore.process(lines, "busy", **options))
    return time.perf_counter() - started, results


def main() -> None:
    """Run the measurements and print the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.workers", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument("--records", type=int, default=50_000, help="of a run (default: 50000)")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each way (default: 7)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--microseconds", type=float, default=20, help="a record (default: 20)")
    options = parser.parse_args()
    rounds = rounds_for(options.microseconds)
    lines = b"".join(islice(records.endless("110"), options.records))
    several = f"{options.workers} worker processes"
    ways: dict[str, EngineOptions] = {
        "one process": {"workers": 1},
        "1 worker process": {"workers": 1, "worker_kind": "processes"},
        several: {"workers": options.workers, "worker_kind": "processes"},
    }
    best = dict.fromkeys(ways, float("inf"))
    expected = None
    for repetition in range(-1, options.repeat):
        for name, way in ways.items():
            seconds, results = measure(lines, way)
            expected = results if expected is None else expected
            if results != expected:
                parser.exit(1, f"{name}: other results\n")
            if repetition >= 0:  # The first run starts the processes.
                best[name] = min(best[name], seconds)
    print(f"{machine()}: {rounds} rounds a record")
    print(f"{'':24}{'µs a record':>12}{'times':>8}")
    for name, seconds in best.items():
        cost = seconds / options.records * 1e6
        print(f"{name:24}{cost:12.2f}{best['one process'] / seconds:8.2f}")


if __name__ == "__main__":
    main()
