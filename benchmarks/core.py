"""Compare the speed of the core on one thread with its peers and with plain memory access.

Every contestant reads the same NDJSON, divided into the same 64 KiB blocks. They run in short
turns in random order, so that changes in the machine's speed affect all of them equally.
Figures are medians of CPU time over turns and fresh processes.
See `python -m benchmarks.core --help`.
"""

import argparse
import gc
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Final, TypedDict

from benchmarks import records

BLOCK_SIZE: Final = 64 * 1024
MEMCPY: Final = "memcpy (memoryview into a 64 KiB buffer)"
MEMCHR: Final = "memchr (bytes.find of an absent byte)"
ORJSON: Final = "orjson (loads + dumps, line by line)"
JSON: Final = "json (loads + dumps, line by line)"
_TURNS: Final = 9

# CPU time of the thread: nothing here waits, so it equals the time on an idle machine, and other
# processes do not affect it. On Windows its resolution is too low.
_clock = time.perf_counter if sys.platform == "win32" else time.thread_time

Pass = Callable[[], object]
"""Runs once over the whole corpus."""


@dataclass(frozen=True)
class Contestant:
    """One row of the table."""

    name: str
    run: Pass
    prepare: Callable[[], object] = bool  # untimed, before each turn
    warm: bool = True  # run once untimed, because it is fast enough to depend on cache content


class Row(TypedDict):
    """Median figures of one contestant."""

    name: str
    gb_per_s: float
    records_per_s: float
    low_gb_per_s: float
    high_gb_per_s: float


class Report(TypedDict):
    """All measurements for one kind of record."""

    kind: str
    records: int
    bytes_in: int
    bytes_out: int
    notes: list[str]
    rows: list[Row]


class Corpus:
    """The input of one kind, divided into blocks and into lines."""

    def __init__(self, kind: str, size: int) -> None:
        self.kind = kind
        self.body = records.make(kind, size)
        self.blocks = records.cut_at_lines(self.body, BLOCK_SIZE)
        self.chunks = records.cut_anywhere(self.body, BLOCK_SIZE)
        self.records = self.body.count(b"\n")


def _memory_contestants(corpus: Corpus) -> list[Contestant]:
    # The destination stays in the L1 or L2 cache, so the figure is that of reading the input once
    # and writing to cached memory.
    room = memoryview(bytearray(max(map(len, corpus.blocks))))
    pairs = [(room[: len(block)], memoryview(block)) for block in corpus.blocks]

    def copy() -> None:
        for target, block in pairs:
            target[:] = block

    def find() -> None:
        for block in corpus.blocks:
            block.find(b"\0")

    return [Contestant(MEMCPY, copy), Contestant(MEMCHR, find)]


def _result(record: dict[str, str]) -> dict[str, str]:
    return {
        "id": record["id"],
        "result": "processed_" + record["data"],
        "status": "success",
    }


def _json_block(block: bytes) -> bytes:
    loads, dumps = json.loads, json.dumps
    out = [
        dumps(_result(loads(line)), separators=(",", ":"), ensure_ascii=False)
        for line in block.split(b"\n")
        if line
    ]
    out.append("")
    return "\n".join(out).encode()


def _json_contestants(corpus: Corpus, notes: list[str]) -> list[Contestant]:
    found = [Contestant(JSON, lambda: [_json_block(block) for block in corpus.blocks], warm=False)]
    try:
        import orjson
    except ImportError:
        notes.append("orjson is not installed: skipped")
        return found

    newline = orjson.OPT_APPEND_NEWLINE

    def orjson_pass() -> None:
        loads, dumps = orjson.loads, orjson.dumps
        for block in corpus.blocks:
            lines = block.split(b"\n")
            lines.pop()
            # Build the dict inline: a function call per record would measure Python, not orjson.
            out = []
            for line in lines:
                record = loads(line)
                result = {
                    "id": record["id"],
                    "result": "processed_" + record["data"],
                    "status": "success",
                }
                out.append(dumps(result, option=newline))
            b"".join(out)

    return [Contestant(ORJSON, orjson_pass), *found]


def _core_contestants(corpus: Corpus, notes: list[str]) -> list[Contestant]:
    try:
        from forstcore import _proc
    except ImportError as error:
        notes.append(f"the core is not built ({error}): only its peers were measured")
        return []

    def blocks() -> None:
        process = _proc.process_block
        for block in corpus.blocks:
            process(block)

    def stream() -> None:
        state = _proc.RecordStream()
        feed = state.feed
        for chunk in corpus.chunks:
            feed(chunk)
        state.finish()

    found: list[Contestant] = []
    for path in _proc.scan_paths():

        def select(path: str = path) -> None:
            _proc.use_scan_path(path)

        found.append(Contestant(f"process_block [{path}]", blocks, select))
        found.append(Contestant(f"RecordStream.feed [{path}]", stream, select))
    return found


def _check(corpus: Corpus) -> int:
    """Compare every path of the core with `json`; return the size of the output."""
    expected = [json.loads(line) for line in _json_block(corpus.body).splitlines()]
    try:
        from forstcore import _proc
    except ImportError:
        return len(_json_block(corpus.body))
    size = 0
    for path in _proc.scan_paths():
        _proc.use_scan_path(path)
        state = _proc.RecordStream()
        streamed = b"".join([*(state.feed(chunk) for chunk in corpus.chunks), state.finish()])
        whole = b"".join(_proc.process_block(block) for block in corpus.blocks)
        if whole != streamed:
            raise SystemExit(f"{corpus.kind}: process_block and feed differ on path {path}")
        if [json.loads(line) for line in whole.split(b"\n")[:-1]] != expected:
            raise SystemExit(f"{corpus.kind}: path {path} gives other results than json")
        size = len(whole)
    return size


def _turn(contestant: Contestant, seconds: float) -> float:
    """Return the seconds of one pass: the mean over a turn."""
    contestant.prepare()
    if contestant.warm:
        contestant.run()
    passes = 0
    start = _clock()
    end = start
    while end - start < seconds or not passes:
        contestant.run()
        passes += 1
        end = _clock()
    return (end - start) / passes


def measure(kind: str, seconds: float, size: int, seed: int) -> tuple[Report, list[list[float]]]:
    """Measure one kind in this process; return its report without rows, and GB/s of all turns."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    corpus = Corpus(kind, size)
    notes: list[str] = []
    bytes_out = _check(corpus)
    contestants = [
        *_memory_contestants(corpus),
        *_core_contestants(corpus, notes),
        *_json_contestants(corpus, notes),
    ]
    speeds: list[list[float]] = [[] for _ in contestants]
    order = list(range(len(contestants)))
    shuffle = Random(seed).shuffle
    gc.collect()
    gc.freeze()
    for _ in range(_TURNS):
        shuffle(order)
        for at in order:
            pass_seconds = _turn(contestants[at], seconds / _TURNS)
            speeds[at].append(len(corpus.body) / pass_seconds / 1e9)
    names = [contestant.name for contestant in contestants]
    report = Report(
        kind=kind,
        records=corpus.records,
        bytes_in=len(corpus.body),
        bytes_out=bytes_out,
        notes=notes,
        rows=[Row(name=n, gb_per_s=0, records_per_s=0, low_gb_per_s=0, high_gb_per_s=0)
              for n in names],
    )  # fmt: skip
    return report, speeds


def measure_in_fresh_processes(kind: str, seconds: float, size: int, processes: int) -> Report:
    """Measure one kind in several consecutive processes and merge their turns.

    The memory layout differs between processes and affects the figures more than noise does.
    """
    context = multiprocessing.get_context("spawn")
    merged: list[list[float]] = []
    report: Report | None = None
    for seed in range(processes):
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
            report, speeds = pool.submit(measure, kind, seconds / processes, size, seed).result()
        merged = [a + b for a, b in zip(merged, speeds, strict=True)] if merged else speeds
    assert report is not None
    for row, turns in zip(report["rows"], merged, strict=True):
        row["gb_per_s"] = statistics.median(turns)
        row["records_per_s"] = row["gb_per_s"] * 1e9 / report["bytes_in"] * report["records"]
        row["low_gb_per_s"], row["high_gb_per_s"] = min(turns), max(turns)
    return report


def table(report: Report) -> str:
    """Format a report as a table."""
    speeds = {row["name"]: row["gb_per_s"] for row in report["rows"]}
    mean = report["bytes_in"] / report["records"]
    out = [
        f"{report['kind']}: {report['records']:,} records of {mean:.1f} bytes, "
        f"{report['bytes_in'] / 1e6:.2f} MB in, {report['bytes_out'] / 1e6:.2f} MB out",
        f"  {'':42}{'GB/s':>8}{'low-high':>17}{'records/s':>14}{'x memcpy':>10}{'x orjson':>10}",
    ]
    for row in report["rows"]:
        orjson = speeds.get(ORJSON)
        span = f"{row['low_gb_per_s']:.3f}-{row['high_gb_per_s']:.3f}"
        ratio = f"{row['gb_per_s'] / orjson:.2f}" if orjson else "-"
        out.append(
            f"  {row['name']:42}{row['gb_per_s']:8.3f}{span:>17}{row['records_per_s']:14,.0f}"
            f"{row['gb_per_s'] / speeds[MEMCPY]:10.3f}{ratio:>10}"
        )
    out.extend(f"  note: {note}" for note in report["notes"])
    return "\n".join(out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.core",
        description="Compare the core on one thread with orjson, json, memchr and memcpy.",
        epilog=(
            "GB/s counts input bytes (1 GB is 10^9). 'x memcpy' is the share of the speed at "
            "which this machine copies the same blocks; 'x orjson' is how many times faster than "
            "a loop of orjson.loads and dumps. Only the ratios travel to other machines. "
            "Results are checked against json before anything is timed. "
            "Example: python -m benchmarks.core --kinds 110 escapes --seconds 6"
        ),
    )
    parser.add_argument(
        "--kinds", nargs="+", choices=records.KINDS, default=list(records.KINDS),
        metavar="KIND", help=f"kinds of records: {', '.join(records.KINDS)} (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=3.0,
        help="time for each contestant and kind (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--processes", type=int, default=3,
        help="number of consecutive processes that share the time (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, default=4 << 20,
        help="bytes of input; should exceed the L2 cache (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object for each kind")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.seconds <= 0 or options.processes < 1 or options.size < 1:
        parser.error("--seconds, --processes and --size must be positive")
    if not options.json:
        print(
            f"Python {platform.python_version()}, {platform.machine()}, {sys.platform}; "
            f"blocks of 64 KiB, medians of {_TURNS * options.processes} turns",
            flush=True,
        )
    for kind in options.kinds:
        report = measure_in_fresh_processes(kind, options.seconds, options.size, options.processes)
        print(json.dumps(report) if options.json else f"\n{table(report)}", flush=True)


if __name__ == "__main__":
    main()
