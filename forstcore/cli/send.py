"""`forstcore send`: files through a server."""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncGenerator
from typing import Literal

import click

from forstcore.cli import _options
from forstcore.cli._clashes import check_names
from forstcore.cli._inputs import Inputs
from forstcore.cli._makers import OnError
from forstcore.cli._transform import Plan, transform
from forstcore.client import ForstStreamingClient, ResultStream, StreamOptions
from forstcore.config import RetryConfig, StreamingConfig

__all__ = ["ServerMaker", "client_of", "command", "split_url"]

_ENDPOINT = "/streaming-process"


class ServerMaker:
    """Make results with a server.

    Args:
        url: its URL, with the path of an endpoint if that is not ``/streaming-process``.
        token: its bearer token.
        ca: PEM file with the authority of its certificate.
        config: sizes and times.
        resume: whether to go on over a new connection when one is lost.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        ca: str | None,
        config: StreamingConfig,
        *,
        resume: bool,
    ) -> None:
        base, self._endpoint = split_url(url)
        self._client = functools.partial(client_of, base, token, ca, config)
        self._resume = resume
        self._results: ResultStream[bytes] | None = None

    @property
    def settled(self) -> int:
        return self._results.lines if self._results else 0

    def results_in(self, chunk: bytes) -> int:
        return chunk.count(b"\n")

    def errors(self) -> None:
        """Not known here: a summary covers its own connection only."""

    async def run(
        self, source: AsyncGenerator[bytes, None], on_error: OnError
    ) -> AsyncGenerator[bytes, None]:
        options = StreamOptions(on_error=on_error, resume=self._resume)
        async with self._client() as client:
            self._results = client.process_streaming_data(self._endpoint, source, options)
            async with self._results as results:
                async for chunk in results:
                    yield chunk


def split_url(url: str) -> tuple[str, str]:
    """Take a URL apart: the server, and the path of the endpoint."""
    if url.startswith("http+unix://"):
        return url, _ENDPOINT
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "http", url
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", f"/{path}" if path else _ENDPOINT


def client_of(
    base: str, token: str | None, ca: str | None, config: StreamingConfig
) -> ForstStreamingClient:
    """Make a client.

    Raises:
        click.UsageError: the URL or the authority cannot be used.
    """
    try:
        tls = ssl.create_default_context(cafile=ca) if ca else None
        return ForstStreamingClient(base, config, token=token, tls=tls)
    except (ValueError, ssl.SSLError) as error:
        raise click.UsageError(str(error)) from None


_EPILOG = """\b
Examples:
  forstcore send http://127.0.0.1:8080 records.ndjson -o results.ndjson
  forstcore send http://127.0.0.1:8080/enrich part-*.ndjson.gz --errors bad.ndjson
  tail -f log.ndjson | forstcore send http://127.0.0.1:8080
"""


@click.command(epilog=_EPILOG)
@_options.url
@_options.input_files
@_options.output
@_options.errors
@_options.on_error
@_options.server
@click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Go on over a new connection when one is lost; each result comes once.",
)
@click.option(
    "--attempts",
    metavar="N",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Attempts without progress before giving up.",
)
@click.option("--compress", is_flag=True, help="Compress what goes over the wire.")
@_options.progress
def command(
    url: str,
    inputs: tuple[str, ...],
    output: str,
    errors: str | None,
    on_error: Literal["skip", "emit", "fail"],
    token: str | None,
    ca: str | None,
    timeout: float,
    resume: bool,
    attempts: int,
    compress: bool,
    progress: bool | None,
) -> None:
    """Send NDJSON files, or standard input, through the server at URL.

    The path of URL is the endpoint, /streaming-process if there is none.
    """
    check_names(inputs or "-", output=output, errors=errors, others=[ca])
    config = StreamingConfig(
        timeout=timeout, compression=compress, retry=RetryConfig(attempts=attempts)
    )
    maker = ServerMaker(url, token, ca, config, resume=resume)
    transform(
        Plan(
            Inputs(inputs),
            output,
            on_error=on_error,
            errors=errors,
            progress=progress,
            verb="sent",
        ),
        maker,
    )
