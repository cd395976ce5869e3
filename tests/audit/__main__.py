"""Run audits from the command line.

    python -m tests.audit --seed 1 --minutes 1

The same seed gives the same plan, but its timing relative to the processes varies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.audit.plan import Plan
from tests.audit.processes import can_mount, fake_clock_library
from tests.audit.report import Report
from tests.audit.run import run


def main() -> int:
    """Run an audit; return 1 if something was violated."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.audit", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the plan")
    parser.add_argument("--minutes", type=float, default=1.0, help="duration of the faults")
    parser.add_argument("--plan", action="store_true", help="print the plan, and exit")
    options = parser.parse_args()
    missing = []
    if not can_mount():
        missing.append("full disks (needs root, or user namespaces, and unshare)")
    if fake_clock_library() is None:
        missing.append("clocks that jump (needs libfaketime)")
    plan = Plan.draw(options.seed, options.minutes * 60).with_what_there_is(
        fake_clock=fake_clock_library() is not None, tiny_disk=can_mount()
    )
    print(plan, *(f"left out: {each}" for each in missing), sep="\n", flush=True)
    if options.plan:
        return 0
    directory = Path(tempfile.mkdtemp(prefix="forst-audit-"))
    keep = True
    try:
        report = asyncio.run(_run(plan, directory))
        print(report, flush=True)
        keep = not report.good
    except (KeyboardInterrupt, asyncio.CancelledError):
        keep = False
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        if keep:
            print(f"the logs are kept in {directory}", flush=True)
        else:
            with contextlib.suppress(OSError):
                shutil.rmtree(directory)
    return 0 if report.good else 1


async def _run(plan: Plan, directory: Path) -> Report:
    task = asyncio.current_task()
    assert task is not None
    # As on Ctrl-C, end the started processes.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(plan, directory)


if __name__ == "__main__":
    sys.exit(main())
