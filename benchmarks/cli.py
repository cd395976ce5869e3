"""Compare `forstcore process` with other programs that convert files of records.

Each program reads a file of records from the page cache and writes to /dev/null, so that
the disk is not measured. Slow programs get a part of the file. Runs are interleaved, and medians
are printed.
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
from pathlib import Path
from typing import NamedTuple

from benchmarks import records

_FILTER = '{id, result: ("processed_" + .data), status: "success"}'
_ORJSON = """
import sys
from orjson import dumps, loads
write = sys.stdout.buffer.write
for line in open(sys.argv[1], "rb"):
    record = loads(line)
    data = record.get("data", "")
    result = {"id": record["id"], "result": "processed_" + data, "status": "success"}
    write(dumps(result) + b"\\n")
"""


class Run(NamedTuple):
    """One run: MB/s, and the peak memory of the process in MiB."""

    rate: float
    memory: float


def main() -> None:
    """Print a line for each program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cli", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the file")
    parser.add_argument("--runs", type=int, default=5)
    records.add_kinds_option(parser, "weblog", "110")
    options = parser.parse_args()
    for kind in options.kinds:
        with tempfile.TemporaryDirectory() as directory:
            report(kind, Path(directory), options)


def report(kind: str, directory: Path, options: argparse.Namespace) -> None:
    """Measure all programs with one kind of records, and print the medians."""
    whole, part = directory / "whole.ndjson", directory / "part.ndjson"
    # Created by a child process: the memory of this process would count for its children.
    size = min(options.megabytes, 50) * 1_000_000
    with part.open("wb") as file:
        writer = [sys.executable, "-m", "benchmarks.records", kind, str(size)]
        subprocess.run(writer, stdout=file, check=True)
    with whole.open("wb") as file:
        for _ in range(max(1, options.megabytes // 50)):
            with part.open("rb") as block:
                shutil.copyfileobj(block, file)
    process = [sys.executable, "-m", "forstcore", "process"]
    contestants = {
        "forstcore process": (process, whole),
        "forstcore process --workers 1": ([*process, "--workers", "1"], whole),
        "cat": (["cat"], whole),
        "orjson in plain Python": ([sys.executable, "-c", _ORJSON], part),
    }
    if shutil.which("jq"):
        contestants[f"jq -c '{_FILTER}'"] = (["jq", "-c", _FILTER], part)
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    for _ in range(options.runs):
        for name, (command, file_of_it) in contestants.items():
            runs[name].append(measure(command, file_of_it))
    ours = statistics.median(run.rate for run in runs["forstcore process"])
    print(f"{records.TITLES[kind]:66} MB/s   MiB  forstcore is")
    for name, done in runs.items():
        rate = statistics.median(run.rate for run in done)
        memory = max(run.memory for run in done)
        print(f"{name:64} {rate:6,.0f}  {memory:4,.0f}  {ours / rate:6.2f} times as fast")


def measure(command: list[str], file: Path) -> Run:
    """Run a command on a file and discard its output; `cat` writes to a pipe, so that it copies."""
    if command == ["cat"]:
        # With /dev/null as its output, cat would not need to read the file.
        script = 'cat "$0" | cat > /dev/null'
        command = ["sh", "-c", script]
    started = time.perf_counter()
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen([*command, str(file)], stdout=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Run(file.stat().st_size / 1e6 / seconds, usage.ru_maxrss / unit)


if __name__ == "__main__":
    main()
