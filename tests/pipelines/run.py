"""Send pipelines to servers; compare the responses with those to each request alone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import socket
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import h11

from tests.pipelines.answers import Answer, AnswerReader
from tests.pipelines.draw import Draw
from tests.pipelines.reader import Reading, Request, read_requests
from tests.servers import Server, launch

__all__ = ["Tally", "fill", "run", "served"]

Address = tuple[str, int]
Result = TypeVar("Result")

_PATIENCE = 60.0
_LONG = 20.0  # Seconds after which the server must have been waiting for a timeout.
_QUIET = 0.03  # Seconds without data that must follow the last response.
_AT_ONCE = 8
_PIPELINES = 12  # in a batch
_ID = re.compile(rb'"id":"([^"\n]*)"')
_OPTIONS = (
    *("--processors", "tests.processors.routes", "--workers", "2"),
    *("--source", "events=memory:", "--source", "fixed=memory:", "--max-stream-bytes", "16000000"),
    # No timeout expires, because clients close their sending half when they have sent everything.
    *("--header-timeout", "30", "--timeout", "50", "--stall", "30"),
)


@dataclass
class Tally:
    """Counters of a run, and its failures.

    Attributes:
        pipelines: pipelines sent.
        answers: answers compared.
        differences: descriptions of the differences.
    """

    pipelines: int = 0
    answers: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass
class Case:
    """The data sent over one connection.

    Attributes:
        wire: the bytes.
        cuts: where they are split.
        pause: seconds between two pieces.
        half_close: whether the client half-closes the connection at the end.
        reading: the requests that a strict parser finds.
        expected: the expected answers.
        answers: the received answers.
        trouble: why none could be parsed.
    """

    wire: bytes
    cuts: list[int]
    pause: float
    half_close: bool
    reading: Reading
    expected: list[Answer] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    trouble: str = ""

    @property
    def pieces(self) -> list[bytes]:
        """The bytes in pieces."""
        places = [0, *(place for place in self.cuts if 0 < place < len(self.wire)), len(self.wire)]
        return [self.wire[a:b] for a, b in itertools.pairwise(places)]

    @property
    def is_live(self) -> bool:
        """Whether the last response has no end."""
        requests = self.reading.requests
        return bool(requests) and requests[-1].target == b"/real-time-process"

    @property
    def run(self) -> list[Request]:
        """The requests that are answered."""
        return self.reading.requests[: len(self.expected)]


@contextlib.contextmanager
def served(way: str) -> Iterator[Server]:
    """Run a server with one way to read bodies; it must log nothing but streams and processors."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        server = launch(*_OPTIONS, "--takeover", way, log=log)
        try:
            yield server
            assert server.stop() == 0
            for line in log.read_text().splitlines():
                if line.startswith("processor "):
                    continue
                assert line.startswith("{"), line
                entry = json.loads(line)
                if entry["event"] not in ("refused", "suppressed"):
                    assert entry["outcome"] not in ("timeout", "internal", "spool"), line
        finally:
            server.kill()
            assert server.process.stdout is not None
            server.process.stdout.close()


async def run(
    server: Server, seed: str, batches: Iterable[int], until: float, tally: Tally
) -> None:
    """Run batches of pipelines.

    Args:
        server: the server.
        seed: determines the batches, together with their numbers.
        batches: the numbers of the batches.
        until: monotonic time after which no batch begins.
        tally: collects the outcomes.
    """
    address = (server.host, server.port)
    for number in batches:
        if time.monotonic() > until:
            return
        draw = Draw(f"{seed}/{number}")
        cases = [_draw(draw) for _ in range(_PIPELINES)]
        async with asyncio.timeout(_PATIENCE * 3):
            await _batch(address, cases)
        for place, case in enumerate(cases):
            tally.pipelines += 1
            tally.answers += len(case.answers)
            if case.trouble:
                tally.differences.append(f"seed {seed}/{number}, pipeline {place}: {case.trouble}")


def _draw(draw: Draw) -> Case:
    requests = draw.pipeline()
    wire = b"".join(requests)
    is_live = b"/real-time-process" in requests[-1]
    is_harmed = not is_live and draw.random.random() < 0.35
    if is_harmed:
        wire = draw.harm(wire)
    reading = read_requests(wire)
    if not is_harmed:
        _check_by_h11(wire, reading)
    cuts = draw.cuts(len(wire)) + (draw.cuts_in(wire) if draw.random.random() < 0.3 else [])
    half_close = not is_live and (bool(reading.rest) or is_harmed or draw.random.random() < 0.6)
    pause = draw.pause() if len(cuts) < 300 else 0
    return Case(wire, sorted({*cuts}), pause, half_close, reading)


def _check_by_h11(wire: bytes, reading: Reading) -> None:
    """Check that two parsers find the same requests in well-formed data."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(wire)
    found: list[tuple[bytes, bytes, bytes]] = []
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            found.append((event.method, event.target, b""))
        elif isinstance(event, h11.Data):
            method, target, body = found[-1]
            found[-1] = method, target, body + bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is h11.MUST_CLOSE:
                break
            connection.start_next_cycle()
        else:
            break
    seen = [(each.method, each.target, each.body) for each in reading.requests]
    assert found[: len(seen)] == seen
    assert len(found) <= len(seen) + bool(reading.rest)


async def _batch(address: Address, cases: list[Case]) -> None:
    """Send the requests of all cases alone, then the cases; report differences."""
    requests = [request for case in cases for request in case.reading.requests]
    start = await _offset(address)
    alone = await _at_once(_alone(address, request) for request in requests)
    answers = iter(alone)
    for case in cases:
        found = [next(answers) for _ in case.reading.requests]
        last = next((place for place, each in enumerate(found) if each.is_last), len(found))
        case.expected = found[: last + 1]
    published = set(await _published(address, start))
    start = await _offset(address)
    await _at_once(_talk(address, case) for case in cases)
    ran = await _published(address, start)
    for case in cases:
        if not case.trouble:
            case.trouble = _compare(case)
        for request in case.run:
            if request.target == b"/sources/events":
                ran.subtract(name for name in _ids(request.body) if name in published)
    for case in cases:
        if b"/sources/" in case.reading.target and len(case.run) == len(case.reading.requests):
            # Records before a malformed or missing end of a body may have been published.
            for name in _ids(case.reading.body):
                ran[name] -= ran[name] > 0
    wrong = {name: count for name, count in ran.items() if count}
    if wrong:
        cases[0].trouble += f" published too often (or, where negative, not): {wrong}"


def _compare(case: Case) -> str:
    """Report wrong responses."""
    for number, (given, expected) in enumerate(zip(case.answers, case.expected, strict=False)):
        head = case.reading.requests[number].raw.partition(b"\r\n\r\n")[0].lower()
        if not given.is_whole and b"content-encoding" in head:
            # How much came of such a body before it turned out to be none depends on its pieces.
            given, expected = replace(given, body=b""), replace(expected, body=b"")
        if given != expected:
            request = case.reading.requests[number].raw[:300]
            return f"answer {number} to {request!r} is\n  {given}\nand alone it is\n  {expected}"
    missing = len(case.expected) - len(case.answers)
    if missing > 0:
        return f"{missing} answers of {len(case.expected)} are missing"
    more = case.answers[len(case.expected) :]
    ended = bool(case.expected) and case.expected[-1].is_last
    allowed = 0 if ended or not case.reading.rest else 1
    if len(more) > allowed:
        return f"{len(more)} answers too many, the first is\n  {more[0]}"
    # Where the head is one, a response may have begun before its body turned out to be none.
    if more and not (case.reading.target or more[0].status >= 400):
        return f"what is no request, {case.reading.rest[:300]!r}, is answered\n  {more[0]}"
    return ""


async def _alone(address: Address, request: Request) -> Answer:
    reader = AnswerReader([(request.method, request.target)])
    async with _connected(address) as connection:
        sending = asyncio.ensure_future(_send(connection, [request.raw], 0))
        try:
            async with asyncio.timeout(_PATIENCE):
                while not reader.answers and (data := await _receive(connection)):
                    reader.feed(data)
            if not reader.answers:
                reader.end()
        finally:
            sending.cancel()
    assert reader.answers, request.raw[:300]
    return reader.answers[0]


async def _talk(address: Address, case: Case) -> None:
    reader = AnswerReader([(each.method, each.target) for each in case.reading.requests])
    started = time.monotonic()
    try:
        async with _connected(address) as connection:
            sending = asyncio.ensure_future(
                _send(connection, case.pieces, case.pause, half_close=case.half_close)
            )
            try:
                async with asyncio.timeout(_PATIENCE):
                    await _read(connection, reader, None if case.half_close else case)
            finally:
                sending.cancel()
    except TimeoutError:
        case.trouble = f"no end after {len(reader.answers)} answers of {len(case.expected)}"
    except (AssertionError, ValueError) as error:
        case.trouble = f"behind {len(reader.answers)} answers: {error!r}"
    case.answers = reader.answers
    seconds = time.monotonic() - started
    if seconds > _LONG and not case.trouble:
        case.trouble = f"it took {seconds:.1f} seconds"


async def _read(connection: socket.socket, reader: AnswerReader, case: Case | None) -> None:
    """Read until the connection ends, or until no data follows the last response."""
    while case is None or len(reader.answers) < len(case.expected):
        data = await _receive(connection)
        if not data:
            reader.end()
            return
        reader.feed(data)
    if case.is_live:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_QUIET):
            while data := await _receive(connection):
                reader.feed(data)
    reader.end()


@contextlib.asynccontextmanager
async def _connected(address: Address) -> AsyncIterator[socket.socket]:
    # asyncio streams lose received data when sending fails.
    with socket.socket() as connection:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, address)
        yield connection


async def _send(
    connection: socket.socket, pieces: list[bytes], pause: float, *, half_close: bool = False
) -> None:
    with contextlib.suppress(OSError):
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(pause)
            await asyncio.get_running_loop().sock_sendall(connection, piece)
        if half_close:
            connection.shutdown(socket.SHUT_WR)


async def _receive(connection: socket.socket) -> bytes:
    try:
        return await asyncio.get_running_loop().sock_recv(connection, 1 << 16)
    except ConnectionError:
        return b""


async def _at_once(jobs: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(job: Coroutine[Any, Any, Result]) -> Result:
        async with room:
            return await job

    return await asyncio.gather(*map(one, jobs))


async def _ask(address: Address, target: str, body: bytes, end: bytes) -> bytes:
    """Send a request, and return the body of its response when that has come to an end."""
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    async with _connected(address) as connection:
        await asyncio.get_running_loop().sock_sendall(connection, head.encode() + body)
        data = b""
        while end not in data.partition(b"\r\n\r\n")[2]:
            more = await _receive(connection)
            assert more, data
            data += more
    assert data.startswith(b"HTTP/1.1 200 "), data
    return data.partition(b"\r\n\r\n")[2]


async def _offset(address: Address) -> str:
    """Return the offset after all published records."""
    return str(json.loads(await _ask(address, "/sources/events", b"", b"}"))["offset"])


def _ids(body: bytes) -> list[bytes]:
    """Find the ids in a body, which may have a content coding, and may be damaged."""
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    found = b""
    with contextlib.suppress(zlib.error):
        for byte in body:
            found += decoder.decompress(bytes([byte]))
    return _ID.findall(found or body)


async def _published(address: Address, start: str) -> Counter[bytes]:
    """Count the ids of records published after an offset."""
    last = b'{"id":"end"}\n'
    await _ask(address, "/sources/events", last, b"}")
    wanted = json.dumps({"source": "events", "from": start, "processor": "pass"})
    data = await _ask(address, "/real-time-process", wanted.encode(), last)
    found = Counter(_ID.findall(re.sub(rb"\r\n[0-9a-f]+\r\n", b"", data)))
    del found[b"end"]
    return found


async def fill(server: Server) -> None:
    """Publish the records for endless responses."""
    lines = b"".join(b'{"id":"%d"}\n' % number for number in range(3))
    await _ask((server.host, server.port), "/sources/fixed", lines, b"}")
