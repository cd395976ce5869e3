"""The decoder of chunked transfer coding: strict, in place, and consistent with llhttp."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore import RecordStream, StreamStateError
from server.http._chunked import MOST_RESULTS, ChunkedDecoder, ChunkedError, feed_chunk
from server.http.control_lines import ControlLines
from server.http.internals import ParserError, detached_handler

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def decode(pieces: Iterable[bytes]) -> tuple[bytes, bytes | None]:
    """Return the body, and what came behind it, None if it has not ended."""
    decoder = ChunkedDecoder()
    body = b""
    rest: bytes | None = None
    for piece in pieces:
        if rest is not None:
            rest += piece
            continue
        buffer = bytearray(piece)
        size = decoder.decode(buffer, len(piece))
        body += buffer[decoder.start : decoder.start + size]
        if decoder.finished:
            rest = piece[decoder.rest :]
    return body, rest


def cuts(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def llhttp(data: bytes) -> tuple[bytes, bool] | None:
    """Decode with aiohttp's parser: the body and whether it ended, None if it refuses."""
    handler = detached_handler(read_bufsize=1 << 20)
    handler.data_received(HEAD)
    _, body = handler.parsed[0]
    handler.data_received(data)
    if isinstance(handler.parsed[-1][0], ParserError):
        return None
    return body.read_nowait(-1), body.is_eof()


GOOD = [
    (b"0\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
    (b"A\r\n0123456789\r\n00\r\n\r\n", b"0123456789"),
    (b"00000a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    (b'5;name=value;other="quoted"\r\nhello\r\n0;last\r\n\r\n', b"hello"),
    (b"5\r\nhello\r\n0\r\nDigest: abc\r\nX-Other:\r\n\r\n", b"hello"),
    (b"0\r\ncontent-lengt: 5\r\ncontent-length-: 5\r\n\r\n", b""),
    (b"0\r\ntransfer-encodin: a\r\nTransfer-Encodings: a\r\n\r\n", b""),
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
]
BAD = [
    b"\r\n",
    b"g\r\n",
    b"-1\r\n",
    b"+5\r\nhello\r\n",
    b"0x5\r\nhello\r\n",
    b" 5\r\nhello\r\n",
    b"5 \r\nhello\r\n",
    b"5 ;a\r\nhello\r\n",
    b"5\nhello\r\n",
    b"5\rhello\r\n",
    b"5\r\r\nhello\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n",
    b"5\r\nhello!\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n",
    b"5;a\x00\r\nhello\r\n",
    b"5;" + b"x" * 300 + b"\r\nhello\r\n",
    b"1" * 16 + b"\r\n",
    b"f" * 17 + b"\r\n",
    b"0\r\n\n",
    b"0\r\nname\r\n\r\n",
    b"0\r\na b: c\r\n\r\n",
    b"0\r\n: c\r\n\r\n",
    b"0\r\nname: a\r\n folded\r\n\r\n",
    b"0\r\nname: a\n\r\n",
    b"0\r\nname: \x00\r\n\r\n",
    b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\na: b\r\ntransfer-EncodinG:\r\n\r\n",
    b"0\r\n" + b"name: value\r\n" * 1000 + b"\r\n",
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("data", "body"), GOOD)
def test_good_bodies(data: bytes, body: bytes, size: int) -> None:
    assert decode(cuts(data, size)) == (body, b"")


@pytest.mark.parametrize("size", [1, 2, 3, 100_000])
@pytest.mark.parametrize("data", BAD)
def test_bad_bodies(data: bytes, size: int) -> None:
    with pytest.raises(ChunkedError, match="chunked transfer coding at "):
        decode(cuts(data, size))


@pytest.mark.parametrize(("data", "body"), GOOD)
def test_what_comes_behind_is_left_alone(data: bytes, body: bytes) -> None:
    behind = b"GET / HTTP/1.1\r\n\r\n"
    for place in range(len(data + behind)):
        both = data + behind
        assert decode([both[:place], both[place:]]) == (body, behind)


def test_an_unfinished_body_is_no_end() -> None:
    data = b"5;x\r\nhello\r\n0\r\nname: value\r\n\r\n"
    for place in range(len(data)):
        assert decode([data[:place]])[1] is None


def test_chunks_are_counted() -> None:
    decoder = ChunkedDecoder()
    data = bytearray(b"1\r\nx\r\n" * 10 + b"0\r\n\r\n")
    assert decoder.decode(data, len(data)) == 10
    assert decoder.chunks == 11


def test_arguments_are_checked() -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(ValueError, match="size must be from 0 to 4"):
        decoder.decode(bytearray(4), 5)
    with pytest.raises(BufferError):
        decoder.decode(b"0\r\n\r\n", 5)


@pytest.mark.parametrize("count", [0, 1, 1000, 50_000])
def test_results_as_a_chunk(count: int) -> None:
    data = b"".join(b'{"id":"%d","data":"x"}\n' % number for number in range(count))
    plain, framing = RecordStream(), RecordStream()
    results = plain.feed(data)
    rest, chunks = memoryview(data), []
    while rest:
        chunks.append(feed_chunk(framing, rest))
        assert len(chunks[-1]) < MOST_RESULTS + len(rest)
        rest = rest[framing.taken :]
    assert decode([*chunks, b"0\r\n\r\n"]) == (results, b"")
    assert len(chunks) > 1 or len(results) < MOST_RESULTS
    assert framing.bytes_out == plain.bytes_out
    assert framing.feed(data) == plain.feed(data)


def test_feeding_a_stream_that_is_finished() -> None:
    stream = RecordStream()
    stream.finish()
    with pytest.raises(StreamStateError):
        feed_chunk(stream, b"{}\n")


CHUNKS = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=40),
        st.sampled_from(["%x", "%X", "0%x", "000%x"]),
        st.sampled_from([b"", b";a", b";a=b", b';a="b c"']),
    ),
    max_size=8,
)


def framed(chunks: list[tuple[bytes, str, bytes]], last: bytes) -> bytes:
    parts = [
        (size % len(data)).encode() + extension + b"\r\n" + data + b"\r\n"
        for data, size, extension in chunks
    ]
    return b"".join(parts) + last


@given(CHUNKS, st.sampled_from([b"0\r\n\r\n", b"0\r\nname: value\r\n\r\n"]), st.data())
def test_every_way_to_write_and_cut_a_body(
    chunks: list[tuple[bytes, str, bytes]], last: bytes, draw: st.DataObject
) -> None:
    data = framed(chunks, last)
    places = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    assert decode(pieces) == (b"".join(chunk[0] for chunk in chunks), b"")


def agree(data: bytes) -> None:
    """Check that both decoders say the same of a body with nothing behind it."""
    theirs = llhttp(data)
    try:
        body, rest = decode([data])
    except ChunkedError:
        # We refuse some things that llhttp takes, never the other way round.
        return
    if rest:
        return
    assert theirs == (body, rest is not None)


@given(CHUNKS, st.data())
def test_llhttp_agrees_on_damaged_bodies(
    chunks: list[tuple[bytes, str, bytes]], draw: st.DataObject
) -> None:
    data = bytearray(framed(chunks, b"0\r\nname: value\r\n\r\n"))
    for _ in range(draw.draw(st.integers(0, 3))):
        place = draw.draw(st.integers(0, len(data) - 1))
        action = draw.draw(st.sampled_from(["change", "drop", "add"]))
        byte = draw.draw(st.sampled_from(b'\r\n;: \t0159afgG\x00\x7f\x80"-+x'))
        if action == "change":
            data[place] = byte
        elif action == "drop" and len(data) > 1:
            del data[place]
        else:
            data.insert(place, byte)
    agree(bytes(data))


@given(
    st.lists(st.sampled_from([b"0", b"5", b"\r\n", b"\r", b"\n", b";", b" ", b"a: b", b"hello"]))
)
def test_llhttp_agrees_on_pieces_of_grammar(pieces: list[bytes]) -> None:
    agree(b"".join(pieces))


@pytest.mark.parametrize("data", [data for data, _ in GOOD])
def test_llhttp_agrees_on_good_bodies(data: bytes) -> None:
    assert llhttp(data) == (decode([data])[0], True)


@given(st.lists(st.sampled_from([b'{"id":"1"}\n', b"\n", b"{\n", b'{"id":"', b'2"}\n', b""])))
def test_acknowledgements_go_behind_the_results(pieces: list[bytes]) -> None:
    """As the writer of control lines puts them there, and with the same digest."""
    stream, twin = RecordStream(), RecordStream()
    frames, twin_frames = ControlLines(stream), ControlLines(twin)
    for piece in pieces:
        body, _ = decode([feed_chunk(stream, piece, frames)])
        assert body == twin_frames.results(twin.feed(piece))
        assert frames.acked == twin_frames.acked
    assert frames.end() == twin_frames.end()
