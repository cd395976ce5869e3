"""Content codings in both directions: gzip, deflate and, where Python has it, zstd.

An encoder writes one member or frame for the whole response, and flushes after each batch, so
that no record is held back. A decoder yields pieces of bounded size, regardless of how much the
body expands.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from forstcore.wire import StreamErrorCode
from server.errors import ProblemError, StreamError
from server.http.preferences import weights

if TYPE_CHECKING:
    from backports import zstd
else:
    try:
        from compression import zstd
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            zstd = None

__all__ = ["CODINGS", "Decoder", "Encoder", "decoder_for", "encoder_for", "negotiate"]

PIECE = 1 << 18
"""Maximum bytes of a decoded piece."""

_FIRST = 1 << 12
"""Input bytes for the first step of a member or frame: zlib copies the input after its end."""

_MEMBERS = 64
"""Members or frames after which to yield: an empty one can take 50 µs to decode."""

FREE_GROWTH = 1 << 24
"""Decompressed bytes up to which any ratio is allowed: small bodies are harmless."""

_LEVEL = 1  # The fastest level: the next one takes a third longer for a few percent less output.


class Encoder(Protocol):
    """The compressor of one response."""

    def encode(self, data: bytes) -> bytes:
        """Compress `data` and flush, so that the receiver can decode all of it."""
        ...

    def finish(self) -> bytes:
        """End the member or frame."""
        ...


class _ZlibEncoder:
    def __init__(self, window: int) -> None:
        self._object = zlib.compressobj(_LEVEL, zlib.DEFLATED, window)

    def encode(self, data: bytes) -> bytes:
        return self._object.compress(data) + self._object.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._object.flush()


class _ZstdEncoder:
    def __init__(self) -> None:
        self._object = zstd.ZstdCompressor(level=_LEVEL)

    def encode(self, data: bytes) -> bytes:
        return self._object.compress(data, mode=self._object.FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._object.flush()


class _Inflater:
    """The decompressor of one member or frame: the common interface of zlib and zstd."""

    _object: Any

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._object.unused_data)

    def pieces(self, data: memoryview) -> Iterator[bytes]:
        """Yield the decompressed data in pieces of at most PIECE bytes."""
        raise NotImplementedError


class _ZlibInflater(_Inflater):
    def __init__(self, window: int) -> None:
        self._object = zlib.decompressobj(window)

    def pieces(self, data: memoryview) -> Iterator[bytes]:
        while True:
            piece = self._object.decompress(data, PIECE)
            data = self._object.unconsumed_tail
            if piece:
                yield piece
            # After the end of a member, the tail would be the input after it forever.
            if self._object.eof or (not data and len(piece) < PIECE):
                return


class _ZstdInflater(_Inflater):
    def __init__(self) -> None:
        # RFC 9659 limits the window to 8 MiB in this content coding.
        self._object = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: 23}
        )

    def pieces(self, data: memoryview) -> Iterator[bytes]:
        while True:
            piece = self._object.decompress(data, PIECE)
            data = memoryview(b"")
            if piece:
                yield piece
            if self._object.eof or self._object.needs_input:
                return


_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "gzip": lambda: _ZlibEncoder(31),
    "deflate": lambda: _ZlibEncoder(15),
}
_INFLATERS: dict[str, Callable[[], _Inflater]] = {
    "gzip": lambda: _ZlibInflater(31),
    "deflate": lambda: _ZlibInflater(15),
}
_BROKEN: tuple[type[Exception], ...] = (zlib.error,)
if zstd is not None:
    _ENCODERS = {"zstd": _ZstdEncoder, **_ENCODERS}
    _INFLATERS = {"zstd": _ZstdInflater, **_INFLATERS}
    _BROKEN = (zlib.error, zstd.ZstdError)

CODINGS = tuple(_ENCODERS)
"""Names of the supported content codings, in order of preference."""


def negotiate(accept_encoding: str) -> str | None:
    """Choose the coding of a response (RFC 9110, section 12.5.3).

    Args:
        accept_encoding: the Accept-Encoding header, empty if there is none.

    Returns:
        One of `CODINGS`, or None for no coding.
    """
    given = weights(accept_encoding)
    if "x-gzip" in given:
        given["gzip"] = max(given.pop("x-gzip"), given.get("gzip", 0.0))
    anything = given.get("*", 0.0)
    best = max(CODINGS, key=lambda name: given.get(name, anything))
    weight = given.get(best, anything)
    return best if weight > 0 and weight >= given.get("identity", 0.0) else None


def encoder_for(coding: str) -> Encoder:
    """Create the encoder of a response."""
    return _ENCODERS[coding]()


def decoder_for(content_encoding: str, max_ratio: int) -> Decoder | None:
    """Create the decoder of a request body, or return None if it is not encoded.

    Args:
        content_encoding: the Content-Encoding header, empty if there is none.
        max_ratio: maximum ratio of decoded to encoded size.

    Raises:
        ProblemError: 415, the coding is not supported.
    """
    name = content_encoding.strip().lower()
    name = "gzip" if name == "x-gzip" else name
    if name in {"", "identity"}:
        return None
    if name not in _INFLATERS:
        raise ProblemError(
            415,
            f"Content-Encoding {content_encoding!r} is not one of {', '.join(CODINGS)}",
            headers={"Accept-Encoding": ", ".join(CODINGS)},
        )
    return Decoder(name, max_ratio)


class Decoder:
    """Decode a request body, which may consist of several members or frames.

    Args:
        coding: one of `CODINGS`.
        max_ratio: as for `decoder_for`.
    """

    def __init__(self, coding: str, max_ratio: int) -> None:
        self._coding = coding
        self._max_ratio = max_ratio
        self._inflater: _Inflater | None = None
        self._taken = 0
        self._given = 0

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield the decoded data in pieces of at most 256 KiB.

        Each piece takes a few milliseconds at most. It may be empty, so that the caller can let
        other tasks run after many empty members.

        Raises:
            StreamError: the body is not valid, or it exceeds `max_ratio`.
        """
        self._taken += len(data)
        rest = memoryview(data)
        ended = 0
        while rest:
            size = len(rest)
            if self._inflater is None:
                self._inflater = self._start(rest[0])
                size = min(size, _FIRST)
            try:
                for piece in self._inflater.pieces(rest[:size]):
                    self._given += len(piece)
                    self._check_ratio()
                    yield piece
            except _BROKEN as error:
                raise StreamError(
                    StreamErrorCode.INVALID_ENCODING,
                    f"the body is not valid {self._coding}: {error}",
                ) from None
            if self._inflater.eof:
                size -= len(self._inflater.unused_data)
                self._inflater = None
                ended += 1
                if ended % _MEMBERS == 0:
                    yield b""
            rest = rest[size:]

    def finish(self) -> None:
        """Check that the last member or frame is complete.

        Raises:
            StreamError: the body is truncated.
        """
        if self._inflater is not None:
            raise StreamError(
                StreamErrorCode.INVALID_ENCODING, f"the body ends within its {self._coding} data"
            )

    def _start(self, first: int) -> _Inflater:
        # "deflate" is the zlib format, but some senders use raw deflate (RFC 9110, section
        # 8.4.1.2). The first byte distinguishes them.
        if self._coding == "deflate" and first & 0x0F != 8:
            return _ZlibInflater(-15)
        return _INFLATERS[self._coding]()

    def _check_ratio(self) -> None:
        if self._given > FREE_GROWTH and self._given > self._max_ratio * self._taken:
            raise StreamError(
                StreamErrorCode.COMPRESSION_RATIO,
                f"the body grows to more than {self._max_ratio} times its size (max_ratio)",
            )
