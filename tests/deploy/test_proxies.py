"""Streams through load balancers: full duplex, balancing, backpressure, lost connections."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import threading
import time

import pytest

from tests.deploy.conftest import StartProxy
from tests.deploy.proxies import Proxy
from tests.server.raw import Cut, RawStream
from tests.servers import Server, StartServer, wait_until

pytestmark = pytest.mark.long

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'


def exchange(stream: RawStream, number: int) -> None:
    """Send a record, and read its result while the request stays open."""
    stream.send(RECORD % number)
    assert stream.read_line() == RESULT % number


def status_of(proxy: Proxy, path: str, method: str = "GET", **headers: str) -> int:
    # Not the address from which the proxy connects to the servers.
    connection = http.client.HTTPConnection(
        *proxy.address, timeout=60, source_address=("127.0.0.2", 0)
    )
    connection.request(method, path, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_results_come_while_records_are_sent(proxy: Proxy) -> None:
    with RawStream(proxy.address) as stream:
        assert stream.read_head() == 200
        assert stream.headers["transfer-encoding"] == "chunked"
        for number in range(20):
            exchange(stream, number)
        stream.send(b"".join(RECORD % number for number in range(20, 20_000)))
        stream.end()
        assert stream.read_rest() == b"".join(RESULT % number for number in range(20, 20_000))


def test_a_flood_comes_through(proxy: Proxy) -> None:
    """At times both directions are full: a proxy that stops reading one of them would hang."""
    batch = b"".join(RECORD % number for number in range(10_000))
    due = b"".join(RESULT % number for number in range(10_000))
    for _ in range(5):
        with RawStream(proxy.address, timeout=60) as stream:
            sender = threading.Thread(target=stream.send_many, args=(batch,), kwargs={"times": 50})
            sender.start()
            got = 0
            while got < 50 * len(due):
                piece = stream.read_some()
                at = got % len(due)
                assert (due + due)[at : at + len(piece)] == piece or len(piece) > len(due)
                got += len(piece)
            sender.join()
            stream.end()
            assert stream.read_rest() == b""


def test_heartbeats_come_through(proxy: Proxy) -> None:
    with RawStream(proxy.address, headers={"Forst-Frames": "1"}) as stream:
        exchange(stream, 1)
        assert [stream.read_line() for _ in range(4)] == [b":ack 1\n"] * 4
        stream.end()
        assert stream.read_rest().splitlines()[-1].startswith(b":end {")


def test_streams_are_spread(proxy: Proxy, servers: list[Server]) -> None:
    def counts() -> list[int]:
        return [server.open_streams() for server in servers]

    with contextlib.ExitStack() as stack:
        of_first = []
        for number in range(6):
            before = counts()
            stream = RawStream(proxy.address, headers={"Connection": "close"})
            stack.enter_context(stream)
            exchange(stream, number)
            if counts()[0] > before[0]:
                of_first.append(stream)
        assert counts() == [3, 3]
        for stream in of_first[:2]:
            stream.end()
            stream.read_rest()
            assert stream.socket.recv(1) == b""
        assert counts() == [1, 3]
        # New streams go to the server with fewer streams.
        for _ in range(2):
            exchange(stack.enter_context(RawStream(proxy.address)), 1)
        assert counts() == [3, 3]


def test_a_server_that_is_not_there_is_passed_over(proxy: Proxy, servers: list[Server]) -> None:
    servers[0].stop(signal.SIGKILL)
    for _ in range(6):
        with RawStream(proxy.address) as stream:
            exchange(stream, 1)
            stream.end()
            assert stream.read_rest() == b""


def test_a_cut_is_no_end(proxy: Proxy, servers: list[Server]) -> None:
    with RawStream(proxy.address) as stream:
        exchange(stream, 1)
        (server,) = (server for server in servers if server.open_streams())
        server.stop(signal.SIGKILL)
        with pytest.raises(Cut):
            stream.read_line()


def test_a_client_that_goes_is_gone(proxy: Proxy, servers: list[Server]) -> None:
    with RawStream(proxy.address) as stream:
        exchange(stream, 1)
        assert sum(map(Server.open_streams, servers)) == 1
    wait_until(lambda: sum(map(Server.open_streams, servers)) == 0)


def test_a_stopped_reader_stops_its_sender(proxy: Proxy, servers: list[Server]) -> None:
    """Without backpressure a sender would fill the memory of a peer, with a gigabyte per second."""
    batch = b"".join(RECORD % number for number in range(10_000))
    with RawStream(proxy.address, receive_buffer=1 << 16) as stream:
        exchange(stream, 1)
        (server,) = (server for server in servers if server.open_streams())
        before = server.rss(), proxy.rss()
        sent = 0
        stream.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                sent += stream.socket.send(b"%x\r\n%b\r\n" % (len(batch), batch))
        most = max(server.rss() - before[0], proxy.rss() - before[1])
        # The socket buffers on the way are bounded by kernel settings.
        assert sent < 200 << 20
        assert most < 16 << 20


def test_strangers_are_turned_away_by_the_server(
    start_one: StartServer, start_proxy: StartProxy
) -> None:
    options = ("--allow-host", "streams.example.com")
    servers = [start_one(*options, env={"FORSTCORE_TOKEN": "hush"}) for _ in range(2)]
    proxy = start_proxy(servers)
    name, token = {"Host": "streams.example.com"}, {"Authorization": "Bearer hush"}
    assert status_of(proxy, "/version", **name, **token) == 200
    assert status_of(proxy, "/version", **name) == 401
    assert status_of(proxy, "/version", Host="other.example.com", **token) == 403
    assert status_of(proxy, "/version", Origin="http://other.test", **name, **token) == 403
    assert status_of(proxy, "/readyz") == 200


def test_the_client_is_named(start_one: StartServer, start_checking_proxy: StartProxy) -> None:
    servers = [start_one("--trusted-proxy", "127.0.0.1") for _ in range(2)]
    proxy = start_checking_proxy(servers)
    assert status_of(proxy, "/metrics") == 404
    said = {"X-Forwarded-For": "192.0.2.7"}
    assert status_of(proxy, "/streaming-process", "POST", **said) == 200
    for server in servers:
        server.stop()
    logged = [json.loads(line) for server in servers for line in server.process.stderr or ()]
    # The address seen by the proxy, whatever header the client sent.
    assert [entry["client"] for entry in logged] == ["127.0.0.2"]


def test_a_server_on_its_way_out_gets_no_new_streams(
    start_one: StartServer, start_checking_proxy: StartProxy
) -> None:
    servers = [start_one("--drain-delay", "4"), start_one()]
    proxy = start_checking_proxy(servers)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(RawStream(proxy.address)) for _ in range(2)]
        for stream in streams:
            exchange(stream, 1)
        assert [server.open_streams() for server in servers] == [1, 1]
        servers[0].process.send_signal(signal.SIGTERM)
        # Health checks run every second.
        time.sleep(2)
        for _ in range(4):
            exchange(stack.enter_context(RawStream(proxy.address)), 1)
        assert [server.open_streams() for server in servers] == [1, 5]
        for stream in streams:
            exchange(stream, 2)
        assert servers[0].process.wait(timeout=60) == 0
        exchange(stack.enter_context(RawStream(proxy.address)), 1)


def test_a_full_server_gets_no_new_streams(
    start_one: StartServer, start_checking_proxy: StartProxy
) -> None:
    servers = [start_one("--max-streams", "2"), start_one()]
    proxy = start_checking_proxy(servers)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            exchange(stack.enter_context(RawStream(proxy.address)), 1)
        assert [server.open_streams() for server in servers] == [2, 2]
        time.sleep(2)
        for _ in range(4):
            exchange(stack.enter_context(RawStream(proxy.address)), 1)
        assert [server.open_streams() for server in servers] == [2, 6]


def test_counts_behind_the_response_break_nothing(proxy: Proxy) -> None:
    with RawStream(proxy.address, headers={"TE": "trailers"}) as stream:
        stream.send(b"junk\n")
        stream.end()
        assert stream.read_rest() == b""
        # nginx drops trailers that the client has not asked for.
        if proxy.kind == "haproxy":
            names = {name.lower(): value for name, value in stream.trailers.items()}
            assert (names["forst-lines"], names["forst-errors"]) == ("1", "1")
    with RawStream(proxy.address) as stream:
        exchange(stream, 1)
