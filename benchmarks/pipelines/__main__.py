"""Measure pipelines, beside loops in Python between the same brokers.

Each run is a process of its own. The table shows CPU time of that process, user and system, and not
that of the broker: for a record, by the difference of a short and a long run.
`python -m benchmarks.pipelines --help` lists the options.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from itertools import islice
from pathlib import Path

import orjson

from benchmarks import records
from benchmarks.building import BenchmarkError
from benchmarks.compiled import routes
from benchmarks.marginal import SHORT
from benchmarks.pipelines.pairs import PAIRS, Pair
from benchmarks.pipelines.running import Cost
from benchmarks.results import machine


def _results(lines: list[bytes], lowest: int) -> int:
    routes.LOWEST = lowest
    return sum(routes.weblog(orjson.loads(line)) is not None for line in lines)


def _measure(name: str, lines: list[bytes], repeat: int, lowest: int) -> str:
    costs: dict[str, list[Cost]] = {way: [] for way in PAIRS[name].ways}
    with tempfile.TemporaryDirectory() as temporary:
        pairs: list[Pair] = []
        try:
            for directory, some in (("short", lines[:SHORT]), ("many", lines)):
                home = Path(temporary, directory)
                home.mkdir()
                pairs.append(PAIRS[name](home, some, _results(some, lowest), lowest))
            short, many = pairs
            for way in costs:
                short.run(way)  # Writes the bytecode of modules.
            for _ in range(repeat):
                for way, each in costs.items():
                    start, whole = short.run(way), many.run(way)
                    each.append(Cost(whole.cpu - start.cpu, whole.wall - start.wall))
        finally:
            for pair in pairs:
                pair.close()
    return _table(name, costs, len(lines) - SHORT, _results(lines, lowest) / len(lines))


def _table(name: str, costs: dict[str, list[Cost]], count: int, kept: float) -> str:
    title = f"{name}, {kept:.0%} kept"
    lines = [
        f"{title:42}{'CPU µs a record':>16}{'low-high':>14}{'× forstcore':>12}{'records/s':>12}"
    ]
    medians = {way: statistics.median(each.cpu for each in them) for way, them in costs.items()}
    for way, them in costs.items():
        low, high = (pick(each.cpu for each in them) / count * 1e6 for pick in (min, max))
        rate = count / statistics.median(each.wall for each in them)
        ratio = medians[way] / medians["forstcore"]
        lines.append(
            f"{way:42}{medians[way] / count * 1e6:16.2f}{f'{low:.2f}-{high:.2f}':>14}"
            f"{ratio:12.1f}{rate:12,.0f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the measurements and print the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pipelines", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--records", type=int, default=500_000, help="of a run (default: 500000)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each way (default: 3)")
    parser.add_argument(
        "--lowest",
        type=int,
        nargs="+",
        default=[0, 500],
        help="status from which on results are kept",
    )
    options = parser.parse_args()
    if options.records <= SHORT:
        parser.error(f"--records must be more than {SHORT}")
    print(machine())
    lines = [line[:-1] for line in islice(records.endless("weblog"), options.records)]
    for name in options.pairs:
        for lowest in [0] if name == "file-parquet" else options.lowest:
            print(f"\n{_measure(name, lines, options.repeat, lowest)}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
