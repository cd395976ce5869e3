"""One soak: a server, a load on it, and whether it held its bounds."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.servers import ROOT, Server, launch
from tests.soak.bounds import broken_bounds
from tests.soak.corpus import make_corpus
from tests.soak.hostile import HOSTILE
from tests.soak.live import LIVE
from tests.soak.load import Load
from tests.soak.samples import Sample, Sampler, take
from tests.soak.streams import STREAMS

__all__ = ["Soak", "soak"]

_WORKERS = 4
_PROCESSORS = 3  # enrich, look-up, and the built-in one over several workers.
# Those of the event loop, for files, are as many as Python makes.
_POOLS = _WORKERS * _PROCESSORS + min(32, (os.cpu_count() or 1) + 4)
_MOST_LINES = 200  # Of the server's complaints.
_COMPILED = re.compile(r"processor '[^']+': (not )?compiled\b")
_SETTLE = 30.0  # Seconds in which everything may come back.
_SHORT = ("--stall", "1", "--header-timeout", "5", "--drain-timeout", "5", "--timeout", "20")
# Small, so that what may grow has grown within the first minutes.
_SMALL = ("--ring-size", str(4 << 20), "--queue-size", "65536", "--max-spool-size", str(64 << 20))


@dataclass
class Soak:
    """The results of a soak.

    Attributes:
        idle: before the load.
        samples: under the load.
        after: when all streams were closed.
        streams: streams that went as they should, by kind of client.
        reasons: why it failed; empty if it did not.
    """

    idle: Sample
    samples: list[Sample]
    after: Sample
    streams: dict[str, int]
    reasons: list[str]


def soak(
    seconds: float,
    seed: int,
    *,
    growth: float = 0.1,
    interval: float = 1.0,
    tell: Callable[[Sample], object] = bool,
) -> Soak:
    """Put a server under mixed load, let all streams end, and check its resources.

    Args:
        seconds: how long the load lasts.
        seed: what clients do follows from it, but for the timing.
        growth: share by which memory may grow after the first minutes.
        interval: seconds between looks at the server.
        tell: called with a sample about every minute.
    """
    with tempfile.TemporaryDirectory() as spool, _running(spool) as (server, complaints):
        idle = take(server, time.monotonic())
        load = Load((server.host, server.port), make_corpus(seed, 24), seed)
        with Sampler(server, interval) as sampler:
            try:
                load.start((*STREAMS, *LIVE, *HOSTILE))
                _wait(load, sampler, seconds, tell)
            finally:
                load.end()
        after = _settled(server, idle, sampler.started)
        seen = Soak(idle, sampler.samples, after, dict(load.streams), list(load.failures))
        if sampler.error is not None:
            seen.reasons.append(f"the server could not be looked at: {sampler.error!r}")
        else:
            seen.reasons += broken_bounds(idle, seen.samples, after, growth=growth, pools=_POOLS)
        if status := server.stop():
            seen.reasons.append(f"the server ended with status {status}")
    if complaints:
        seen.reasons.append("the server complained:\n" + "".join(complaints))
    return seen


@contextlib.contextmanager
def _running(spool: str) -> Iterator[tuple[Server, list[str]]]:
    """Run a server; collect its standard error, which should be empty."""
    server = launch(
        *("--no-access-log", "--spool-dir", spool, "--workers", str(_WORKERS)),
        *("--processors", str(ROOT / "examples" / "processors.py")),
        *_SHORT,
        *_SMALL,
    )
    said: list[str] = []

    def read() -> None:
        assert server.process.stderr is not None
        for line in server.process.stderr:
            # At the start it logs for each processor whether it is compiled.
            if len(said) < _MOST_LINES and not _COMPILED.match(line):
                said.append(line)

    # A pipe that nobody reads would stop the server when it is full.
    reading = threading.Thread(target=read)
    reading.start()
    with server.process:
        try:
            yield server, said
        finally:
            server.process.kill()
            reading.join()


def _wait(load: Load, sampler: Sampler, seconds: float, tell: Callable[[Sample], object]) -> None:
    deadline = sampler.started + seconds
    while (left := deadline - time.monotonic()) > 0 and sampler.error is None:
        if not load.pause(min(left, 60)):
            return
        if sampler.samples:
            tell(sampler.samples[-1])


def _settled(server: Server, idle: Sample, started: float) -> Sample:
    """Look again and again until everything has come back, or has had its time for that."""
    deadline = time.monotonic() + _SETTLE
    while True:
        sample = take(server, started)
        back = all(
            getattr(sample, name) <= getattr(idle, name)
            for name in ("streams", "queued", "spooled", "descriptors", "tasks")
        )
        if back or time.monotonic() > deadline:
            return sample
        time.sleep(0.2)
