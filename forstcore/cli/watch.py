"""`forstcore watch`: show the results of a source as they arrive."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import click

from forstcore._io.json_lines import dump_line
from forstcore.cli import _options
from forstcore.cli._filters import filter_option
from forstcore.cli._path_checks import check_paths
from forstcore.cli._table import LiveTable
from forstcore.cli.send import client_of
from forstcore.client import ForstStreamingClient
from forstcore.config import RetryConfig, StreamingConfig

__all__ = ["command"]

_EVERY = 0.2  # Seconds between redraws of the table.
_EPILOG = """\b
Examples:
  forstcore watch sensor-data --filter temperature=high
  forstcore watch events --from start --processor pass | jq .id

A value is JSON if it can be parsed as JSON, otherwise text: level=3 is a
number, 'level="3"' is not.
"""


@click.command(epilog=_EPILOG)
@_options.source
@_options.server_url
@_options.server
@filter_option("Show")
@click.option(
    "--from",
    "start",
    metavar="OFFSET",
    default="now",
    show_default=True,
    help="Where to start: an offset, 'start' or 'now'.",
)
@click.option(
    "--processor", metavar="NAME", help="The server's processor; 'pass' for unprocessed records."
)
@click.option(
    "--table/--lines",
    default=None,
    help="A live table, or NDJSON. Default: a table if standard output is a terminal.",
)
@click.option(
    "--count",
    metavar="N",
    type=click.IntRange(1),
    help="End after this many results. Default: never.",
)
def command(
    source: str,
    server: str,
    token: str | None,
    ca: str | None,
    timeout: float,
    filters: dict[str, Any],
    start: str,
    processor: str | None,
    table: bool | None,
    count: int | None,
) -> None:
    """Show the results of SOURCE as they arrive."""
    check_paths((), others=[ca], uses_stdout=True)
    wanted = {"source": source, "filters": filters, "from": start}
    if processor:
        wanted["processor"] = processor
    with ExitStack() as stack:
        live = None
        if sys.stdout.isatty() if table is None else table:
            live = stack.enter_context(LiveTable(f"{source} at {server}"))
        client = client_of(
            server, token, ca, StreamingConfig(timeout=timeout, retry=RetryConfig(attempts=10))
        )
        asyncio.run(_watch(client, wanted, live, count))


async def _watch(
    client: ForstStreamingClient,
    wanted: Mapping[str, Any],
    live: LiveTable | None,
    count: int | None,
) -> None:
    drawing = asyncio.create_task(_draw(live)) if live else None
    seen = 0
    try:
        async with client, client.follow_forst("/real-time-process", wanted) as results:
            async for result in results:
                if live:
                    live.add(result)
                else:
                    sys.stdout.buffer.write(dump_line(result))
                    sys.stdout.buffer.flush()
                seen += 1
                if seen == count:
                    return
    finally:
        if drawing:
            drawing.cancel()


async def _draw(live: LiveTable) -> None:
    while True:
        live.draw()
        await asyncio.sleep(_EVERY)
