"""Restart servers one after the other under mixed load, and check that nothing is lost.

    python -m tests.rolling --minutes 15

Two servers behind nginx and HAProxy, with the configurations in deploy/, and Redis as their source.
Exit status 1 means that something was lost, duplicated or out of order.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.rolling.run import roll


def main() -> int:
    """Run, and print the counts."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.rolling", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=2, help="rolling restarts (default: 2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        seen = roll(Path(directory), options.minutes * 60, options.rounds, tell=print)
    print(f"{seen.restarts} servers restarted; records, requests and resumed connections:")
    for name, count in sorted(seen.counts.items()):
        print(f"{count:9} {seen.resumed[name]:4}  {name}")
    for failure in seen.failures:
        print(f"rolling: {failure}", file=sys.stderr)
    return 1 if seen.failures else 0


if __name__ == "__main__":
    sys.exit(main())
