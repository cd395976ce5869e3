"""Compare speed, latency, CPU time and memory of the server with its peers.

Each figure comes from a fresh server process pinned to one core, with the load client on another;
repetitions of all servers are interleaved, and medians are printed. See README.md and
`python -m benchmarks.server --help`.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks import records, results
from benchmarks.building import BenchmarkError
from benchmarks.network import unpaced_network
from benchmarks.programs import (
    AIOHTTP_ECHO,
    AIOHTTP_ORJSON,
    C_ECHO,
    C_RECORDS,
    CORES,
    GO,
    NODE,
    Running,
    Server,
    build,
    contestants,
    running,
    versions,
)
from benchmarks.usage import PeakMemory, busy_seconds, usage

BODY_SIZE: Final = 4 << 20
CHUNKINGS: Final = {"64K": "65536", "record": "record"}
# Runs during which other processes used more than this share of all cores are unreliable.
_DISTURBED: Final = 0.05


@dataclass
class Figures:
    """All samples of one server, by name of the figure."""

    samples: dict[str, list[float]] = field(default_factory=dict)
    disturbed: int = 0

    def add(self, **values: float) -> None:
        """Add one sample of each of these figures."""
        for name, value in values.items():
            self.samples.setdefault(name, []).append(value)

    def median(self, name: str) -> float | None:
        """Return the median of a figure, or None where it was not measured."""
        values = self.samples.get(name)
        return statistics.median(values) if values else None


class Bench:
    """The measurements of one kind of record."""

    def __init__(self, kind: str, directory: Path, options: argparse.Namespace) -> None:
        self._options = options
        self.kind = kind
        self.body = records.make(kind, BODY_SIZE)
        self.path = directory / f"{kind}.ndjson"
        self.path.write_bytes(self.body)
        self.one = directory / f"{kind}-one.ndjson"
        self.one.write_bytes(self.body[: self.body.find(b"\n") + 1])
        self._output = directory / "output"
        self._result_sizes: dict[str, int] = {}
        self.figures: dict[str, Figures] = {}

    def check(self, server: Server) -> None:
        """Compare all results of a server with the expected ones, for both chunkings."""
        with running(server) as here:
            for chunk in CHUNKINGS.values():
                here.client("throughput", self.path, "--chunk", chunk, "--output", self._outfile)
                output = self._output.read_bytes()
                if not (output == self.body if server.echoes else self._correct(output)):
                    raise BenchmarkError(
                        f"{server.name}, {self.kind}, chunk {chunk}: wrong results"
                    )
        # Later runs send the same file several times, so the expected size of results is known.
        self._result_sizes[server.name] = len(output)
        self.figures[server.name] = Figures()

    @property
    def _outfile(self) -> str:
        return str(self._output)

    def _correct(self, output: bytes) -> bool:
        results, lines = output.split(b"\n"), self.body.split(b"\n")
        if len(results) != len(lines) or results.pop() != b"":
            return False
        for line, result in zip(lines, results, strict=False):
            record = json.loads(line)
            expected = {
                "id": record["id"],
                "result": "processed_" + record.get("data", ""),
                "status": "success",
            }
            if json.loads(result) != expected:
                return False
        return True

    def _send(self, here: Running, mode: str, total: int, *options: str) -> dict[str, Any]:
        """Send the body up to a total size, and check the number of bytes of the results."""
        report = here.client(mode, self.path, "--total", str(total), *options)
        passes = report["bytes_sent"] // len(self.body)
        expected = passes * self._result_sizes[here.server.name]
        if report["bytes_received"] != expected:
            raise BenchmarkError(
                f"{here.server.name}: {report['bytes_received']} bytes came back, not {expected}"
            )
        return report

    def speed(self, server: Server, chunking: str) -> bool:
        """Measure throughput and CPU time; return whether the machine was quiet."""
        chunk = ("--chunk", CHUNKINGS[chunking])
        with running(server) as here:
            # The first run warms up the process and determines the size of the measured run.
            first = self._send(here, "throughput", 2 * BODY_SIZE, *chunk)
            second = self._send(
                here, "throughput", int(first["mb_per_s"] * self._options.seconds / 4 * 1e6), *chunk
            )
            total = int(second["mb_per_s"] * self._options.seconds * 1e6)
            busy, before = busy_seconds(), usage(here.pid)
            report = self._send(here, "throughput", total, *chunk)
            server_cpu = usage(here.pid).cpu_seconds - before.cpu_seconds
            busy_after = busy_seconds()
        foreign = 0.0
        if busy is not None and busy_after is not None:
            own = server_cpu + report["client_cpu_seconds"]
            room = report["seconds"] * (os.cpu_count() or 1)
            foreign = (busy_after - busy - own) / room
        self.figures[server.name].add(
            **{
                f"{chunking} MB/s": report["mb_per_s"],
                f"{chunking} CPU s/GB": server_cpu / report["bytes_sent"] * 1e9,
                f"{chunking} client busy": report["client_cpu_seconds"] / report["seconds"],
            }
        )
        return foreign < _DISTURBED

    def latency(self, server: Server) -> bool:
        """Measure the round trip of a single record; return whether the machine was quiet."""
        with running(server) as here:
            busy, start = busy_seconds(), time.monotonic()
            before = usage(here.pid)
            report = here.client("latency", self.path, "--count", str(self._options.count))
            seconds = time.monotonic() - start
            own = usage(here.pid).cpu_seconds - before.cpu_seconds
            busy_after = busy_seconds()
        self.figures[server.name].add(
            **{
                "p50 µs": report["p50_us"],
                "p99 µs": report["p99_us"],
                "min µs": report["min_us"],
            }
        )
        if busy is None or busy_after is None:
            return True
        # The client uses about as much CPU time as the server here and does not report it.
        return (busy_after - busy - 2 * own) / (seconds * (os.cpu_count() or 1)) < _DISTURBED

    def memory(self, server: Server) -> bool:
        """Measure memory after one record, after millions, and with a client that stops reading."""
        mean = len(self.body) / self.body.count(b"\n")
        total = int(self._options.millions * 1e6 * mean)
        with running(server) as here:
            here.client("throughput", self.one)
            one = usage(here.pid).rss_bytes
            with PeakMemory(here.pid) as peak:
                self._send(here, "throughput", total)
            many = usage(here.pid).rss_bytes
            with PeakMemory(here.pid) as stopped:
                self._send(
                    here, "stop", 64 * BODY_SIZE, "--stop-seconds", str(self._options.stop_seconds)
                )
        self.figures[server.name].add(
            **{
                "RSS 1": one / 1e6,
                "RSS many": many / 1e6,
                "RSS peak": peak.rss_bytes / 1e6,
                "RSS stopped": stopped.rss_bytes / 1e6,
            }
        )
        return True


def _repeat_until_quiet(bench: Bench, server: Server, measure: Callable[[], bool]) -> None:
    figures = bench.figures[server.name]
    for attempt in range(4):
        counts = {name: len(values) for name, values in figures.samples.items()}
        if measure():
            return
        if attempt < 3:
            for name, values in figures.samples.items():
                del values[counts.get(name, 0) :]
            time.sleep(0.5)
    figures.disturbed += 1


def measure_all(bench: Bench, servers: list[Server], options: argparse.Namespace) -> None:
    """Run all measurements, interleaved and in varying order."""
    shuffle = Random(1).shuffle
    order = list(servers)
    for repetition in range(options.repetitions):
        for what in options.measure:
            shuffle(order)
            for server in order:
                _progress(f"{bench.kind}: {what} of {server.name}, {repetition + 1}")
                if what == "speed":
                    for chunking in CHUNKINGS:
                        _repeat_until_quiet(bench, server, partial(bench.speed, server, chunking))
                elif what == "latency":
                    _repeat_until_quiet(bench, server, partial(bench.latency, server))
                elif repetition < 2:  # memory varies too little to justify more repetitions
                    _repeat_until_quiet(bench, server, partial(bench.memory, server))
    _progress("")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


# ---- report ----------------------------------------------------------------------------------


_COLUMNS: Final = (
    # name of the figure, title, digits
    ("64K MB/s", "64K MB/s", 0),
    ("record MB/s", "rec MB/s", 0),
    ("64K CPU s/GB", "64K s/GB", 2),
    ("record CPU s/GB", "rec s/GB", 2),
    ("p50 µs", "p50 µs", 1),
    ("p99 µs", "p99 µs", 1),
    ("RSS 1", "MB at 1", 1),
    ("RSS many", "MB at many", 1),
    ("RSS peak", "MB peak", 1),
    ("RSS stopped", "MB stopped", 1),
)


def _cell(value: float | None, digits: int, width: int, *, sign: str = "") -> str:
    text = "-" if value is None else f"{value:{sign}.{digits}f}"
    return f"{text:>{width}}"


def _figures_table(bench: Bench) -> Iterator[str]:
    yield f"  {'':20}" + "".join(f"{title:>11}" for _, title, _ in _COLUMNS)
    for name, figures in bench.figures.items():
        cells = (_cell(figures.median(key), digits, 11) for key, _, digits in _COLUMNS)
        yield f"  {name:20}" + "".join(cells)


def _ratios_tables(bench: Bench, measured: Sequence[str]) -> Iterator[str]:
    peers = [
        name
        for name in (C_ECHO, C_RECORDS, AIOHTTP_ECHO, AIOHTTP_ORJSON, GO, NODE)
        if name in bench.figures
    ]
    keys = [f"{chunking} MB/s" for chunking in CHUNKINGS] if "speed" in measured else []
    for key in keys:
        yield ""
        yield f"  {key + ', times':20}" + "".join(f"{peer:>18}" for peer in peers)
        for name, figures in bench.figures.items():
            row = f"  {name:20}"
            for peer in peers:
                own, other = figures.median(key), bench.figures[peer].median(key)
                row += _cell(own / other if own and other else None, 2, 18)
            yield row
    if C_ECHO in peers and "latency" in measured:
        yield ""
        yield f"  {'above the C echo':20}{'p50 µs':>11}{'p99 µs':>11}"
        for name, figures in bench.figures.items():
            row = f"  {name:20}"
            for key in ("p50 µs", "p99 µs"):
                own, other = figures.median(key), bench.figures[C_ECHO].median(key)
                gap = own - other if own is not None and other is not None else None
                row += _cell(gap, 1, 11, sign="+")
            yield row


def _notes(bench: Bench) -> Iterator[str]:
    for name, figures in bench.figures.items():
        for chunking in CHUNKINGS:
            busy = figures.median(f"{chunking} client busy")
            if busy is not None and busy > 0.9:
                yield (
                    f"  note: {name}, {chunking}: the client was busy {busy:.0%} of the time; "
                    "the server may be faster than this"
                )
        if figures.disturbed:
            yield (
                f"  note: {name}: {figures.disturbed} runs stayed disturbed by other processes "
                f"(more than {_DISTURBED:.0%} of all cores)"
            )


def report_text(bench: Bench, options: argparse.Namespace) -> str:
    """Format the medians as a table."""
    mean = len(bench.body) / bench.body.count(b"\n")
    return "\n".join(
        [
            f"{bench.kind}: records of {mean:.1f} bytes, one connection, medians; "
            f"many: {options.millions:g} million records",
            *_figures_table(bench),
            *_ratios_tables(bench, options.measure),
            *_notes(bench),
        ]
    )


def _save(bench: Bench, options: argparse.Namespace, network: str) -> None:
    found = results.document(
        {name: figures.samples for name, figures in bench.figures.items()},
        kind=bench.kind,
        record_bytes=len(bench.body) / bench.body.count(b"\n"),
        versions=versions(),
        network=network,
        options={
            name.replace("_", " "): getattr(options, name)
            for name in ("repetitions", "seconds", "count", "millions", "stop_seconds")
        },
        notes=[line.strip().removeprefix("note: ") for line in _notes(bench)],
    )
    kind = "" if len(options.kinds) == 1 else f"-{bench.kind}"
    results.save(found, options.save, found["date"] + kind)


# ---- command line ----------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.server",
        description="Compare the server with aiohttp, orjson, Go and an echo server in C.",
        epilog=(
            "MB/s counts request body bytes (1 MB is 10^6). 's/GB' is CPU time of the server. "
            "'64K' is HTTP chunks of 64 KiB, 'rec' one record in each HTTP chunk. Latency is the "
            "round trip of a lone record. 'MB stopped' is the most memory held while the client "
            "does not read. A run during which other processes take more than "
            f"{_DISTURBED:.0%} of all cores is made again, three times at most. "
            "Examples: python -m benchmarks.server --repetitions 3; "
            "python -m benchmarks.server --measure latency --servers forstcore 'C echo'"
        ),
    )
    add = parser.add_argument
    records.add_kinds_option(parser, "110")
    add("--servers", nargs="+", metavar="NAME", help="only these servers")
    add("--also", action="append", default=[], metavar="NAME=COMMAND",
        help="an additional server; {port} in the command is replaced by its port")  # fmt: skip
    add("--measure", nargs="+", choices=("speed", "latency", "memory"),
        default=["speed", "latency", "memory"], help="what to measure (default: all)")  # fmt: skip
    add("--repetitions", type=int, default=5, help="processes of each server (default: 5)")
    add("--seconds", type=float, default=1.5, help="length of a speed run (default: 1.5)")
    add("--count", type=int, default=20_000, help="records of a latency run (default: 20000)")
    add("--millions", type=float, default=2.0,
        help="millions of records of a memory run (default: 2)")  # fmt: skip
    add("--stop-seconds", type=float, default=5.0,
        help="seconds for which the client of a memory run stops reading (default: 5)")  # fmt: skip
    add("--json", action="store_true", help="print all samples as one JSON object for each kind")
    add("--save", type=Path, metavar="DIR",
        help="write samples, a table and a chart to this directory, named by date")  # fmt: skip
    return parser


def _chosen(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Server]:
    servers, skipped = contestants()
    for text in options.also:
        name, separator, command = text.partition("=")
        if not separator or "{port}" not in command:
            parser.error(f"--also must be NAME=COMMAND and contain {{port}}, not {text!r}")
        servers.append(Server(name, tuple(command.split())))
    for line in skipped:
        print(line, file=sys.stderr)
    if options.servers is None:
        return servers
    known = {server.name: server for server in servers}
    for name in options.servers:
        if name not in known:
            parser.error(f"--servers: unknown server {name!r}; choose from {', '.join(known)}")
    return [known[name] for name in options.servers]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.repetitions < 1 or options.seconds <= 0 or options.count < 1:
        parser.error("--repetitions, --seconds and --count must be positive")
    network = unpaced_network(sys.argv[1:] if arguments is None else arguments)
    # Raise an exception on SIGTERM, so that the context managers stop the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        build()
        servers = _chosen(parser, options)
        if CORES is None:
            print("server and client share cores: figures are imprecise", file=sys.stderr)
        else:
            os.sched_setaffinity(0, {CORES[1]})
        if not options.json:
            print(f"{versions()}; TCP: {network}", flush=True)
        with tempfile.TemporaryDirectory() as directory:
            for kind in options.kinds:
                bench = Bench(kind, Path(directory), options)
                able = [server for server in servers if server.takes(kind)]
                for server in able:
                    bench.check(server)
                measure_all(bench, able, options)
                if options.json:
                    samples = {name: each.samples for name, each in bench.figures.items()}
                    print(json.dumps({"kind": kind, "samples": samples}), flush=True)
                else:
                    print(report_text(bench, options), flush=True)
                if options.save is not None:
                    _save(bench, options, network)
    except BenchmarkError as error:
        raise SystemExit(f"benchmark: {error}") from None


if __name__ == "__main__":
    main()
