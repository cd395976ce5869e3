"""The process in which libFuzzer runs a target; started by fuzz.explore."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from fuzz import target

__all__ = ["main"]


def main() -> None:
    """Run the target under libFuzzer, which exits the process."""
    # Imported dynamically: atheris has no type hints and is not installed where mypy runs.
    atheris: Any = importlib.import_module("atheris")
    name = sys.argv.pop(1)
    # The client's reader is written in Python: measure the coverage of its bytecode, too.
    with atheris.instrument_imports(include=["forstcore._client.frame_reader"]):
        check = target(name)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
