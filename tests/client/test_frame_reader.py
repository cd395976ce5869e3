"""The meaning of a response does not depend on the pieces in which it arrives."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_hexdigest

from forstcore._client.frame_reader import ErrorLine, FrameReader
from forstcore.errors import StreamFailedError

RESULTS = [b'{"id":"1"}\n', b'{"a":":"}\n', b'{"id":"\\n:ack 9"}\n', b'"x"\n', b"{}\n"]


def response(parts: list[bytes]) -> bytes:
    """Put the parts together and end them as a server does."""
    results = b"".join(part for part in parts if not part.startswith(b":"))
    summary = {
        "lines": 1000,
        "bytes_out": len(results),
        "digest": "xxh3:" + xxh3_64_hexdigest(results),
    }
    return b"".join(parts) + b":end " + json.dumps(summary).encode() + b"\n"


PARTS = [
    *(RESULTS[0], b":ack 1\n", b":ack 1\n", RESULTS[1], RESULTS[2], b":ack 3\n"),
    *(b":other words\n", RESULTS[3], RESULTS[4], b":ack 5\n"),
]


def read(pieces: list[bytes], *, hold: bool) -> tuple[bytes, FrameReader]:
    reader = FrameReader(hold=hold)
    return b"".join(part for piece in pieces for part in reader.feed(piece)), reader


@pytest.mark.parametrize("hold", [False, True])
def test_every_cut(hold: bool) -> None:
    whole = response(PARTS)
    expected = b"".join(part for part in PARTS if not part.startswith(b":"))
    for place in range(len(whole) + 1):
        got, reader = read([whole[:place], whole[place:]], hold=hold)
        assert got == expected
        assert reader.summary is not None
        assert reader.acked == 1000


@pytest.mark.parametrize("hold", [False, True])
@given(data=st.data())
def test_any_parts_and_any_cuts(hold: bool, data: st.DataObject) -> None:
    parts: list[bytes] = []
    acked = 0
    for result in data.draw(st.lists(st.sampled_from([*RESULTS, b"ack", b"other"]), max_size=20)):
        if result == b"ack":
            acked += data.draw(st.integers(0, 3))
            parts.append(b":ack %d\n" % acked)
        elif result == b"other":
            parts.append(b":other %s\n" % (b"x" * data.draw(st.integers(0, 20))))
        else:
            parts.append(result)
    whole = response(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    got, reader = read(pieces, hold=hold)
    assert got == b"".join(part for part in parts if not part.startswith(b":"))
    assert reader.summary is not None


def test_results_wait_for_their_acknowledgement() -> None:
    reader = FrameReader(hold=True)
    assert reader.feed(RESULTS[0] + RESULTS[1]) == []
    assert reader.feed(b":ack") == []
    assert reader.feed(b" 2\n" + RESULTS[2]) == [RESULTS[0] + RESULTS[1]]
    assert reader.acked == 2
    assert reader.feed(b':error {"code": "draining", "detail": "x"}\n') == []
    assert reader.error is not None
    assert reader.error.retriable


def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(StreamFailedError, match="follow the end"):
        read([response(PARTS) + b"{}\n"], hold=False)


def test_a_long_line_in_small_pieces_takes_linear_time() -> None:
    line = b'"' + b"x" * 4_000_000 + b'"\n'
    whole = response([line, b":ack 1\n"])
    pieces = [whole[at : at + 100] for at in range(0, len(whole), 100)]
    got, _ = read(pieces, hold=True)
    assert got == line


ERROR = b'{"status":"error","line":2,"offset":0,"code":"invalid_json","message":"no"}\n'


@pytest.mark.parametrize("hold", [False, True])
@given(data=st.data())
def test_error_lines_are_those_that_are_named(hold: bool, data: st.DataObject) -> None:
    """Only the mark distinguishes error lines from results, for all divisions of the response."""
    parts: list[bytes] = []
    expected: list[tuple[bytes, bool]] = []
    for batch in data.draw(st.lists(st.lists(st.booleans(), max_size=5), max_size=5)):
        places = [place for place, is_error in enumerate(batch, 1) if is_error]
        if places:
            parts.append(b":rejected " + b" ".join(b"%d" % place for place in places) + b"\n")
        for is_error in batch:
            if data.draw(st.booleans()):
                parts.append(data.draw(st.sampled_from([b":ack 0\n", b":other\n"])))
            parts.append(ERROR)
            expected.append((ERROR, is_error))
    whole = response(parts)
    reader = FrameReader(hold=hold)
    got: list[tuple[bytes, bool]] = []
    while whole:
        size = data.draw(st.integers(1, 100))
        for piece in reader.feed(whole[:size]):
            is_error = isinstance(piece, ErrorLine)
            lines = piece.splitlines(keepends=True)
            assert not is_error or len(lines) == 1
            got += [(line, is_error) for line in lines]
        whole = whole[size:]
    assert got == expected


@pytest.mark.parametrize(
    "said",
    [b":rejected x", b":rejected 0", b":rejected 2 1", b":rejected 2 2", b":rejected -1"],
)
def test_a_mark_that_cannot_be(said: bytes) -> None:
    reader = FrameReader(hold=False)
    with pytest.raises(StreamFailedError, match="control line"):
        reader.feed(said + b"\n")


def test_lines_that_were_named_and_did_not_come() -> None:
    reader = FrameReader(hold=False)
    with pytest.raises(StreamFailedError, match=":rejected"):
        reader.feed(response([b":rejected 2\n", ERROR]))
    reader = FrameReader(hold=False)
    with pytest.raises(StreamFailedError, match="control line"):
        reader.feed(b":rejected 2\n:rejected 1\n")


@pytest.mark.parametrize(
    "line",
    [b"{}", b"[]", b"nope", b'{"line":"x","offset":0,"code":"a","message":"b"}', b'"x"', b"1"],
)
def test_an_error_line_that_is_none(line: bytes) -> None:
    with pytest.raises(StreamFailedError, match="an error line"):
        ErrorLine(line).members()
