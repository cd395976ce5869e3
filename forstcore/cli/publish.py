"""`forstcore publish`: publish files to a source of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import aiohttp
import click

from forstcore import wire
from forstcore.cli import _formats, _options
from forstcore.cli._inputs import Inputs
from forstcore.cli._path_checks import check_paths
from forstcore.cli._progress import Progress, ProgressCounts
from forstcore.cli._server_requests import request_json
from forstcore.cli.send import client_of
from forstcore.client import ForstStreamingClient
from forstcore.config import StreamingConfig
from forstcore.errors import StreamFailedError
from forstcore.formats import Format

__all__ = ["command"]

_EPILOG = """\b
Examples:
  forstcore publish events records.ndjson
  sensors | forstcore publish sensor-data --server http://127.0.0.1:8080
"""


@click.command(epilog=_EPILOG)
@_options.source
@_options.input_files
@_formats.input_format
@_options.server_url
@_options.server
@click.option(
    "--on-error",
    type=click.Choice(wire.PUBLISH_ON_ERROR_MODES),
    default=wire.PUBLISH_ON_ERROR_MODES[0],
    show_default=True,
    help="Drop and count lines that are not JSON objects, or stop at the first.",
)
@_options.progress
def command(
    source: str,
    inputs: tuple[str, ...],
    input_format: Format | None,
    server: str,
    token: str | None,
    ca: str | None,
    timeout: float,
    on_error: str,
    progress: bool | None,
) -> None:
    """Publish NDJSON files, or standard input, to SOURCE of a server, in memory or at a broker."""
    check_paths(inputs or "-", others=[ca])
    asyncio.run(
        _publish(
            source, Inputs(inputs, input_format), server, token, ca, timeout, on_error, progress
        )
    )


async def _publish(
    source: str,
    inputs: Inputs,
    server: str,
    token: str | None,
    ca: str | None,
    patience: float,
    on_error: str,
    shown: bool | None,
) -> None:
    counts = ProgressCounts()
    progress = Progress(inputs, counts, shown)
    failure: Exception | None = None

    async def body() -> AsyncGenerator[bytes, None]:
        nonlocal failure
        # aiohttp sends the headers with the first piece, even an empty one.
        yield b""
        try:
            async with aclosing(inputs.read()) as pieces:
                async for _, piece in pieces:
                    yield piece
                    counts.bytes_in += len(piece)
                    counts.results += piece.count(b"\n")
                    progress.tick()
        except Exception as error:
            # aiohttp would swallow an exception here. Lines sent so far stay published.
            failure = error

    async with client_of(server, token, ca, StreamingConfig(timeout=patience)) as client:
        answer = await _post(client, f"/sources/{source}", body(), token, on_error, patience)
    if failure is not None:
        progress.clear()
        raise failure
    counts.results = answer["records"]
    counts.errors = lambda: {"invalid": answer["errors"]} if answer["errors"] else {}
    progress.end("published")


async def _post(
    client: ForstStreamingClient,
    endpoint: str,
    body: AsyncGenerator[bytes, None],
    token: str | None,
    on_error: str,
    patience: float,
) -> dict[str, int]:
    headers = {"Content-Type": wire.NDJSON, wire.FORST_ON_ERROR: on_error}
    limits = aiohttp.ClientTimeout(total=None, sock_connect=patience)
    try:
        found: dict[str, int] = await request_json(
            client, "POST", endpoint, token=token, limits=limits, headers=headers, body=body
        )
        return found
    except (aiohttp.ClientError, OSError) as error:
        raise StreamFailedError("unreachable", f"{client.target}: {error}") from error
