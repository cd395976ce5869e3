"""Framed responses: the client's reader recovers what the server writes, and arbitrary bytes
cannot crash it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from xxhash import xxh3_64_hexdigest

from forstcore import RecordStream
from forstcore._client.frame_reader import FrameReader, Summary
from forstcore.errors import StreamFailedError
from fuzz.choices import Choices
from fuzz.cuts import alone, cut, sizes
from server.http._chunked import ChunkedDecoder, feed_chunk
from server.http.control_lines import ControlLines

__all__ = ["check"]

RESULTS = [b'{"id":"1"}\n', b'{"a":":"}\n', b'{"b":"\\n:ack 9"}\n', b"\n", b' :ack 1"\n']
CONTROL = [b":offset a\n", b":missed 3\n", b":other words\n", b":\n", b":ack -1\n", b":ack x\n"]


@dataclass
class Reading:
    """The state of a reader after a response."""

    results: bytes
    acked: int
    offset: str
    missed: list[str]
    summary: Summary | None
    error: tuple[object, ...] | None
    failed: str


def _read(response: bytes, turns: list[int], hold: bool) -> Reading:
    """Read a response in pieces, until the reader fails."""
    reader = FrameReader(hold=hold)
    results = []
    offset = failed = ""
    try:
        for piece in cut(response, turns):
            results += reader.feed(piece)
            offset = reader.marks[-1][2] if reader.marks else offset
    except StreamFailedError as error:
        failed = error.code
    assert all(part.endswith(b"\n") and not part.startswith(b":") for part in results)
    return Reading(
        b"".join(results),
        reader.acked,
        offset,
        reader.missed,
        reader.summary,
        reader.error.args if reader.error else None,
        failed,
    )


def _handed_out(response: bytes, hold: bool) -> bytes:
    """Return the results that a reader yields for a valid response."""
    ready = held = b""
    for line in response.split(b"\n")[:-1]:
        if not line.startswith(b":"):
            held += line + b"\n"
        if not hold or line.startswith((b":ack ", b":end ")):
            ready, held = ready + held, b""
    return ready


def _hostile(choices: Choices, turns: list[int], hold: bool) -> None:
    """Check a response composed of valid and invalid lines."""
    parts: list[bytes] = []
    acked = 0
    for _ in range(choices.number(12)):
        match choices.number(6):
            case 0 | 1:
                parts.append(choices.pick(RESULTS))
            case 2:
                acked += choices.number(4)
                parts.append(b":ack %d\n" % acked)
            case 3:
                parts.append(choices.pick(CONTROL))
            case 4:
                parts.append(choices.take(choices.number(40)))
            case 5:
                kind = choices.pick([b":end ", b":error ", b":ack "])
                parts.append(kind + choices.take(choices.number(60)) + b"\n")
    results = b"".join(part for part in parts if not part.startswith(b":"))
    if choices.number(2):
        summary = {
            "lines": acked + choices.number(3),
            "bytes_out": len(results),
            "digest": "xxh3:" + xxh3_64_hexdigest(results),
        }
        parts.append(b":end " + json.dumps(summary).encode() + b"\n")
    response = b"".join(parts) + choices.rest()
    whole = _read(response, [1 << 30], hold)
    pieces = _read(response, turns, hold)
    if whole.failed:
        # In pieces, the reader yields results before it reaches the error.
        assert pieces.failed == whole.failed
        assert pieces.results.startswith(whole.results)
    else:
        assert pieces == whole
        assert whole.results == _handed_out(response, hold)


def _unchunked(body: bytes) -> bytes:
    decoder = ChunkedDecoder()
    area = bytearray(body)
    size = decoder.decode(area, len(body))
    assert decoder.finished
    return bytes(area[decoder.start : decoder.start + size])


def _round_trip(choices: Choices, turns: list[int], hold: bool) -> None:
    """Send the results of a stream through the same steps as between core and client."""
    stream, plain = RecordStream(on_error="emit"), RecordStream(on_error="emit")
    frames = ControlLines(stream)
    with_acks = choices.number(4) > 0
    text = choices.rest()
    body = b""
    results = b""
    for chunk in cut(text, turns):
        left = chunk
        while left:
            body += feed_chunk(stream, alone(left), frames if with_acks else None)
            left = left[stream.taken :]
        results += plain.feed(chunk)
    rest = stream.finish()
    results += plain.finish()
    last = frames.results(rest) + frames.end() if with_acks else rest
    body += b"%x\r\n%b\r\n" % (len(last), last) if last else b""
    response = _unchunked(body + b"0\r\n\r\n")
    if not with_acks:
        assert response == results
        return
    reading = _read(response, turns, hold)
    assert (reading.results, reading.acked, reading.failed) == (results, plain.lines, "")
    assert reading.summary is not None
    assert reading.summary["results"] == plain.results


def check(data: bytes) -> None:
    """Check one input: options, then decisions for a response, or the bytes of a stream."""
    choices = Choices(data)
    hostile = choices.number(2)
    hold = choices.number(2) == 1
    turns = sizes(choices)
    if hostile:
        _hostile(choices, turns, hold)
    else:
        _round_trip(choices, turns, hold)
