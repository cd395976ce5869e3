"""Streams that the epoll fast path serves while the event loop is idle."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from forstcore import RecordStream, process_block
from server.config import ServerConfig
from server.http._chunked import ChunkedDecoder, ChunkedError
from server.http.control_lines import ControlLines
from server.process import event_loop
from server.process.notify import ServiceManager
from server.streams import core as streaming
from server.streams import fast_path
from server.streams._fast_path import AVAILABLE, FastPath
from server.worker import serve
from tests.server.raw import RawStream, chunk
from tests.servers import StartServer

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the fast path exists on Linux only")

RECORD = b'{"id":"1","data":"a"}\n'
RESULT = b'{"id":"1","result":"processed_a","status":"success"}\n'
ANY = 1 << 62


@dataclass
class Alone:
    """A connection and the loop's epoll, with nothing else in it."""

    near: socket.socket
    far: socket.socket
    epoll: select.epoll
    buffer: bytearray = field(default_factory=lambda: bytearray(4096))
    decoder: ChunkedDecoder = field(default_factory=ChunkedDecoder)
    stream: RecordStream = field(default_factory=lambda: RecordStream(on_error="emit"))

    def fast_path(
        self, frames: ControlLines | None = None, *, records_rejected: bool = False
    ) -> FastPath:
        return FastPath(
            self.epoll.fileno(),
            self.near.fileno(),
            self.buffer,
            self.decoder,
            self.stream,
            frames,
            records_rejected,
        )

    def answer(self) -> bytes:
        """Return the body of all that was sent back."""
        self.far.setblocking(False)
        received = b""
        with contextlib.suppress(BlockingIOError):
            while data := self.far.recv(1 << 20):
                received += data
        return body_of(received)


def body_of(coded: bytes) -> bytes:
    data = bytearray(coded)
    decoder = ChunkedDecoder()
    size = decoder.decode(data, len(data))
    return bytes(data[decoder.start : decoder.start + size])


@pytest.fixture
def alone() -> Iterator[Alone]:
    near, far = socket.socketpair()
    with near, far, select.epoll() as epoll:
        epoll.register(near, select.EPOLLIN)
        yield Alone(near, far, epoll)


def test_records_come_back(alone: Alone) -> None:
    served = alone.fast_path()
    alone.far.sendall(chunk(RECORD))
    assert served.run(ANY, ANY, ANY) == b""
    assert alone.answer() == RESULT
    alone.far.setblocking(True)
    alone.far.sendall(chunk(RECORD[:9]) + chunk(RECORD[9:] + RECORD))
    assert served.run(ANY, ANY, ANY) == b""
    assert alone.answer() == 2 * RESULT
    assert served.sent == 3 * (len(RESULT) + 12) - 12
    assert served.nanoseconds > 0


def test_nothing_to_read_is_waited_for_in_vain(alone: Alone) -> None:
    started = time.monotonic()
    served = alone.fast_path()
    assert served.run(ANY, ANY, ANY) == b""
    assert served.size == 0
    assert time.monotonic() - started >= 0.004


def test_another_descriptor_is_left_to_the_loop(alone: Alone) -> None:
    read, write = os.pipe()
    try:
        alone.epoll.register(read, select.EPOLLIN)
        os.write(write, b"x")
        alone.far.sendall(chunk(RECORD))
        served = alone.fast_path()
        assert served.run(ANY, ANY, ANY) == b""
        assert served.size == 0
        # The next wait still reports both events.
        assert {fd for fd, _ in alone.epoll.poll(0)} == {read, alone.near.fileno()}
        os.read(read, 1)
        assert served.run(ANY, ANY, ANY) == b""
        assert alone.answer() == RESULT
    finally:
        os.close(read)
        os.close(write)


def test_the_end_of_the_connection_is_left_to_the_loop(alone: Alone) -> None:
    alone.far.shutdown(socket.SHUT_WR)
    served = alone.fast_path()
    assert served.run(ANY, ANY, ANY) == b""
    assert alone.near.recv(1) == b""


def test_it_stops_behind_the_body(alone: Alone) -> None:
    alone.far.sendall(chunk(RECORD) + b"0\r\n\r\nGET /")
    served = alone.fast_path()
    assert served.run(ANY, ANY, ANY) == b""
    assert alone.decoder.finished
    assert alone.buffer[alone.decoder.rest : served.size] == b"GET /"
    assert alone.answer() == RESULT


def test_it_stops_at_the_error_that_ends_a_stream(alone: Alone) -> None:
    alone.stream = RecordStream(on_error="fail")
    alone.far.sendall(chunk(RECORD + b"{}}\n" + RECORD))
    assert alone.fast_path().run(ANY, ANY, ANY) == b""
    assert alone.stream.failed
    assert alone.answer().startswith(RESULT + b'{"status":"error","line":2,')


@pytest.mark.parametrize("records_rejected", [False, True])
def test_it_stops_where_rejected_lines_are_to_be_recorded(
    alone: Alone, records_rejected: bool
) -> None:
    alone.stream = RecordStream(on_error="emit", keep_rejected=True)
    served = alone.fast_path(ControlLines(alone.stream), records_rejected=records_rejected)
    alone.far.sendall(chunk((b"x" * 39 + b"\n") * 150))  # More than one buffer.
    assert served.run(ANY, ANY, ANY) == b""
    assert (alone.stream.lines < 150) is records_rejected
    assert alone.answer().count(b'{"status":"error"') == alone.stream.lines


def test_a_malformed_body(alone: Alone) -> None:
    alone.far.sendall(chunk(RECORD))
    served = alone.fast_path()
    assert served.run(ANY, ANY, ANY) == b""
    alone.far.setblocking(True)
    alone.far.sendall(b"xyz")
    with pytest.raises(ChunkedError, match="a chunk size"):
        served.run(ANY, ANY, ANY)


@pytest.mark.parametrize("limit", range(3))
def test_it_keeps_clear_of_limits(alone: Alone, limit: int) -> None:
    """Input that might exceed a limit is left to the code that checks it exactly."""
    limits = [ANY, ANY, ANY]
    limits[limit] = len(alone.buffer) - 1
    alone.far.sendall(chunk(RECORD))
    served = alone.fast_path()
    assert served.run(*limits) == b""
    assert (served.size, alone.stream.lines, alone.decoder.chunks) == (0, 0, 0)
    limits[limit] += 1
    assert served.run(*limits) == b""
    assert alone.answer() == RESULT
    alone.far.setblocking(True)
    alone.far.sendall(chunk(RECORD))
    assert served.run(*limits) == b""
    assert served.size == 0


def test_what_the_socket_does_not_take_comes_back(alone: Alone) -> None:
    alone.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    alone.far.setblocking(False)
    served = alone.fast_path()
    records = rest = b""
    while not rest:
        records += 50 * RECORD
        alone.far.sendall(chunk(50 * RECORD))
        rest = served.run(ANY, ANY, ANY)
    answered = b""
    with contextlib.suppress(BlockingIOError):
        while data := alone.far.recv(1 << 20):
            answered += data
    assert len(answered) == served.sent
    assert body_of(answered + rest) == process_block(records)


def test_a_reader_that_has_gone(alone: Alone) -> None:
    alone.far.sendall(chunk(RECORD))
    alone.far.shutdown(socket.SHUT_RD)
    assert body_of(alone.fast_path().run(ANY, ANY, ANY)) == RESULT


def test_a_turn_ends(alone: Alone) -> None:
    """A sender of small pieces that never stops does not keep the loop from its timers."""
    stop = threading.Event()
    answered: list[bytes] = []

    def send() -> None:
        with contextlib.suppress(BrokenPipeError):
            while not stop.is_set():
                alone.far.sendall(chunk(RECORD))

    def receive() -> None:
        while data := alone.far.recv(1 << 20):
            answered.append(data)

    threads = [threading.Thread(target=send), threading.Thread(target=receive)]
    for thread in threads:
        thread.start()
    served = alone.fast_path()
    # The sender never stops, so each of these calls has to end on its own.
    for _ in range(5):
        left = served.run(ANY, ANY, ANY)
        # The receiver's thread may not have had time to make room.
        while left:
            select.select([], [alone.near], [], 10)
            left = left[alone.near.send(left) :]
    stop.set()
    alone.near.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    assert alone.stream.lines > 5 * 10
    assert body_of(b"".join(answered)) == alone.stream.lines * RESULT


def test_the_buffer_must_be_writable() -> None:
    with pytest.raises(BufferError):
        FastPath(0, 0, b"read only", ChunkedDecoder(), RecordStream())


def test_the_garbage_collector_may_meet_it(alone: Alone) -> None:
    class Buffer(bytearray):
        user: FastPath | None = None

    buffer = Buffer(4096)
    alone.buffer = buffer
    buffer.user = alone.fast_path()
    left = weakref.ref(buffer)
    alone.buffer = bytearray()
    del buffer
    gc.collect()
    assert left() is None


def test_a_lone_stream_takes_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[FastPath | None] = []

    def watched(*arguments: object) -> FastPath | None:
        made.append(fast_path.fast_path_of(*arguments))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(streaming, "fast_path_of", watched)

    def talk(address: tuple[str, int]) -> list[bytes]:
        with RawStream(address) as stream:
            lines = []
            for _ in range(200):
                stream.send(RECORD)
                lines.append(stream.read_line())
            stream.end()
            lines.append(stream.read_rest())
            return lines

    async def main() -> list[bytes]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = ServerConfig(port=0, access_log=False)
            service = ServiceManager({})
            task = asyncio.create_task(
                serve(config, [listener], supervisor=None, read=lambda: config, service=service)
            )
            lines = await asyncio.to_thread(talk, listener.getsockname())
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return lines

    assert event_loop.run(main()) == 200 * [RESULT] + [b""]
    assert len(made) == 1
    assert made[0] is not None
    # The first record may have come with the head, and the loop has its turns.
    assert made[0].sent > 100 * len(RESULT)


def test_the_fast_path_leaves_room_for_others(start_server: StartServer) -> None:
    server = start_server()
    address = (server.host, server.port)
    with RawStream(address) as first, RawStream(address) as second:
        for _ in range(300):
            first.send(RECORD)
            second.send(RECORD)
            assert first.read_line() == RESULT
            assert second.read_line() == RESULT
        for stream in (first, second):
            stream.end()
            assert stream.read_rest() == b""


@pytest.mark.parametrize("option", ["--max-stream-records", "--max-stream-bytes"])
def test_limits_hold_to_the_record(start_server: StartServer, option: str) -> None:
    """The fast path leaves input close to a limit to the event loop, so the limit is exact."""
    records = 10_000
    limit = records if option == "--max-stream-records" else records * len(RECORD)
    server = start_server(option, str(limit))
    with RawStream((server.host, server.port), headers={"Forst-Frames": "0"}) as stream:
        for _ in range(records // 100):
            stream.send(100 * RECORD)
            for _ in range(100):
                assert stream.read_line() == RESULT
        stream.send(RECORD)
        # The limit of records is checked after processing one, that of bytes before.
        expected = RESULT if option == "--max-stream-records" else b""
        assert stream.read_until_cut() == expected
