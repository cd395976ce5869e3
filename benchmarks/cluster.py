"""Compare `forstcore process` on a local cluster with a single process.

All variants read a file of 110-byte records from the page cache and write their results to the
same directory. The start of the cluster is reported separately. The cost of a block is the
difference between many blocks and one, for a small file. Runs are interleaved, and medians are
printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from distributed import Client

from forstcore.cluster import process_dataset
from forstcore.cluster.local import local_cluster


def main() -> None:
    """Print a line for each variant, and one for the cost of a block."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the file")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2, help="workers of the cluster")
    parser.add_argument("--blocks", type=int, default=200, help="blocks of the small file")
    parser.add_argument("--directory", help="directory for files (default: the temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        file, out = Path(directory, "in.ndjson"), Path(directory, "out")
        write_records(file, options.megabytes)
        one = [sys.executable, "-m", "forstcore", "process", str(file), "-o", str(out)]
        contestants: dict[str, Callable[[], float]] = {
            "forstcore process": lambda: command(one),
            "forstcore process --workers 1": lambda: command([*one, "--workers", "1"]),
        }
        started = time.perf_counter()
        with local_cluster(options.processes) as client:
            start = time.perf_counter() - started
            name = f"the cluster, {options.processes} processes"
            contestants[name] = lambda: dataset(client, file, out)
            seconds: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(options.runs):
                for name, run in contestants.items():
                    seconds[name].append(run())
                    remove(out)
            small = Path(directory, "small.ndjson")
            write_records(small, 1)
            size = -(-small.stat().st_size // options.blocks)
            block = statistics.median(
                (dataset(client, small, out, size) - dataset(client, small, out))
                / (options.blocks - 1)
                for _ in range(options.runs)
            )
        for name, found in seconds.items():
            median = statistics.median(found)
            rate = file.stat().st_size / 1e6 / median
            print(
                f"{name:32} {median:6.2f} s  {rate:6,.0f} MB/s  {min(found):.2f}-{max(found):.2f}"
            )
        print(f"{'starting the cluster':32} {start:6.2f} s")
        print(f"{'a block':32} {block * 1000:6.2f} ms")
        print(f"{os.cpu_count()} cores; load of the last minute {os.getloadavg()[0]:.1f}")


def command(arguments: list[str]) -> float:
    """Return the duration of a command in seconds."""
    started = time.perf_counter()
    subprocess.run(arguments, check=True)
    return time.perf_counter() - started


def dataset(client: Client, file: Path, out: Path, blocksize: int | str = "64 MiB") -> float:
    """Return the seconds that the cluster needs for a file."""
    started = time.perf_counter()
    process_dataset(file, out, client=client, blocksize=blocksize, overwrite=True)
    return time.perf_counter() - started


def write_records(path: Path, megabytes: int) -> None:
    """Write a file by repeating a block."""
    size = min(megabytes, 50) * 1_000_000
    with path.open("wb") as file:
        writer = [sys.executable, "-m", "benchmarks.records", "110", str(size)]
        block = subprocess.run(writer, stdout=subprocess.PIPE, check=True).stdout
        for _ in range(max(1, megabytes // 50)):
            file.write(block)


def remove(path: Path) -> None:
    """Remove the output of a run, so that the next one does not overwrite files."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


if __name__ == "__main__":
    main()
