"""`forstcore serve`: the server, as `python -m server`."""

from __future__ import annotations

import runpy
import signal
import sys

import click

__all__ = ["command"]


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def command(options: tuple[str, ...]) -> None:
    """Run the server; `forstcore serve --help` lists its options."""
    # It has its own way with signals.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.argv[1:] = options
    runpy.run_module("server", run_name="__main__", alter_sys=True)
