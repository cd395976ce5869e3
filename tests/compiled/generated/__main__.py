"""Explore generated functions: see `--help`."""

from __future__ import annotations

import argparse
import logging
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.compiled.generated.exploring import Totals, check, pair_of
from tests.compiled.generated.shrinking import shrink

_LONGEST: Final = 120  # Seconds of a function: re may take hours for a pattern.


class _TooSlow(BaseException):
    """A function takes too long."""


@contextmanager
def _limited_time() -> Iterator[None]:
    """Raise _TooSlow if what is done takes too long, where there are alarms."""

    def stop(number: int, frame: object) -> None:
        raise _TooSlow

    if sys.platform == "win32":
        yield
        return
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(_LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)


def _explore(options: argparse.Namespace) -> int:
    """Explore in this process; print each difference, and the seed before each function."""
    if sys.platform != "win32" and options.memory:
        # Functions that are made smaller may need more memory than there is.
        resource.setrlimit(resource.RLIMIT_AS, (options.memory, options.memory))
    totals = Totals()
    differences = 0
    with tempfile.TemporaryDirectory() as directory:
        where = Path(directory)
        for number in range(options.first, options.first + options.functions):
            seed = f"{options.seed}/{number}"
            options.at.write_text(seed)
            try:
                with _limited_time():
                    found = check(*pair_of(seed, options.records), where, totals)
            except _TooSlow:
                print(f"== {seed}\nleft out: it took longer than {_LONGEST} seconds", flush=True)
                continue
            if found is not None:
                differences += 1
                print(f"== {seed}\n{found if options.whole else shrink(found, where)}", flush=True)
    print(totals, flush=True)
    if options.reasons:
        for reason, count in totals.reasons.most_common(40):
            print(f"{count:7} {reason}")
    return 1 if differences else 0


def main() -> int:
    """Explore until the time is over, in child processes that may crash."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.compiled.generated",
        description="Compare random functions with what they are compiled to.",
    )
    parser.add_argument("--seed", default="1", help="reproduces a run (default: 1)")
    parser.add_argument("--first", type=int, default=0, help="number of the first function")
    parser.add_argument("--functions", type=int, default=500, help="of a child (default: 500)")
    parser.add_argument("--records", type=int, default=600, help="of a function (default: 600)")
    parser.add_argument("--seconds", type=float, default=0, help="0: one child, in this process")
    parser.add_argument("--memory", type=int, default=4 << 30, help="most bytes; 0: any number")
    parser.add_argument("--whole", action="store_true", help="do not make differences smaller")
    parser.add_argument("--reasons", action="store_true", help="why functions do not compile")
    parser.add_argument("--at", type=Path, default=Path("/dev/null"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if not options.seconds:
        return _explore(options)
    failed = 0
    end = time.monotonic() + options.seconds
    first = options.first
    with tempfile.TemporaryDirectory() as directory:
        at = Path(directory, "at")
        while time.monotonic() < end:
            arguments = [f"--seed={options.seed}", f"--first={first}", f"--at={at}"]
            arguments += [f"--functions={options.functions}", f"--records={options.records}"]
            arguments += [f"--memory={options.memory}"]
            command = [sys.executable, "-m", "tests.compiled.generated", *arguments]
            status = subprocess.run(command, check=False).returncode
            if status < 0:
                print(f"== {at.read_text()}\ncrashed with signal {-status}", flush=True)
            failed |= status
            first += options.functions
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
