"""The process in which libFuzzer runs a target; started by fuzz.explore."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from fuzz import target

__all__ = ["main"]


def main() -> None:
    """Hand the target over to libFuzzer, which ends the process."""
    # It has no types, and is not there where types are checked.
    atheris: Any = importlib.import_module("atheris")
    name = sys.argv.pop(1)
    # The client's reader is Python: the coverage of its bytecode counts as well.
    with atheris.instrument_imports(include=["forstcore._client.frame_reader"]):
        check = target(name)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
