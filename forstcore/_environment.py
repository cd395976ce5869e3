"""The environment variable that chooses the scan path when this package is imported."""

from __future__ import annotations

import os
import sys

from forstcore._core.scan_path import use_scan_path

__all__ = ["SCAN_PATH_VARIABLE", "choose_scan_path"]

SCAN_PATH_VARIABLE = "FORSTCORE_SCAN_PATH"
_COMMANDS = ("forstcore", "forstcore.exe", "forstcore-script.py")


def choose_scan_path() -> None:
    """Use the scan path that the environment names.

    Raises:
        ValueError: this CPU has no such path.
        SystemExit: the same, in a command, which prints one line instead.
    """
    name = os.environ.get(SCAN_PATH_VARIABLE)
    if name is None:
        return
    try:
        use_scan_path(name)
    except ValueError as error:
        text = f"{SCAN_PATH_VARIABLE}: {error}"
        if not _is_command():
            raise ValueError(text) from None
        # Commands import this package before any code of theirs could handle an exception.
        print(_as_logged(text), file=sys.stderr)
        raise SystemExit(2) from None


def _is_command() -> bool:
    # Not imported at the top, because it is rarely used.
    from pathlib import Path

    program = Path(sys.argv[0] if sys.argv else "")
    if str(program) == "-m":
        # While Python imports the package of the module that it runs, which is this one or another.
        return "forstcore" in sys.orig_argv
    server = Path(__file__).resolve().parents[1] / "server" / "__main__.py"
    return program.name in _COMMANDS or program.resolve() == server


def _as_logged(text: str) -> str:
    # As above.
    from forstcore._json_log import json_line, wants_json

    line = f"forstcore: {text}"
    return json_line("output", line) if wants_json(sys.argv[1:], os.environ) else line
