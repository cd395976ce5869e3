"""List the tests that failed in the last run of pytest; exit with 1 if too many or none did."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

_LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")


def main() -> int:
    """Print one line for each failed test, and compare their number with ``--most``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, required=True, help="how many may have failed")
    most: int = parser.parse_args().most
    failed = list(json.loads(_LAST_FAILED.read_text())) if _LAST_FAILED.exists() else []
    for name in failed:
        print(f"FAILED beside other tests: {name}")
    return 0 if 0 < len(failed) <= most else 1


if __name__ == "__main__":
    sys.exit(main())
