"""The command line, `forstcore`: one module for each command."""

from __future__ import annotations

from collections.abc import Sequence

from forstcore._importing import without_collecting
from forstcore.cli._signals import end_at_once

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the command line; None for `sys.argv`.

    Returns:
        The exit status.
    """
    end_at_once()
    with without_collecting():
        from forstcore.cli._main import run

    return run(arguments)
