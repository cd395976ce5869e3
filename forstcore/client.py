"""A client of the server: records in, results out, at the same time."""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, BinaryIO, Literal, Protocol, Self, TypeAlias, TypeVar

import aiohttp

from forstcore._client.frame_reader import ErrorLine, Summary
from forstcore._client.live_transfer import LiveTransfer
from forstcore._client.results import ResultStream
from forstcore._client.server_url import Target
from forstcore._client.transfer import Transfer
from forstcore._io.chunker import Grouper, group
from forstcore._io.json_lines import dump_line, load_lines
from forstcore.config import StreamingConfig
from forstcore.errors import StreamFailedError
from forstcore.records import MarkedError, ProcessedRecord

__all__ = ["ErrorLine", "ForstStreamingClient", "Input", "ResultStream", "StreamOptions", "Summary"]

T = TypeVar("T")


class _AsyncReader(Protocol):
    async def read(self, n: int, /) -> bytes: ...


Bytes: TypeAlias = bytes | bytearray | memoryview
Item: TypeAlias = Mapping[str, Any] | Bytes
Input: TypeAlias = Iterable[Item] | AsyncIterable[Item] | Bytes | BinaryIO | _AsyncReader
"""What can be streamed: records, or NDJSON in any pieces, from an iterable or an async one; or
NDJSON as bytes, from a file, or from a stream."""


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """What one stream does differently from the client's configuration.

    Attributes:
        headers: more request headers.
        timeout: seconds; the configuration's if None.
        chunk_size: bytes; the configuration's if None.
        on_error: what becomes of a line that is no record: ``skip`` drops and counts it,
            ``emit`` puts an `ErrorRecord` in its place, ``fail`` ends the stream with one;
            `is_error` tells it from a result.
        resume: whether lines are kept until they are acknowledged, and sent again over a new
            connection when one is lost: every result comes once and in order. If None, only
            `StreamingIntegration.process_large_dataset` does. What a processor of the server's
            does besides, it may do twice.

    Thread-safety: immutable.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    chunk_size: int | None = None
    on_error: Literal["skip", "emit", "fail"] = "skip"
    resume: bool | None = None


class ForstStreamingClient:
    """Stream records through a server.

    Use it with `async with`, or call `aclose()`. Scripts that iterate with `for` need neither.

    Args:
        base_url: ``http://…``, ``https://…`` or ``http+unix:///path/of/the.sock``.
        config: sizes, times and retries.
        token: the server's bearer token.
        tls: TLS context, for authorities of your own or a client certificate.

    Attributes:
        config: the configuration.
        target: where the requests go.

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
        self.target = Target(base_url, token, tls)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transfers: weakref.WeakSet[Transfer] = weakref.WeakSet()

    def stream_to_forst(
        self, endpoint: str, records: Input, options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Stream records to an endpoint; iterate over their results.

        Results come while records are still being sent. Records are grouped into chunks, but
        none waits for another: when an async producer pauses, what it yielded is sent at once.
        A sync one is asked in the thread of the event loop; while it waits, nothing moves.

        Args:
            endpoint: path, such as ``/streaming-process``.
            records: an iterable or async iterable of dicts (see `StreamingRecord`), or of bytes
                that are lines of NDJSON cut anywhere; or a binary file or stream of them.
            options: what is different for this stream.

        Raises:
            TypeError: `records` is none of these.

        While iterating:
            RequestRefusedError: the server does not take the stream; it says why.
            StreamFailedError: the stream ended early; it says why and how far it came.
            Exception: whatever `records` raised, the same object.

        Cost: on top of reading and writing JSON, some hundred nanoseconds a record.
        """
        return self._stream(endpoint, records, options, _parsed)

    def process_streaming_data(
        self, endpoint: str, data: Input, options: StreamOptions | None = None
    ) -> ResultStream[bytes]:
        """Stream data to an endpoint; iterate over chunks of whole result lines, as bytes.

        As `stream_to_forst`, but results are not parsed. An error line is a chunk of its own,
        an `ErrorLine`.
        """
        return self._stream(endpoint, data, options, _as_it_is)

    def stream_from_forst(
        self, endpoint: str, document: object, options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Send one JSON document to an endpoint; iterate over the results that stream back.

        As `stream_to_forst`, but there is nothing to resume.

        Raises:
            TypeError: the document is not of a kind that JSON knows.
        """
        body = dump_line(document)
        options = replace(options or _DEFAULT, resume=False)
        return self._open(endpoint, lambda _: body, options, _parsed)

    def follow_forst(
        self, endpoint: str, wanted: Mapping[str, Any], options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Ask an endpoint for a live stream; iterate over its results.

        When the connection is lost another goes on from the last offset, so that no result
        is lost or comes twice as long as the source still has it; that of a source without
        offsets goes on from now. What was missed is logged.

        Groups of Redis and MQTT with a client have records again that were not acknowledged.
        Results are acknowledged when the next one is asked for, all that came together at once:
        what was in hand when this process died, or the iteration was left, comes again.

        Args:
            endpoint: path, such as ``/real-time-process``.
            wanted: the request, such as ``{"source": name, "filters": {…}, "from": offset}``.
            options: what is different for this stream.

        Raises:
            TypeError: the request is not of a kind that JSON knows.

        While iterating:
            RequestRefusedError: the server does not take the request; it says why.
            StreamFailedError: the last attempt failed.
        """
        options = options or _DEFAULT
        config = self._config_for(options)
        headers = {**options.headers, "Forst-On-Error": options.on_error}
        transfer = LiveTransfer(self.target, endpoint, wanted, config, headers)
        self._transfers.add(transfer)
        return ResultStream(transfer, _parsed, self.session, self.target)

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
        """Close. Streams that are still open fail, and none can be opened any more."""
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
        return self._open(
            endpoint,
            lambda config: group(records, config.chunk_size),
            options or _DEFAULT,
            decode,
        )

    def _open(
        self,
        endpoint: str,
        body: Callable[[StreamingConfig], Grouper | bytes],
        options: StreamOptions,
        decode: Callable[[bytes], Iterable[T]],
    ) -> ResultStream[T]:
        config = self._config_for(options)
        transfer = Transfer(
            self.target,
            endpoint,
            body(config),
            config,
            {**options.headers, "Forst-On-Error": options.on_error},
            resume=bool(options.resume),
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


def _as_it_is(piece: bytes) -> tuple[bytes]:
    return (piece,)
