"""Run chaos tests from the command line.

    python -m tests.chaos --pair kafka-redis --records 1000000 --kills 20 --seed 1

The same seed gives the same events, but their timing relative to the processes varies.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import PAIRS, SHARED_PAIRS, Report, run


def main() -> int:
    """Run chaos tests; return 1 if something was violated."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument(
        "--pair", nargs="+", choices=PAIRS, default=PAIRS, metavar="SOURCE-SINK",
        help=f"pairs, by default all of {', '.join(PAIRS)}",
    )  # fmt: skip
    parser.add_argument(
        "--members", type=int, default=1, metavar="N",
        help="processes that run the pipeline together, for a group and a sink that is no file",
    )  # fmt: skip
    parser.add_argument("--records", type=int, default=1_000_000, help="records for each pair")
    parser.add_argument("--kills", type=int, default=20, help="number of events")
    parser.add_argument("--seed", type=int, default=1, help="seed of the events")
    parser.add_argument("--show", action="store_true", help="print all events")
    options = parser.parse_args()
    if options.members > 1:
        if options.pair == PAIRS:
            options.pair = SHARED_PAIRS
        if alone := set(options.pair) - set(SHARED_PAIRS):
            parser.error(f"--members: only one process can run {', '.join(sorted(alone))}")
    # As on Ctrl-C, end the started processes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reports = [_run(pair, options) for pair in options.pair]
    return 1 if any(report.wrong for report in reports) else 0


def _run(pair: str, options: argparse.Namespace) -> Report:
    directory = Path(tempfile.mkdtemp(prefix="forst-chaos-"))
    report = None
    try:
        report = run(pair, options.records, options.kills, options.seed, directory, options.members)
        print(report, flush=True)
        if options.show or report.wrong:
            print(*(f"  {event}" for event in report.events), sep="\n", flush=True)
    finally:
        if report is not None and report.wrong:
            print(f"  its files are kept in {directory}", flush=True)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return report


if __name__ == "__main__":
    sys.exit(main())
