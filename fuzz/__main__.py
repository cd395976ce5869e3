"""Check inputs with the current build: `python -m fuzz TARGET FILE...`.

Needs neither clang nor sanitizers. Use it to reproduce a finding, also under a debugger.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fuzz import TARGETS, target

__all__ = ["main"]


def main() -> None:
    """Check each file; raise the error of the first finding."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Check inputs.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    check = target(arguments.target)
    for path in arguments.files:
        check(path.read_bytes())
        print(f"{path}: no finding")


if __name__ == "__main__":
    main()
