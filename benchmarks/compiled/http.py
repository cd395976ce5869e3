"""Measure the job over HTTP: this server and one in Go, both fed by the load client.

Each figure comes from a fresh server process on one core, with the client on another; the servers
take turns. CPU time is that of the server, user and system.
`python -m benchmarks.compiled.http --help` lists the options.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks import records
from benchmarks.building import BenchmarkError
from benchmarks.compiled.__main__ import HERE, THRESHOLDS, go_program
from benchmarks.compiled.tables import COMPILED, table
from benchmarks.network import unpaced_network
from benchmarks.programs import Running, Server, build, running, versions
from benchmarks.results import machine
from benchmarks.usage import usage

_GO: Final = "Go, encoding/json"
_DISTINCT: Final = 20_000  # Records in the body, which is sent repeatedly.


def servers(lowest: int, directory: Path, notes: set[str]) -> Iterator[Server]:
    """Yield the servers.

    Args:
        lowest: status from which on requests are results.
        directory: for the data of the program in Go.
        notes: gets a line for each server that is not installed.
    """
    environment = ("env", f"LOWEST_STATUS={lowest}")
    routes = ("--processors", str(HERE / "routes.py"))
    own = (*environment, sys.executable, "-m", "server", *routes, "--port", "{port}")
    yield Server(COMPILED, own, endpoint="/weblog")
    yield Server("forstcore, interpreted", own, endpoint="/weblog-interpreted")
    try:
        program = go_program(directory)
        yield Server(_GO, (*environment, *program, "--port", "{port}"), endpoint="/weblog")
    except BenchmarkError as error:
        notes.add(str(error).splitlines()[0])


def _send(here: Running, body: Path, count: int, *options: str) -> dict[str, Any]:
    repeat = str(max(1, count // _DISTINCT))
    return here.client("throughput", body, "--repeat", repeat, *options)


def results_of(here: Running, body: Path, directory: Path) -> list[Any]:
    """Return the results of the body."""
    output = directory / "results.ndjson"
    _send(here, body, 1, "--output", str(output))
    return list(map(json.loads, output.read_bytes().splitlines()))


def measure(lowest: int, options: argparse.Namespace, directory: Path, notes: set[str]) -> str:
    """Measure all servers with one threshold; return their table."""
    body = directory / "body.ndjson"
    body.write_bytes(b"".join(islice(records.endless("weblog"), _DISTINCT)))
    found = list(servers(lowest, directory, notes))
    costs: dict[str, list[float]] = {server.name: [] for server in found}
    rates: dict[str, list[float]] = {server.name: [] for server in found}
    expected: list[Any] | None = None
    for _ in range(options.repeat):
        for server in found:
            with running(server) as here:
                results = results_of(here, body, directory)
                expected = results if expected is None else expected
                if results != expected:
                    raise BenchmarkError(f"{server.name} has other results")
                _send(here, body, options.records // 4)  # Warms up the process.
                before = usage(here.pid).cpu_seconds
                report = _send(here, body, options.records)
                seconds = usage(here.pid).cpu_seconds - before
            sent = report["lines_sent"]
            costs[server.name].append(seconds / sent * 1e6)
            rates[server.name].append(sent / report["seconds"])
            if report["client_cpu_seconds"] > 0.9 * report["seconds"]:
                notes.add(f"{server.name}: the client was the limit of records/s")
    assert expected is not None
    return table(100 * len(expected) / _DISTINCT, "CPU µs a record", costs, rates)


def main() -> None:
    """Run the measurements and print the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compiled.http", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument("--records", type=int, default=1_000_000, help="of a run")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each server (default: 5)")
    parser.add_argument(
        "--lowest", type=int, nargs="+", default=list(THRESHOLDS), help="status that is kept"
    )
    options = parser.parse_args()
    network = unpaced_network(sys.argv[1:], "benchmarks.compiled.http")
    notes: set[str] = set()
    build()
    print(f"{machine()}\n{versions()}; TCP: {network}")
    for lowest in options.lowest:
        with tempfile.TemporaryDirectory() as temporary:
            print(f"\n{measure(lowest, options, Path(temporary), notes)}")
    for note in sorted(notes):
        print(f"note: {note}")


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
