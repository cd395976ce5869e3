"""Fail if Cython warns about the core or hints that its code could be faster.

Run as a program: Cython has to compile everything anew for it to say all it has to say.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPLAINTS = ("warning:", "performance hint:", "error:")


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        places = ["--build-lib", scratch, "--build-temp", scratch]
        build = subprocess.run(
            [sys.executable, "setup.py", "build_ext", "--force", *places],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    said = [line for line in build.stdout.splitlines() if any(c in line for c in COMPLAINTS)]
    print("\n".join(said) if said else "Cython and the C compiler have nothing to say")
    return 1 if said or build.returncode else 0


if __name__ == "__main__":
    raise SystemExit(main())
