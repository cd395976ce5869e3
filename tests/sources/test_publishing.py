"""Publishing by `POST /sources/{name}`, to sources in memory."""

from __future__ import annotations

import signal

from tests.server.raw import RawStream
from tests.servers import Server, StartServer, wait_until
from tests.sources.live import Subscription, publish

RECORD = b'{"id":"%d","data":"x"}\n'


def test_publishing_counts_and_skips_what_is_no_record(each_server: Server) -> None:
    with Subscription(each_server, processor="pass") as live:
        live.start()
        status, answer = publish(each_server, b'{"a":1}\n\nno\n[]\n{"b":2}')
        assert status == 200
        assert (answer["lines"], answer["records"], answer["errors"]) == (5, 2, 2)
        assert live.results(2) == [{"a": 1}, {"b": 2}]
        assert live.acked == 2
        assert live.offset == answer["offset"]


def test_publishing_can_fail_at_what_is_no_record(each_server: Server) -> None:
    with Subscription(each_server) as live:
        live.start()
        body = RECORD % 1 + b"[]\n" + RECORD % 2
        status, answer = publish(each_server, body, Forst_On_Error="fail")
        assert status == 422
        assert "line 2, byte 0: a record must be a JSON object" in answer["detail"]
        assert "1 record was published" in answer["detail"]
        publish(each_server, RECORD % 3)
        assert live.ids(2) == ["1", "3"]


def test_error_lines_have_no_place_in_a_source(each_server: Server) -> None:
    status, answer = publish(each_server, b"", Forst_On_Error="emit")
    assert status == 400
    assert "skip or fail" in answer["detail"]


def test_records_go_out_while_more_is_published(each_server: Server) -> None:
    address = (each_server.host, each_server.port)
    with Subscription(each_server) as live, RawStream(address, "/sources/events") as publisher:
        live.start()
        for number in range(5):
            publisher.send(RECORD % number)
            assert live.ids(1) == [str(number)]


def test_a_publisher_that_goes_away_has_published_its_whole_lines(each_server: Server) -> None:
    address = (each_server.host, each_server.port)
    with Subscription(each_server) as live:
        live.start()
        with RawStream(address, "/sources/events") as publisher:
            publisher.send(RECORD % 1 + b'{"id":"cu')
            assert live.ids(1) == ["1"]
        wait_until(lambda: each_server.open_streams() == 1)
        publish(each_server, RECORD % 2)
        assert live.ids(1) == ["2"]


def test_a_publisher_that_stops_is_ended(start_server: StartServer) -> None:
    server = start_server("--timeout", "0.5")
    with RawStream((server.host, server.port), "/sources/events") as publisher:
        publisher.send(RECORD % 1)
        assert publisher.read_head() == 408
        assert b"1 record was published" in publisher.read_rest()


def test_draining_ends_publishers(start_server: StartServer) -> None:
    server = start_server()
    with RawStream((server.host, server.port), "/sources/events") as publisher:
        publisher.send(RECORD % 1)
        wait_until(lambda: server.open_streams() == 1)
        server.process.send_signal(signal.SIGTERM)
        assert publisher.read_head() == 503
    assert server.process.wait(timeout=60) == 0
