"""The decoder of chunked transfer coding, compared with a grammar-based model and llhttp."""

from __future__ import annotations

import string
from collections.abc import Generator
from itertools import product

from fuzz.choices import Choices
from fuzz.cuts import alone, cut, sizes
from server.http._chunked import ChunkedDecoder, ChunkedError
from server.http.internals import ParserError, detached_handler

__all__ = ["check"]

Reader = Generator[None, int, None]

HEXDIGITS = string.hexdigits.encode()
TOKEN = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()
TEXT = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
SIZE_DIGITS = 15
EXTENSION_LIMIT = 256
TRAILER_LIMIT = 8192
FRAMING = {b"content-length", b"transfer-encoding"}

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Malformed(Exception):
    """A body that violates RFC 9112, section 7.1, or one of our limits."""


def wanted(byte: int, allowed: bytes) -> int:
    if byte not in allowed:
        raise Malformed
    return byte


class Model:
    """Read a chunked body byte by byte, following the grammar.

    Attributes:
        body: the body so far.
        chunks: number of chunk sizes read so far.
    """

    def __init__(self) -> None:
        self.body = bytearray()
        self.chunks = 0
        self._spent = 0

    def read(self) -> Reader:
        """Take the bytes; return at the end of the body."""
        while True:
            digits = bytearray([wanted((yield), HEXDIGITS)])
            while (byte := (yield)) in HEXDIGITS:
                digits.append(byte)
                if len(digits) > SIZE_DIGITS:
                    raise Malformed
            self._spent = 0
            while byte == ord(";"):
                byte = yield from self._extension()
            wanted(byte, b"\r")
            wanted((yield), b"\n")
            self.chunks += 1
            if int(digits, 16) == 0:
                break
            for _ in range(int(digits, 16)):
                self.body.append((yield))
            wanted((yield), b"\r")
            wanted((yield), b"\n")
        self._spent = 0
        while (byte := (yield from self._spend(TRAILER_LIMIT))) != ord("\r"):
            yield from self._field(byte)
        wanted((yield), b"\n")

    def _spend(self, limit: int) -> Generator[None, int, int]:
        """Take a byte of an element whose size is limited."""
        byte = yield
        self._spent += 1
        if self._spent > limit:
            raise Malformed
        return byte

    def _extension(self) -> Generator[None, int, int]:
        """Read an extension; return the byte after it."""
        wanted((yield from self._spend(EXTENSION_LIMIT)), TOKEN)
        while (byte := (yield from self._spend(EXTENSION_LIMIT))) in TOKEN:
            pass
        if byte != ord("="):
            return byte
        byte = wanted((yield from self._spend(EXTENSION_LIMIT)), TOKEN + b'"')
        if byte != ord('"'):
            while (byte := (yield from self._spend(EXTENSION_LIMIT))) in TOKEN:
                pass
            return byte
        while (byte := wanted((yield from self._spend(EXTENSION_LIMIT)), TEXT)) != ord('"'):
            if byte == ord("\\"):
                wanted((yield from self._spend(EXTENSION_LIMIT)), TEXT)
        return (yield from self._spend(EXTENSION_LIMIT))

    def _field(self, byte: int) -> Reader:
        """Read the trailer field that starts with this byte."""
        name = bytearray([wanted(byte, TOKEN)])
        while (byte := (yield from self._spend(TRAILER_LIMIT))) != ord(":"):
            name.append(wanted(byte, TOKEN))
        if bytes(name).lower() in FRAMING:
            raise Malformed
        while wanted((yield from self._spend(TRAILER_LIMIT)), TEXT + b"\r") != ord("\r"):
            pass
        wanted((yield from self._spend(TRAILER_LIMIT)), b"\n")


def modelled(data: bytes) -> tuple[Model, int | None, bool]:
    """Return the model after the data, where the body ended, and whether it was malformed."""
    model = Model()
    reader = model.read()
    next(reader)
    for at, byte in enumerate(data):
        try:
            reader.send(byte)
        except StopIteration:
            return model, at + 1, False
        except Malformed:
            return model, None, True
    return model, None, False


def decoded(
    data: bytes, turns: list[int], behind: bytes
) -> tuple[ChunkedDecoder, bytes, int | None, bool]:
    """Decode in pieces; return the decoder, the body, where it ended, whether it was malformed.

    Args:
        data: the bytes received.
        turns: sizes of the pieces.
        behind: content of the buffer after each piece; must be neither read nor written.
    """
    decoder = ChunkedDecoder()
    body = b""
    at = 0
    for piece in cut(data, turns):
        buffer = alone(piece + behind)
        try:
            size = decoder.decode(buffer, len(piece))
        except ChunkedError:
            return decoder, body, None, True
        assert buffer[len(piece) :] == behind
        assert 0 <= decoder.start <= decoder.start + size <= decoder.rest <= len(piece)
        assert buffer[decoder.rest : len(piece)] == piece[decoder.rest :]
        body += buffer[decoder.start : decoder.start + size]
        assert decoder.received == len(body)
        if decoder.finished:
            return decoder, body, at + decoder.rest, False
        assert decoder.rest == len(piece)
        at += len(piece)
    return decoder, body, None, False


def as_llhttp(data: bytes, body: bytes, end: int | None) -> None:
    """Check that llhttp accepts everything that the decoder accepts, and reads the same body."""
    # Raise its limits on trailers, which differ from ours.
    handler = detached_handler(read_bufsize=1 << 20, max_headers=1 << 16, max_field_size=1 << 16)
    handler.data_received(HEAD)
    _, payload = handler.parsed[0]
    handler.data_received(data[:end])
    complaint = handler.parsed[-1][0]
    assert not isinstance(complaint, ParserError), "llhttp refuses what the decoder takes"
    assert payload.is_eof() == (end is not None)
    assert payload.read_nowait(-1) == body


def check(data: bytes) -> None:
    """Check one input: four bytes that choose the chunk sizes, then the bytes of a connection."""
    choices = Choices(data)
    turns = sizes(choices)
    data = choices.rest()
    model, model_end, model_malformed = modelled(data)
    for pieces, behind in product(([1 << 30], turns), (b"", b"\r\n0\r\n\r\n")):
        decoder, body, end, malformed = decoded(data, pieces, behind)
        assert (end, malformed) == (model_end, model_malformed)
        if malformed:
            assert model.body.startswith(body)
        else:
            assert (body, decoder.chunks) == (bytes(model.body), model.chunks)
    if not model_malformed:
        as_llhttp(data, bytes(model.body), model_end)
