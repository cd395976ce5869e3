"""Measure the same job on web logs in Python, compiled and not, in C, Go and SQL.

Each run is a process of its own, on one core, from file to file. The table shows CPU time, user and
system: for a record, by the difference of two runs, and for the start of the process.
`python -m benchmarks.compiled --help` lists the options.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import forstcore
from benchmarks import records
from benchmarks.building import BUILD, BenchmarkError, compile_program
from benchmarks.compiled.routes import COUNTRIES
from benchmarks.compiled.tables import COMPILED, table
from benchmarks.marginal import SHORT, installed, line_through
from benchmarks.results import machine

HERE: Final = Path(__file__).parent
_EXAMPLE: Final = HERE.parent.parent / "examples" / "weblog"
THRESHOLDS: Final = (500, 0)


@dataclass(frozen=True)
class Way:
    """A way to do the job; `IN` and `OUT` in the command stand for the files."""

    name: str
    command: tuple[str, ...]
    same_bytes: bool = True


def _forstcore(processors: Path, name: str) -> tuple[str, ...]:
    command = (sys.executable, "-m", "forstcore", "process", "IN", "-o", "OUT", "--workers", "1")
    return (*command, "--processors", str(processors), "--processor", name)


def _native(lowest: int, directory: Path) -> Path:
    """Build the example in C for another threshold; return the module that declares it."""
    source = (_EXAMPLE / "weblog.c").read_text()
    assert "status < 500" in source
    changed = directory / "weblog.c"
    changed.write_text(source.replace("status < 500", f"status < {lowest}"))
    shutil.copy(_EXAMPLE / "weblog.py", directory)
    include = f"-I{forstcore.get_include()}"
    library = directory / "libweblog.so"
    flags = ["-O2", "-shared", "-fPIC", include]
    compile_program(["cc", *flags, str(changed), "-o", str(library), "-lm"], [changed], library)
    return directory / "weblog.py"


def go_program(directory: Path) -> tuple[str, ...]:
    """Build the program in Go; return its command, without the files or the port."""
    program = BUILD / "weblog-go"
    source = HERE / "go"
    compile_program(
        ["go", "build", "-o", str(program), "."], source.iterdir(), program, directory=source
    )
    countries = directory / "countries.json"
    countries.write_text(json.dumps(COUNTRIES))
    return (str(program), str(countries))


def ways(lowest: int, directory: Path, notes: set[str]) -> Iterator[Way]:
    """Yield the ways to do the job; the first one says what the results are.

    Args:
        lowest: status from which on requests are results.
        directory: for programs.
        notes: gets a line for each way that is not installed.
    """
    routes = HERE / "routes.py"
    if importlib.util.find_spec("orjson"):
        loop = (sys.executable, "-m", "benchmarks.compiled.plain_loop", "IN", "OUT")
        yield Way("a plain loop with orjson", loop)
    yield Way(COMPILED, _forstcore(routes, "weblog"))
    yield Way("forstcore, interpreted", _forstcore(routes, "weblog-interpreted"))
    try:
        yield Way("forstcore, in C", _forstcore(_native(lowest, directory), "weblog"))
    except BenchmarkError as error:
        notes.add(str(error).splitlines()[0])
    try:
        yield Way("Go, encoding/json", (*go_program(directory), "IN", "OUT"), same_bytes=False)
    except BenchmarkError as error:
        notes.add(str(error).splitlines()[0])
    if importlib.util.find_spec("duckdb"):
        query = (sys.executable, "-m", "benchmarks.compiled.duck", "IN", "OUT")
        yield Way("DuckDB", query, same_bytes=False)
    else:
        notes.add("duckdb is not installed")


def run(way: Way, lowest: int, source: Path, target: Path) -> float:
    """Return the seconds of CPU time of a run."""
    command = [{"IN": str(source), "OUT": str(target)}.get(each, each) for each in way.command]
    environment = {**installed(), "LOWEST_STATUS": str(lowest), "GOMAXPROCS": "1"}
    target.unlink(missing_ok=True)
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(f"{way.name} failed: {said[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def check(way: Way, target: Path, expected: bytes) -> None:
    """Check the results of a run."""
    results = target.read_bytes()
    if results == expected:
        return
    if not way.same_bytes:
        wanted = map(json.loads, expected.splitlines())
        if list(map(json.loads, results.splitlines())) == list(wanted):
            return
    raise BenchmarkError(f"{way.name} has other results")


def measure(lowest: int, options: argparse.Namespace, directory: Path, notes: set[str]) -> str:
    """Measure all ways with one threshold; return their table."""
    many, short = directory / "many.ndjson", directory / "short.ndjson"
    target = directory / "results.ndjson"
    found = list(ways(lowest, directory, notes))
    costs: dict[str, list[float]] = {way.name: [] for way in found}
    starts: dict[str, list[float]] = {way.name: [] for way in found}
    expected = b""
    for way in found:
        run(way, lowest, short, target)  # Writes the bytecode.
    for _ in range(options.repeat):
        for way in found:
            seconds = run(way, lowest, short, target)
            line = line_through(seconds, run(way, lowest, many, target), options.records)
            costs[way.name].append(line.record * 1e6)
            starts[way.name].append(line.start * 1e3)
            expected = expected or target.read_bytes()
            check(way, target, expected)
    kept = 100 * expected.count(b"\n") / options.records
    return table(kept, "CPU µs a record", costs, starts=starts)


def main() -> None:
    """Run the measurements and print the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compiled", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument("--records", type=int, default=500_000, help="of a run (default: 500000)")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each way (default: 5)")
    parser.add_argument(
        "--lowest", type=int, nargs="+", default=list(THRESHOLDS), help="status that is kept"
    )
    options = parser.parse_args()
    if options.records <= SHORT:
        parser.error(f"--records must be more than {SHORT}")
    notes: set[str] = set()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        lines = islice(records.endless("weblog"), options.records)
        short = Path(temporary, "short.ndjson")
        with Path(temporary, "many.ndjson").open("wb") as many, short.open("wb") as first:
            for number, line in enumerate(lines):
                many.write(line)
                if number < SHORT:
                    first.write(line)
        for lowest in options.lowest:
            directory = Path(temporary, str(lowest))
            directory.mkdir()
            for name in ("many.ndjson", "short.ndjson"):
                (directory / name).symlink_to(Path(temporary, name))
            print(f"\n{measure(lowest, options, directory, notes)}")
    for note in sorted(notes):
        print(f"note: {note}")


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
