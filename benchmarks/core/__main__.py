"""Compare the speed of the core on one thread with its peers and with plain memory access.

See `python -m benchmarks.core --help`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import records
from benchmarks.core.measuring import TURNS, Plan, Report, measure
from benchmarks.core.peers import peer_versions
from benchmarks.core.tables import markdown, replace_markdown, text_table
from benchmarks.results import machine
from forstcore._proc import scan_paths


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.core",
        description="Compare the core on one thread with JSON parsers, memchr and memcpy.",
        epilog=(
            "GB/s counts input bytes (1 GB is 10^9). 'x memcpy' is the share of the speed at "
            "which this machine copies the same blocks; 'x orjson' is how many times faster than "
            "orjson.loads of each line. Only the ratios travel to other machines. "
            "Results are checked against json before anything is timed. "
            "Example: python -m benchmarks.core --kinds weblog 110 --seconds 6"
        ),
    )
    add = parser.add_argument
    paths = scan_paths()
    records.add_kinds_option(parser, *records.KINDS)
    add("--paths", nargs="+", choices=paths, default=paths[:1], metavar="PATH",
        help=f"scan paths of the core: {', '.join(paths)} (default: the first)")  # fmt: skip
    add("--seconds", type=float, default=2.0,
        help="time for each row and kind (default: %(default)s)")  # fmt: skip
    add("--processes", type=int, default=3,
        help="consecutive processes that share the time (default: %(default)s)")  # fmt: skip
    add("--size", type=int, default=4 << 20,
        help="bytes of input; should exceed the L2 cache (default: %(default)s)")  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    add = form.add_argument
    add("--json", action="store_true", help="print one JSON object for each kind")
    add("--markdown", action="store_true", help="print the table of the README")
    add("--into", type=Path, metavar="DOCUMENT",
        help="replace the table of the core in this document")  # fmt: skip
    return parser


def _show(reports: Sequence[Report], options: argparse.Namespace, software: str) -> None:
    date = time.strftime("%Y-%m-%d")
    table = markdown(reports, options.paths[0], f"{machine()}; {software}", date)
    if options.into is None:
        print(table, end="")
        return
    try:
        options.into.write_text(replace_markdown(options.into.read_text(), table))
    except ValueError as error:
        raise SystemExit(f"{options.into}: {error}") from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.seconds <= 0 or options.processes < 1 or options.size < 1:
        parser.error("--seconds, --processes and --size must be positive")
    plan = Plan(options.paths, options.seconds, options.size, options.processes)
    software = ", ".join([f"Python {platform.python_version()}", *peer_versions()])
    in_document = options.markdown or options.into is not None
    if not in_document and not options.json:
        print(f"{machine()}; {software}; medians of {TURNS * options.processes} turns", flush=True)
    reports = []
    for kind in options.kinds:
        report = measure(kind, plan)
        reports.append(report)
        if options.json:
            print(json.dumps(asdict(report)), flush=True)
        elif not in_document:
            print(f"\n{text_table(report)}", flush=True)
    if in_document:
        for note in dict.fromkeys(note for report in reports for note in report.notes):
            print(note, file=sys.stderr)
        _show(reports, options, software)


if __name__ == "__main__":
    main()
