"""Keep a server under mixed load, and check streams and resources.

    python -m tests.soak --minutes 30 --seed 1 --save build/soak

starts a server, lets fast, slow, stopped, compressed, half-duplex, hostile and live clients stream
through it, checks everything they receive, and the resources of the server: memory, descriptors,
threads, tasks, spool files. Exit status 1 means that something was wrong; the output says what.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import forstcore
from tests.soak.bounds import early_rss, late_rss
from tests.soak.samples import Sample
from tests.soak.soak import Soak, soak

_SAMPLES = 600


def main() -> int:
    """Run a soak test, and print the outcome."""
    if sys.platform != "linux":
        print("a soak looks at processes as Linux shows them", file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1, help="seed of the clients' actions")
    parser.add_argument(
        "--growth", type=float, default=10, help="percent by which memory may grow (default: 10)"
    )
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="write soak.json and soak.svg there"
    )
    options = parser.parse_args()
    if options.minutes <= 0:
        parser.error("--minutes must be positive")
    # Raise an exception, so that blocks that end the server are left properly.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    seconds = options.minutes * 60
    try:
        seen = soak(
            seconds,
            options.seed,
            growth=options.growth / 100,
            # More samples would not be visible in a plot, and make it larger.
            interval=max(1, seconds / _SAMPLES),
            tell=_print_sample,
        )
    except KeyboardInterrupt:
        print("soak: interrupted", file=sys.stderr)
        return 130
    if options.save is not None and seen.samples:
        save(seen, options.minutes, options.seed, options.save)
    print(
        f"{sum(seen.streams.values())} streams and other visits were right, "
        f"{seen.after.bytes_in / 1e9:.1f} GB sent:"
    )
    for kind, count in sorted(seen.streams.items()):
        print(f"{count:9}  {kind}")
    _print_sample(seen.idle, "idle: ")
    if seen.samples:
        early, late = early_rss(seen.samples) / 1e6, late_rss(seen.samples) / 1e6
        print(f"memory under load: {early:.1f} MB in the first minutes, {late:.1f} MB in the last")
    _print_sample(seen.after, "after:")
    for reason in seen.reasons:
        print(f"soak: {reason}", file=sys.stderr)
    return 1 if seen.reasons else 0


def save(seen: Soak, minutes: float, seed: int, directory: Path) -> None:
    """Write the samples as JSON, and as a plot."""
    directory.mkdir(parents=True, exist_ok=True)
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "forstcore": forstcore.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {sys.platform}, {os.cpu_count()} cores",
        "minutes": minutes,
        "seed": seed,
    }
    (directory / "soak.json").write_text(json.dumps({**about, **asdict(seen)}) + "\n")
    outcome = f"{len(seen.reasons)} bounds broken" if seen.reasons else "all bounds held"
    title = (
        f"{minutes:g} minutes of mixed load, {sum(seen.streams.values())} visits, "
        f"seed {seed}: {outcome}\n"
        f"forstcore {about['forstcore']}, Python {about['python']}, {about['machine']}, "
        f"{about['date']}"
    )
    # Here, because each process of a test run loads this module, and matplotlib is large.
    from tests.soak.plot import draw

    draw(seen, title, directory / "soak.svg")


def _print_sample(sample: Sample, when: str = "") -> None:
    print(
        f"{when or f'{sample.seconds / 60:5.1f}'} {sample.rss / 1e6:6.1f} MB  "
        f"{sample.descriptors:3} descriptors  {sample.threads:2} threads  {sample.tasks:3} tasks  "
        f"{sample.streams:3} streams  {sample.queued / 1e6:5.1f} MB queued  "
        f"{sample.spooled / 1e6:5.1f} MB spooled",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
