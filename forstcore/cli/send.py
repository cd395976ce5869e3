"""`forstcore send`: process files with a server."""

from __future__ import annotations

import functools
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing

import click

from forstcore._core.rejected import RejectedLine
from forstcore._io.line_file import LineFile
from forstcore.cli import _formats, _options
from forstcore.cli._inputs import Inputs
from forstcore.cli._path_checks import check_paths
from forstcore.cli._runner import Pieces
from forstcore.cli._sent_lines import SentLines
from forstcore.cli._transform import TransformOptions, transform
from forstcore.client import ErrorLine, ForstStreamingClient, StreamOptions
from forstcore.config import RetryConfig, StreamingConfig, StreamLimits
from forstcore.errors import RecordError, StreamFailedError
from forstcore.formats import Format
from forstcore.wire import OnError, StreamErrorCode

__all__ = ["ServerRunner", "client_of", "command", "split_url"]

_ENDPOINT = "/streaming-process"


class ServerRunner:
    """Process the input with a server.

    Args:
        url: its URL, with the path of an endpoint if that is not ``/streaming-process``.
        token: its bearer token.
        ca: PEM file with the certificate authority.
        config: sizes and timeouts.
        max_line_size: maximum bytes to keep of a rejected line.
        resume: whether to resume over a new connection when one is lost.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        ca: str | None,
        config: StreamingConfig,
        *,
        max_line_size: int = StreamLimits.max_line_size,
        resume: bool,
    ) -> None:
        base, self._endpoint = split_url(url)
        self._client = functools.partial(client_of, base, token, ca, config)
        self._max_line_size = max_line_size
        self._resume = resume
        self._codes: Counter[str] = Counter()
        self._given_back = 0
        self.rejected: Iterable[RejectedLine] = ()

    def results_in(self, chunk: bytes) -> int:
        return 0 if isinstance(chunk, ErrorLine) else chunk.count(b"\n")

    def errors(self) -> dict[str, int]:
        return self._codes

    def given_back(self) -> int:
        return self._given_back

    async def run(
        self, source: Pieces, on_error: OnError, *, keep_rejected: bool
    ) -> AsyncGenerator[bytes, None]:
        sent = SentLines(self._max_line_size) if keep_rejected else None
        # A summary covers only its own connection and does not count errors by code.
        mode: OnError = "emit" if on_error == "skip" else on_error
        options = StreamOptions(on_error=mode, resume=self._resume)
        settled = 0
        last: RecordError | None = None
        async with self._client() as client, aclosing(_kept(source, sent)) as pieces:
            stream = client.process_streaming_data(self._endpoint, pieces, options)
            try:
                async with stream as results:
                    async for chunk in results:
                        self.rejected = ()
                        if isinstance(chunk, ErrorLine):
                            last = self._reject(chunk, sent)
                            if on_error == "skip":
                                chunk = b""
                        yield chunk
                        # Delayed by one iteration: results of a line may arrive in several pieces.
                        if sent is not None and settled != stream.lines:
                            sent.forget(settled)
                            settled = stream.lines
                    # A summary covers only its own connection.
                    if stream.summary is not None and stream.connections == 1:
                        self._given_back = stream.summary.get("given_back", 0)
            except StreamFailedError as error:
                if error.code == StreamErrorCode.BAD_RECORD.value and last is not None:
                    # The server only says that it was the last line.
                    raise last from None
                raise

    def _reject(self, line: ErrorLine, sent: SentLines | None) -> RecordError:
        error = line.members()
        self._codes[error["code"]] += 1
        if sent is not None:
            raw = sent.line(error["line"])
            at = error["line"], error["offset"]
            self.rejected = [RejectedLine(*at, error["code"], error["message"], raw)]
        return RecordError(error["code"], error["message"], error["line"], error["offset"])


async def _kept(source: Pieces, sent: SentLines | None) -> AsyncGenerator[bytes, None]:
    async for piece in source if isinstance(source, AsyncIterable) else _later(source):
        if sent is not None:
            sent.add(piece)
        yield piece


async def _later(source: Iterable[bytes | LineFile]) -> AsyncGenerator[bytes, None]:
    for piece in source:
        if isinstance(piece, bytes):
            yield piece


def split_url(url: str) -> tuple[str, str]:
    """Split a URL into the server and the path of the endpoint."""
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
    """Create a client.

    Raises:
        click.UsageError: the URL or the certificate authority is invalid.
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
@_formats.input_format
@_options.output
@_formats.output_format
@_options.errors
@_options.on_error
@_options.server
@click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Continue over a new connection when one is lost; each result arrives once.",
)
@click.option(
    "--attempts",
    metavar="N",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Attempts without progress before giving up.",
)
@click.option("--compress", is_flag=True, help="Compress requests and responses.")
@_options.progress
def command(
    url: str,
    inputs: tuple[str, ...],
    input_format: Format | None,
    output: str,
    output_format: Format | None,
    errors: str | None,
    on_error: OnError,
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
    kind = _formats.format_named(output, output_format, "--format")
    check_paths(inputs or "-", output=output, errors=errors, others=[ca])
    config = StreamingConfig(
        timeout=timeout, compression=compress, retry=RetryConfig(attempts=attempts)
    )
    read = Inputs(inputs, input_format)
    runner = ServerRunner(url, token, ca, config, resume=resume)
    transform(
        TransformOptions(
            read,
            output,
            kind,
            on_error=on_error,
            errors=errors,
            progress=progress,
            verb="sent",
        ),
        runner,
    )
