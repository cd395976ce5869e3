"""`forstcore serve`: run the server."""

from __future__ import annotations

import signal

import click

from forstcore.cli._signals import end_at_once
from server.cli import main

__all__ = ["command"]


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def command(options: tuple[str, ...]) -> int:
    """Run the server; `forstcore serve --help` lists its options."""
    # The server installs its own signal handlers.
    end_at_once()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return main(options)
