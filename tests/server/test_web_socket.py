"""WebSockets: what clients send frame by frame, and how both sides close."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.raw_socket import BINARY, CLOSE, HANDSHAKE, PING, PONG, TEXT, RawSocket, frame
from tests.server.requests import RECORD, RESULT, TOKEN, ask
from tests.servers import Server, StartServer, launch, wait_until

# A processor in examples/processors.py takes a dataclass.
pytest.importorskip("msgspec", reason="needs msgspec")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = launch("--max-line-size", "2000", "--processors", "examples/processors.py")
    try:
        yield started
        assert started.stop() == 0
        assert started.process.stderr is not None
        usual = ("{", "processor '")
        assert [line for line in started.process.stderr if not line.startswith(usual)] == []
    finally:
        started.kill()


def test_each_text_message_is_a_line(server: Server) -> None:
    with RawSocket(server) as stream:
        for number in range(3):
            stream.send(TEXT, (RECORD % number).rstrip(b"\n"))
            assert stream.frame() == (TEXT, RESULT % number)
        stream.send(TEXT, RECORD % 3 + RECORD % 4)
        assert b"".join(stream.message() for _ in range(1)) == RESULT % 3 + RESULT % 4
        stream.send(TEXT, b":end")
        assert stream.closed() == (1000, "")
        stream.send(CLOSE, (1000).to_bytes(2))
        stream.until_end()


def test_binary_messages_are_cut_anywhere(server: Server) -> None:
    body = b"".join(RECORD % number for number in range(20))[:-1]
    with RawSocket(server, "forst-frames=1") as stream:
        for place in range(len(body)):
            stream.send(BINARY, body[place : place + 1])
        stream.send(TEXT, b":end\n")
        found = b""
        while b":end " not in found:
            found += stream.message()
        results = [line for line in found.splitlines() if not line.startswith(b":")]
        assert results == [(RESULT % number).rstrip(b"\n") for number in range(20)]
        assert stream.closed() == (1000, "")


@pytest.mark.parametrize("path", ["/large-dataset-stream", "/enrich"])
def test_other_endpoints(server: Server, path: str) -> None:
    with RawSocket(server, path=path) as stream:
        stream.send(TEXT, RECORD % 1)
        assert json.loads(stream.message())["id"] == "1"
        stream.send(TEXT, b":end")
        assert stream.closed() == (1000, "")


def test_headers_may_stand_in_the_query(server: Server) -> None:
    with RawSocket(server, 'forst-on-error=emit&forst-first-line=7&filter={"id":"x"}') as stream:
        stream.send(TEXT, b"[]")
        line = json.loads(stream.message())
        assert (line["line"], line["status"]) == (7, "error")
    answer = ask(server, "GET /streaming-process?forst-on-error=x HTTP/1.1\nHost: x.test")
    assert answer.status == 403


def test_fragments_with_pings_between_are_one_message(server: Server) -> None:
    with RawSocket(server) as stream:
        record = RECORD % 1
        stream.send(TEXT, record[:5], final=False)
        stream.send(PING, b"in between")
        stream.send(0, record[5:9], final=False)
        stream.send(0, record[9:])
        assert stream.frame() == (PONG, b"in between")
        assert stream.frame() == (TEXT, RESULT % 1)


def test_frames_that_come_with_the_handshake_are_not_lost(server: Server) -> None:
    """A client that does not wait sends a frame, which is never read as a request."""
    with RawSocket(server, behind=frame(TEXT, RECORD % 1)) as stream:
        assert stream.message() == RESULT % 1


def test_requests_behind_the_handshake_are_not_taken_for_requests(server: Server) -> None:
    request = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with RawSocket(server, behind=request) as stream:
        assert stream.closed()[0] == 1002
        stream.until_end()
    refused = f"GET /version HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}\r\n".encode()
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(refused + request)
        answers = b""
        while data := connection.recv(1 << 16):
            answers += data
    assert answers.count(b"HTTP/1.1 ") == 1


BROKEN = {
    "not masked": (frame(TEXT, RECORD % 1, masked=False), 1002),
    "not masked, after one that is": (
        frame(TEXT, RECORD % 1) + frame(PING, masked=False),
        1002,
    ),
    "invalid UTF-8": (frame(TEXT, b'{"id":"\xff"}'), 1007),
    "invalid UTF-8, in fragments": (
        frame(TEXT, b'{"id":"\xc3', final=False) + frame(0, b'"}'),
        1007,
    ),
    "compressed, although that was not agreed": (frame(TEXT, b"x", flags=0x40), 1002),
    "an unknown opcode": (frame(3, b"x"), 1002),
    "a continuation of nothing": (frame(0, b"x"), 1002),
    "a message within another": (frame(TEXT, b"x", final=False) + frame(TEXT, b"x"), 1002),
    "a long ping": (frame(PING, b"x" * 126), 1002),
    "a ping in fragments": (frame(PING, b"x", final=False), 1002),
    "too long a message": (frame(TEXT, b"x" * (1 << 20) + b"x" * 100), 1009),
    "too long a message in fragments": (
        frame(TEXT, b"x" * (1 << 20), final=False) + frame(0, b"x" * 100),
        1009,
    ),
    "no number for :room": (frame(TEXT, b":room x"), 1008),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_protocol_ends_the_stream(server: Server, name: str) -> None:
    data, code = BROKEN[name]
    with RawSocket(server, "room=10000") as stream:
        stream.socket.sendall(data)
        assert stream.closed()[0] == code
        stream.until_end()
    with RawSocket(server) as stream:
        stream.send(TEXT, RECORD % 1)
        assert stream.message() == RESULT % 1


def test_who_still_sends_a_message_that_is_too_long_learns_why(server: Server) -> None:
    data = frame(TEXT, b"x" * (3 << 20))
    with RawSocket(server) as stream:
        stream.socket.sendall(data[:100])
        code, _ = stream.closed()
        time.sleep(0.2)  # A connection that is closed at once is closed then.
        stream.socket.sendall(data[100:])
        stream.until_end()
        assert code == 1009


def test_too_long_a_line_is_an_error_of_its_own(server: Server) -> None:
    with RawSocket(server, "forst-on-error=emit") as stream:
        stream.send(TEXT, b'{"id":"%b"}' % (b"x" * 3000))
        assert json.loads(stream.message())["code"] == "line_too_long"
        stream.send(TEXT, RECORD % 1)
        assert stream.message() == RESULT % 1


def test_a_client_that_closes_early_has_disconnected(server: Server) -> None:
    def ended() -> float:
        return server.figure("streams_total", outcome="disconnected")

    for leave in (frame(CLOSE, (1001).to_bytes(2)), frame(CLOSE), b""):
        before = ended()
        with RawSocket(server) as stream:
            stream.send(TEXT, RECORD % 1)
            assert stream.message() == RESULT % 1
            if leave:
                stream.socket.sendall(leave)
                assert stream.closed()[0] in (1000, 1001)
            else:
                stream.socket.shutdown(socket.SHUT_WR)
            stream.until_end()
            wait_until(lambda before=before: ended() > before)  # type: ignore[misc]
    assert server.open_streams() == 0
    assert server.figure("page_streams_open") == 0


def test_sockets_are_counted(server: Server) -> None:
    # Those of the tests before may still be closing.
    wait_until(lambda: server.open_streams() == 0)
    with RawSocket(server) as stream:
        stream.send(TEXT, RECORD % 1)
        stream.message()
        assert server.figure("page_streams_open", carrier="web_socket") == 1
        assert server.open_streams() == 1
    wait_until(lambda: server.figure("page_streams_open", carrier="web_socket") == 0)


HANDSHAKES = {
    "no upgrade": ("Connection: close\r\n", 426),
    "another version": (HANDSHAKE.replace("13", "12"), 400),
    "no key": (HANDSHAKE.rpartition("Sec-WebSocket-Key")[0], 400),
    "a short key": (HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ", "dGhl"), 400),
    "no connection header": (HANDSHAKE.replace("Connection: Upgrade\r\n", ""), 400),
    "a body": (HANDSHAKE + "Content-Length: 1\r\n", 400),
    "a chunked body": (HANDSHAKE + "Transfer-Encoding: chunked\r\n", 400),
    "another origin": (HANDSHAKE + "Origin: https://x.test\r\n", 403),
    "no origin": (HANDSHAKE + "Origin: null\r\n", 403),
    "another host": (HANDSHAKE.replace("Upgrade", "Upgrade", 1) + "Host: x.test\r\n", 400),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_handshakes_that_are_refused(server: Server, name: str) -> None:
    headers, status = HANDSHAKES[name]
    head = f"GET /streaming-process HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
    behind = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n" if "body" in name else b""
    answer = ask(server, head.encode() + behind)
    assert answer.status == status
    answer.problem()


def test_posts_that_ask_for_an_upgrade_are_posts(server: Server) -> None:
    record = (RECORD % 1).decode()
    head = f"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}"
    request = f"{head}Content-Length: {len(record)}\r\n\r\n{record}"
    answer = ask(server, request.encode() + b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (answer.status, answer.body) == (200, RESULT % 1)


def test_nothing_is_compressed(server: Server) -> None:
    more = "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: a, b\r\n"
    with RawSocket(server, headers=more) as stream:
        assert "sec-websocket-extensions" not in stream.head
        assert "sec-websocket-protocol" not in stream.head


def test_room_bounds_both_directions(server: Server) -> None:
    """A page that grants no more room receives no more results, however much it sends."""
    batch = b"".join(RECORD % number for number in range(100))
    with RawSocket(server, "room=5000&forst-frames=1") as stream:
        room = sent = received = taken = 0
        stream.socket.settimeout(1)
        try:
            while True:
                if sent < room:
                    stream.send(BINARY, batch)
                    sent += len(batch)
                    continue
                kind, data = stream.frame()
                if kind == TEXT:
                    room = int(data.removeprefix(b":room "))
                elif kind == BINARY:
                    received += len(data)
        except TimeoutError:
            pass
        assert 5000 <= received < 5000 + 400_000
        assert sent < 1_000_000
        stream.socket.settimeout(60)
        # As the page grants more room, the rest arrives.
        stream.send(TEXT, b":end")
        last = b""
        while b":end {" not in last:
            taken = received + 100_000
            stream.send(TEXT, b":room %d" % taken)
            kind, last = stream.frame()
            if kind == BINARY:
                received += len(last)
        assert json.loads(last.rpartition(b":end ")[2])["bytes_in"] == sent


def test_a_client_that_ignores_room_is_cut(server: Server) -> None:
    with RawSocket(server, "room=0&forst-frames=1") as stream:
        batch = b"".join(RECORD % number for number in range(30_000))[: 1 << 19]
        try:
            for _ in range(10):
                stream.send(BINARY, batch)
            assert stream.closed()[0] == 1008
        except ConnectionError:
            pass  # It was cut while sending.
    wait_until(lambda: server.open_streams() == 0)


def test_a_client_that_does_not_read_is_backpressure(start_server: StartServer) -> None:
    server = start_server("--stall", "60")
    with RawSocket(server, receive_buffer=1 << 14) as stream:
        batch = b"".join(RECORD % number for number in range(10_000))
        stream.socket.settimeout(2)
        before = server.rss()
        sent = 0
        try:
            while sent < 400:
                stream.send(BINARY, batch)
                sent += 1
        except TimeoutError:
            pass
        assert 0 < sent < 400
        assert server.rss() - before < 30_000_000


@pytest.mark.parametrize("reads", [True, False])
def test_a_flood_of_pings_delays_nobody(server: Server, reads: bool) -> None:
    with RawSocket(server, receive_buffer=1 << 14) as flood, RawSocket(server) as other:
        pings = frame(PING, b"x" * 100) * 5000
        before = server.rss()
        flood.socket.settimeout(1)
        until = time.monotonic() + 3
        try:
            while time.monotonic() < until:
                flood.socket.sendall(pings)
                if reads:
                    pongs = 0
                    while pongs < 5000:
                        pongs += flood.frame()[0] == PONG
                other.send(TEXT, RECORD % 1)
                assert other.message() == RESULT % 1
        except TimeoutError:
            assert not reads
        other.send(TEXT, RECORD % 2)
        assert other.message() == RESULT % 2
        assert server.rss() - before < 30_000_000


def test_idle_sockets_get_pings_and_those_that_answer_stay(start_server: StartServer) -> None:
    server = start_server("--heartbeat", "0.2", "--timeout", "2")
    path = "/real-time-process"
    with (
        RawSocket(server, "source=events", path) as alive,
        RawSocket(server, "source=events", path) as dead,
    ):
        until = time.monotonic() + 5
        pings = 0
        while time.monotonic() < until:
            kind, data = alive.frame()
            if kind == PING:
                pings += 1
                alive.send(PONG, data)
        assert pings >= 3
        assert dead.closed() == (1013, "timeout")
        alive.send(PING, b"?")
        while alive.frame() != (PONG, b"?"):
            pass


def test_an_idle_upload_times_out(start_server: StartServer) -> None:
    server = start_server("--timeout", "0.5")
    with RawSocket(server, "forst-frames=1") as stream:
        stream.send(TEXT, RECORD % 1)
        message = b""
        while not message.startswith(b":error "):
            message = stream.message()
        assert json.loads(message.removeprefix(b":error "))["code"] == "timeout"
        assert stream.closed() == (1013, "timeout")


@pytest.mark.parametrize("path", ["/streaming-process", "/large-dataset-stream"])
def test_a_server_that_shuts_down_closes_with_1012(start_server: StartServer, path: str) -> None:
    server = start_server()
    with RawSocket(server, "forst-frames=1", path) as stream, RawSocket(server) as plain:
        for each in (stream, plain):
            each.send(TEXT, RECORD % 1)
        assert stream.message().startswith(RESULT % 1)
        assert plain.message() == RESULT % 1
        server.process.send_signal(signal.SIGTERM)
        message = b""
        while not message.startswith(b":error "):
            message = stream.message()
        assert json.loads(message.removeprefix(b":error "))["code"] == "draining"
        for each in (stream, plain):
            assert each.closed() == (1012, "draining")
            each.send(CLOSE, (1012).to_bytes(2))
            each.until_end()
        assert server.process.wait(20) == 0


def test_streams_are_limited(start_server: StartServer) -> None:
    server = start_server("--max-streams", "1")
    with RawSocket(server) as stream:
        stream.send(TEXT, RECORD % 1)
        stream.message()
        head = f"GET /streaming-process HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}\r\n"
        assert ask(server, head.encode()).status == 503


def test_a_ticket_opens_a_socket(start_server: StartServer, token_file: str) -> None:
    server = start_server("--token-file", token_file)
    head = f"HTTP/1.1\nHost: localhost\nContent-Length: 0\nAuthorization: Bearer {TOKEN}"
    ticket = json.loads(ask(server, f"POST /tickets {head}").body)["ticket"]
    with RawSocket(server, f"ticket={ticket}") as stream:
        stream.send(TEXT, RECORD % 1)
        assert stream.message() == RESULT % 1
    refused = f"GET /streaming-process HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}\r\n"
    assert ask(server, refused.encode()).status == 401


def test_live_streams_with_acknowledgements(server: Server, tmp_path: Path) -> None:
    path = "/real-time-process"
    with RawSocket(server, "source=events&forst-frames=1&from=start", path) as live:
        assert live.message().startswith(b":offset ")
        records = (RECORD % 1).decode()
        head = f"POST /sources/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(records)}"
        ask(server, f"{head}\r\n\r\n{records}".encode())
        assert live.lines(3)[0] == (RESULT % 1).rstrip(b"\n")
    query = "source=events&forst-frames=1&forst-ack=1"
    with RawSocket(server, query, path) as live:
        live.message()
        live.send(TEXT, b":ack x")
        message = b""
        while not message.startswith(b":error "):
            message = live.message()
        assert json.loads(message.removeprefix(b":error "))["code"] == "bad_ack"
