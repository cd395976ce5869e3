"""Measure all rows of one kind of records in alternation, in several fresh processes.

Every row reads the same NDJSON. The rows run in short turns in random order, so that changes in
the machine's speed affect all of them equally. Figures are medians of CPU time over turns and
processes.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Final

from benchmarks.core.core_rows import core_rows, memory_rows
from benchmarks.core.corpus import Contestant, Corpus
from benchmarks.core.peers import peer_rows

TURNS: Final = 9

# CPU time of the thread: nothing here waits, so it equals the time on an idle machine, and other
# processes do not affect it. On Windows its resolution is too low.
_clock = time.perf_counter if sys.platform == "win32" else time.thread_time


@dataclass
class Report:
    """All measurements for one kind of record."""

    kind: str
    records: int
    bytes_in: int
    notes: list[str]
    speeds: dict[str, list[float]] = field(default_factory=dict)
    """GB/s of each turn, by row."""

    def speed(self, row: str) -> float | None:
        """Return the median speed of a row in GB/s, None if it was not measured."""
        turns = self.speeds.get(row)
        return statistics.median(turns) if turns else None


@dataclass(frozen=True)
class Plan:
    """What to measure, and for how long."""

    paths: Sequence[str]
    """Scan paths of the core."""
    seconds: float
    """Time for each row and kind."""
    size: int
    """Bytes of input."""
    processes: int


def measure(kind: str, plan: Plan) -> Report:
    """Measure one kind in several consecutive processes and merge their turns.

    The memory layout differs between processes and affects the figures more than noise does.
    """
    context = multiprocessing.get_context("spawn")
    merged: Report | None = None
    for seed in range(plan.processes):
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
            report = pool.submit(measure_here, kind, plan, seed).result()
        if merged is None:
            merged = report
        else:
            for name, turns in report.speeds.items():
                merged.speeds[name] += turns
    assert merged is not None
    return merged


def measure_here(kind: str, plan: Plan, seed: int) -> Report:
    """Measure one kind in this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    corpus = Corpus(kind, plan.size)
    notes: list[str] = []
    contestants = [
        *memory_rows(corpus),
        *core_rows(corpus, plan.paths),
        *peer_rows(corpus, notes),
    ]
    report = Report(kind, len(corpus.lines), len(corpus.body), notes)
    report.speeds = {contestant.name: [] for contestant in contestants}
    shuffle = Random(seed).shuffle
    gc.collect()
    gc.freeze()
    for _ in range(TURNS):
        shuffle(contestants)
        for contestant in contestants:
            seconds = _turn(contestant, plan.seconds / plan.processes / TURNS)
            report.speeds[contestant.name].append(len(corpus.body) / seconds / 1e9)
    return report


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
