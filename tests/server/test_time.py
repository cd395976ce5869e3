"""Timeouts for every kind of inactivity."""

from __future__ import annotations

import json
import socket
import time

import pytest

from tests.server.raw import RawStream
from tests.servers import Server, StartServer, wait_until

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'


def closed_after(connection: socket.socket) -> float:
    """Wait for the other side to close; return the seconds that took."""
    started = time.monotonic()
    connection.settimeout(20)
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - started


def dribble(connection: socket.socket, seconds: float) -> None:
    """Send a byte now and then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection.sendall(b"X")
        time.sleep(0.05)


def test_a_silent_client_is_cut_off(start_server: StartServer) -> None:
    server = start_server("--timeout", "0.5")
    with RawStream((server.host, server.port)) as request:
        request.send(RECORD % 1)
        assert request.read_line() == RESULT % 1
        started = time.monotonic()
        assert request.read_until_cut() == b""
        assert time.monotonic() - started > 0.4


def test_a_slow_client_lives_as_long_as_it_moves(start_server: StartServer) -> None:
    server = start_server("--timeout", "1.5")
    with RawStream((server.host, server.port)) as request:
        for byte in b'{"id":"1"}\n':
            request.send(bytes([byte]))
            time.sleep(0.2)
        assert request.read_line().startswith(b'{"id":"1"')


def test_a_client_that_vanished_is_found(start_server: StartServer) -> None:
    # It sent much and reads nothing, and its kernel never closes the connection.
    server = start_server("--timeout", "1", "--max-spool-size", "0")
    chunk = b"".join(RECORD % number for number in range(50_000))
    with RawStream((server.host, server.port), receive_buffer=4096) as request:
        request.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            request.send_many(chunk, times=100)
        wait_until(lambda: server.open_streams() == 0)


@pytest.mark.parametrize("sent", [b"", b"POST /streaming-pro", b"POST / HTTP/1.1\r\nHost: x\r\n"])
def test_a_slow_head_is_cut_off(start_server: StartServer, sent: bytes) -> None:
    server = start_server("--header-timeout", "0.5")
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(sent)
        assert closed_after(connection) < 14  # The default is 15.


def test_a_head_that_dribbles_is_cut_off_all_the_same(start_server: StartServer) -> None:
    server = start_server("--header-timeout", "0.5")
    started = time.monotonic()
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(b"GET /")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            dribble(connection, 60)
        assert time.monotonic() - started < 14  # The default is 15.


def test_a_half_closed_client_gets_its_results(server: Server) -> None:
    body = RECORD % 1 + RECORD % 2
    head = b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(head % len(body) + body)
        connection.shutdown(socket.SHUT_WR)
        got = b""
        while data := connection.recv(65536):
            got += data
    assert RESULT % 1 in got
    assert got.endswith(b"0\r\n\r\n")


def test_a_body_that_ends_too_soon_is_no_end(server: Server) -> None:
    with RawStream((server.host, server.port)) as request:
        request.send(RECORD % 1 + RECORD % 2)
        assert request.read_line() == RESULT % 1
        request.socket.shutdown(socket.SHUT_WR)
        assert request.read_until_cut() == RESULT % 2


def test_a_malformed_body_is_reported(server: Server) -> None:
    with RawStream((server.host, server.port), headers={"Forst-Frames": "1"}) as request:
        request.send(RECORD % 1)
        assert request.read_line() == RESULT % 1
        request.socket.sendall(b"this is no chunk size\r\n")
        last = request.read_rest().splitlines()[-1]
    assert json.loads(last.removeprefix(b":error "))["code"] == "malformed_body"
