"""The client: stream records to a server and receive results at the same time."""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, BinaryIO, Literal, Protocol, Self, TypeAlias, TypeVar, get_args

import aiohttp

from forstcore import wire
from forstcore._client.frame_reader import ErrorLine, Summary
from forstcore._client.results import ResultStream
from forstcore._client.server_address import ServerAddress
from forstcore._client.stream_request import Document, StreamRequest
from forstcore._client.subscription import Subscription
from forstcore._client.transfer import Transfer
from forstcore._client.upload import Upload
from forstcore._io.chunker import group
from forstcore._io.json_lines import dump_line, load_lines
from forstcore.config import StreamingConfig
from forstcore.errors import StreamFailedError
from forstcore.records import MarkedError, ProcessedRecord

__all__ = [
    "ErrorLine",
    "ForstStreamingClient",
    "Frames",
    "Input",
    "ResultStream",
    "StreamOptions",
    "Summary",
]

T = TypeVar("T")


class _AsyncReader(Protocol):
    async def read(self, n: int, /) -> bytes: ...


Bytes: TypeAlias = bytes | bytearray | memoryview
Item: TypeAlias = Mapping[str, Any] | Bytes
Input: TypeAlias = Iterable[Item] | AsyncIterable[Item] | Bytes | BinaryIO | _AsyncReader
"""What can be streamed: records, or chunks of NDJSON, from an iterable or an async iterable; or
NDJSON as bytes, from a file, or from a stream."""
Frames: TypeAlias = Literal["required", "auto"]
"""Whether a server has to send control lines."""


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """Options of one stream, which override the client's configuration.

    Attributes:
        headers: additional request headers.
        timeout: seconds; the configuration's if None.
        chunk_size: bytes; the configuration's if None.
        on_error: what to do with a line that is not a record: ``skip`` drops and counts it,
            ``emit`` puts an `ErrorRecord` in its place, ``fail`` ends the stream with one;
            `is_error` distinguishes it from a result.
        resume: whether to keep lines until they are acknowledged, and to send them again over a
            new connection when one is lost: each result comes once and in order. If None, only
            `StreamingIntegration.process_large_dataset` does so. Side effects of the server's
            processor may happen twice.
        frames: ``required`` for a forstcore server, whose control lines prove that nothing is
            missing. ``auto`` for any server that answers NDJSON with NDJSON: its response is
            complete if HTTP says so. Such a server sends no acknowledgements, so a lost connection
            fails the stream: it is unknown which records were processed.

    Raises:
        ValueError: `frames` is neither, or ``auto`` together with `resume`.

    Thread-safety: immutable.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    chunk_size: int | None = None
    on_error: wire.OnError = "skip"
    resume: bool | None = None
    frames: Frames = "required"

    def __post_init__(self) -> None:
        if self.frames not in get_args(Frames):
            raise ValueError(f"frames must be 'required' or 'auto', not {self.frames!r}")
        if self.resume and self.frames == "auto":
            raise ValueError(
                "resume needs the acknowledgements of frames='required': without them the "
                "client does not know where to resume"
            )


class ForstStreamingClient:
    """Stream records through a server.

    Use it with `async with`, or call `aclose()`. Scripts that iterate with `for` need neither.

    Args:
        base_url: ``http://…``, ``https://…`` or ``http+unix:///path/of/the.sock``.
        config: sizes, timeouts and retries.
        token: the server's bearer token.
        tls: TLS context, for custom certificate authorities or a client certificate.

    Attributes:
        config: the configuration.
        target: the server's address.

    Raises:
        ValueError: the URL is none of these.

    Thread-safety: belongs to the event loop of its first stream.
    """

    def __init__(
        self,
        base_url: str,
        config: StreamingConfig | None = None,
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.config = config or StreamingConfig()
        self.target = ServerAddress(base_url, token, tls)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transfers: weakref.WeakSet[Transfer] = weakref.WeakSet()

    def stream_to_forst(
        self, endpoint: str, records: Input, options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Stream records to an endpoint; iterate over their results.

        Results arrive while records are still being sent. Records are grouped into chunks, but are
        never delayed for that: when an async producer pauses, its records are sent at once. A
        sync producer runs in the thread of the event loop, and blocks it while it waits.

        Args:
            endpoint: path, such as ``/streaming-process``.
            records: an iterable or async iterable of dicts (see `StreamingRecord`), or of bytes,
                NDJSON that may be split anywhere; or a binary file or stream.
            options: options for this stream.

        Raises:
            TypeError: `records` is none of these.

        While iterating:
            RequestRefusedError: the server refused the stream; the error has the reason.
            StreamFailedError: the stream failed; the error has the reason and the progress.
            Exception: whatever `records` raised, the same object.

        Cost: a few hundred nanoseconds per record, in addition to encoding and decoding JSON.
        """
        return self._stream(endpoint, records, options, _parsed)

    def process_streaming_data(
        self, endpoint: str, data: Input, options: StreamOptions | None = None
    ) -> ResultStream[bytes]:
        """Stream data to an endpoint; iterate over chunks of whole result lines, as bytes.

        Like `stream_to_forst`, but results are not parsed. An error line is a chunk of its
        own, an `ErrorLine`.
        """
        return self._stream(endpoint, data, options, _unparsed)

    def stream_from_forst(
        self, endpoint: str, document: object, options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Send one JSON document to an endpoint; iterate over the results that stream back.

        Like `stream_to_forst`, but without resume.

        Raises:
            TypeError: the document cannot be written as JSON.
        """
        options = options or _DEFAULT
        request = Document(dump_line(document))
        return self._open(endpoint, request, self._config_for(options), options, _parsed)

    def follow_forst(
        self, endpoint: str, wanted: Mapping[str, Any], options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Ask an endpoint for a live stream; iterate over its results.

        When a connection is lost, the next one resumes from the last offset: no result is lost
        or duplicated while the source still has the records. A source without offsets resumes
        with new records. Missed records are logged.

        Redis groups, MQTT sources with a client and durable NATS consumers redeliver records until
        they are acknowledged. Results are acknowledged when the caller asks for the next one;
        results that arrived together are acknowledged together. If the process dies or the
        iteration ends early, the results that were being processed are redelivered.

        Args:
            endpoint: path, such as ``/real-time-process``.
            wanted: the request, such as ``{"source": name, "filters": {…}, "from": offset}``.
            options: options for this stream.

        Raises:
            TypeError: the request cannot be written as JSON.
            ValueError: the options do not require frames; `stream_from_forst` is the way to
                receive a live stream of another server.

        While iterating:
            RequestRefusedError: the server refused the request; the error has the reason.
            StreamFailedError: the last attempt failed.
        """
        options = options or _DEFAULT
        if options.frames != "required":
            raise ValueError("a live stream resumes by frames; without, use stream_from_forst")
        config = self._config_for(options)
        return self._open(endpoint, Subscription(wanted), config, options, _parsed)

    def session(self) -> aiohttp.ClientSession:
        """Return the session that this client's streams share in the running event loop.

        Raises:
            RuntimeError: the client belongs to another event loop, or is closed.
        """
        loop = asyncio.get_running_loop()
        if self._session is None:
            self._session = self.target.open()
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("this client belongs to another event loop")
        return self._session

    async def aclose(self) -> None:
        """Close the client: open streams fail, and no more can be opened."""
        for transfer in list(self._transfers):
            await transfer.stop()
        await self.session().close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _stream(
        self,
        endpoint: str,
        records: Input,
        options: StreamOptions | None,
        decode: Callable[[bytes], Iterable[T]],
    ) -> ResultStream[T]:
        options = options or _DEFAULT
        config = self._config_for(options)
        producer = group(records, config.chunk_size)
        request = Upload(producer, config, resume=bool(options.resume))
        return self._open(endpoint, request, config, options, decode)

    def _open(
        self,
        endpoint: str,
        request: StreamRequest,
        config: StreamingConfig,
        options: StreamOptions,
        decode: Callable[[bytes], Iterable[T]],
    ) -> ResultStream[T]:
        headers = {**options.headers, wire.FORST_ON_ERROR: options.on_error}
        transfer = Transfer(
            self.target,
            endpoint,
            request,
            config,
            headers,
            needs_frames=options.frames == "required",
        )
        self._transfers.add(transfer)
        return ResultStream(transfer, decode, self.session, self.target)

    def _config_for(self, options: StreamOptions) -> StreamingConfig:
        changes = {
            name: value
            for name in ("timeout", "chunk_size")
            if (value := getattr(options, name)) is not None
        }
        return replace(self.config, **changes)


_DEFAULT = StreamOptions()


def _parsed(piece: bytes) -> list[Any]:
    if isinstance(piece, ErrorLine):
        return [MarkedError(piece.members())]
    try:
        return load_lines(piece)
    except ValueError as error:
        raise StreamFailedError("protocol", f"a result is {error}") from None


def _unparsed(piece: bytes) -> tuple[bytes]:
    return (piece,)
