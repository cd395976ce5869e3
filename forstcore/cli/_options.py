"""Options shared by several commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from forstcore.config import StreamingConfig, StreamLimits, options_of
from forstcore.wire import ON_ERROR_MODES

__all__ = [
    "declared",
    "errors",
    "input_files",
    "max_line_size",
    "on_error",
    "output",
    "progress",
    "server",
    "server_url",
    "source",
    "url",
]

Decorated = Callable[..., Any]


def declared(config: type, name: str) -> dict[str, Any]:
    """Return the type, range and default of a numeric option from its configuration class."""
    for each, kind, limits in options_of(config):
        if each.name == name:
            kinds: dict[type, Any] = {int: click.IntRange, float: click.FloatRange}
            return {"type": kinds[kind](limits.lowest, limits.highest), "default": each.default}
    raise LookupError(name)


input_files = click.argument(
    "inputs",
    metavar="[IN]...",
    nargs=-1,
    type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True),
)
output = click.option(
    "-o",
    "--output",
    metavar="OUT",
    default="-",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="File for the results, written atomically; its suffix determines the format, and .gz and "
    ".zst compress. Default: standard output.",
)
errors = click.option(
    "--errors",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write each rejected line to this file, for `forstcore replay`. Its old content is kept "
    "until the first line is rejected, or until the command succeeds.",
)
on_error = click.option(
    "--on-error",
    type=click.Choice(ON_ERROR_MODES),
    default=ON_ERROR_MODES[0],
    show_default=True,
    help="Drop and count invalid lines, put error lines in their place, or stop.",
)
progress = click.option(
    "--progress/--no-progress",
    default=None,
    help="Show progress on standard error. Default: if that is a terminal.",
)
max_line_size = click.option(
    "--max-line-size",
    metavar="BYTES",
    **declared(StreamLimits, "max_line_size"),
    show_default=True,
    help="A longer line is an error.",
)
url = click.argument("url", metavar="URL")
source = click.argument("source", metavar="SOURCE")
server_url = click.option(
    "--server",
    metavar="URL",
    default="http://127.0.0.1:8080",
    envvar="FORSTCORE_SERVER",
    show_default=True,
    show_envvar=True,
    help="The server.",
)


def server(command: Decorated) -> Decorated:
    """Add the options of commands that connect to a server."""
    for option in (
        click.option(
            "--token",
            metavar="TOKEN",
            envvar="FORSTCORE_TOKEN",
            help="Bearer token of the server. Better: the variable FORSTCORE_TOKEN, which "
            "others cannot see.",
        ),
        click.option(
            "--ca",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False),
            help="PEM file with the certificate authority of the server.",
        ),
        click.option(
            "--timeout",
            metavar="SECONDS",
            **declared(StreamingConfig, "timeout"),
            show_default=True,
            help="Give up when there is no progress for so long.",
        ),
    ):
        command = option(command)
    return command
