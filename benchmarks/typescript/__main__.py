"""Compare the npm package with JSON in the application, worker threads and plain fetch.

The server runs on one core, the application on another. Each figure comes from a fresh process;
repetitions of all ways are interleaved, and medians are printed. A process streams four times as
many records as `--records`; the first quarter, which includes what is done once, is measured apart.
See README.md and `python -m benchmarks.typescript --help`.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.building import BUILD, HERE, BenchmarkError, compile_program
from benchmarks.network import unpaced_network
from benchmarks.programs import CORES, FORST, Server, running, versions

SERVER: Final = Server(
    FORST, (sys.executable, "-m", "server", "--port", "{port}", "--no-access-log")
)
PLACE: Final = HERE / "typescript"
WAYS: Final = re.findall(
    r'^    "([a-z]+: [^"]+)":', (PLACE / "ways.mjs").read_text(encoding="utf-8"), re.MULTILINE
)
HEADINGS: Final = {
    "first": "first µs",
    "cpu": "µs CPU",
    "loop": "µs loop",
    "delay": "p99 ms",
    "rate": "records/s",
}
# Code that runs once per chunk is compiled after this many times as many records.
BYTES: Final = 5


def build() -> Path:
    """Build the package; return where it can be imported from."""
    source = HERE.parent / "clients" / "typescript"
    place = BUILD / "typescript"
    output = place / "dist" / "esm" / "index.js"
    sources = [source / "package-lock.json", *source.glob("src/*.ts")]
    if not output.exists() or output.stat().st_mtime < max(p.stat().st_mtime for p in sources):
        shutil.rmtree(place, ignore_errors=True)
        ignored = shutil.ignore_patterns("node_modules", "build", "dist")
        shutil.copytree(source, place, ignore=ignored)
        command = "npm ci --no-audit --no-fund --prefer-offline && npm run build"
        compile_program(["sh", "-c", command], sources, output, directory=place)
    return output


def measure(package: Path, way: str, first: int) -> dict[str, float]:
    """Measure one way with fresh processes."""
    pin = ["taskset", "-c", str(CORES[1])] if CORES and "worker" not in way else []
    script = str(PLACE / "measure.mjs")
    with running(SERVER) as server:
        url = f"http://127.0.0.1:{server.port}"
        done = subprocess.run(
            [*pin, "node", script, str(package), url, way, str(first)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BenchmarkError(f"{way}: {done.stderr.strip()}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every way, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.typescript", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs of each way (default: 5)")
    parser.add_argument(
        "--records",
        type=int,
        default=400_000,
        help="the first records of each run, which has four times as many (default: 400,000); "
        f"{BYTES} times as many as bytes",
    )
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, metavar="WAY")
    options = parser.parse_args(arguments)
    if not shutil.which("npm"):
        print("npm is not installed: skipped")
        return
    given = sys.argv[1:] if arguments is None else arguments
    network = unpaced_network(given, "benchmarks.typescript")
    print(f"{versions()}; TCP: {network}; load {os.getloadavg()[0]:.1f}")
    package = build()
    samples: dict[str, list[dict[str, float]]] = {way: [] for way in options.ways}
    for _ in range(options.repeat):
        for way in options.ways:
            factor = BYTES if way.startswith("bytes") else 1
            samples[way].append(measure(package, way, options.records * factor))
    print(f"{'per record':26}" + "".join(f"{heading:>12}" for heading in HEADINGS.values()))
    for way, taken in samples.items():
        medians = {each: statistics.median(sample[each] for sample in taken) for each in HEADINGS}
        figures = [f"{medians[each]:12.2f}" for each in HEADINGS if each != "rate"]
        print(f"{way:26}{''.join(figures)}{medians['rate']:12,.0f}")


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
