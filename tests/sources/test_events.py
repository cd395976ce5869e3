"""Server-Sent Events: `GET /real-time-process`, and `POST` with `Accept: text/event-stream`."""

from __future__ import annotations

import http.client
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import pytest

from tests.server.requests import TOKEN, ask
from tests.servers import Server, StartServer, wait_until
from tests.sources.live import numbers, publish

RECORD = b'{"id":"%d","data":"x"}\n'


def records(first: int, end: int) -> bytes:
    return b"".join(RECORD % number for number in range(first, end))


@dataclass
class Event:
    """An event, as EventSource hands it out."""

    name: str
    data: str
    last_id: str

    @property
    def id(self) -> str:
        found: str = json.loads(self.data)["id"]
        return found


class EventSource:
    """Reads events as the HTML standard specifies."""

    def __init__(
        self,
        server: Server,
        *,
        last_id: str | None = None,
        method: str = "GET",
        **wanted: str,
    ) -> None:
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        wanted = {"source": "events", **{name.strip("_"): text for name, text in wanted.items()}}
        given = {"Accept": "text/event-stream"}
        if last_id is not None:
            given["Last-Event-ID"] = last_id
        target, body = f"/real-time-process?{urlencode(wanted)}", None
        if method == "POST":
            target, body = "/real-time-process", json.dumps(wanted)
        self._connection.request(method, target, body, given)
        self.response = self._connection.getresponse()
        self.last_id = ""
        self.retry = ""
        self.comments = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def block(self) -> Event | None:
        """Read up to a blank line; return the event, if there is one."""
        name, data = "", []
        while (line := self.response.readline()) != b"\n":
            if not line:
                raise EOFError
            assert b"\r" not in line
            field, _, text = line.decode().rstrip("\n").partition(":")
            text = text.removeprefix(" ")
            if field == "id":
                self.last_id = text
            elif field == "event":
                name = text
            elif field == "data":
                data.append(text)
            elif field == "retry":
                self.retry = text
            else:
                assert field == ""
                self.comments += 1
        return Event(name or "message", "\n".join(data), self.last_id) if data else None

    def next(self) -> Event:
        while (event := self.block()) is None:
            pass
        return event

    def take(self, count: int) -> list[Event]:
        return [self.next() for _ in range(count)]

    def start(self) -> str:
        """Wait until the reading has begun; return the id of that place."""
        while not self.last_id:
            assert self.block() is None
        return self.last_id

    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.response.read())
        return found


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_each_result_is_an_event(server: Server, method: str) -> None:
    with EventSource(server, method=method) as events:
        assert events.response.status == 200
        assert events.response.getheader("Content-Type") == "text/event-stream"
        start = events.start()
        assert events.retry == "1000"
        _, answer = publish(server, records(1, 4))
        found = events.take(3)
        assert [event.id for event in found] == ["1", "2", "3"]
        assert {event.name for event in found} == {"message"}
        assert len({start, *(event.last_id for event in found)}) == 4
        assert events.last_id == answer["offset"]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("after", range(6))
def test_it_goes_on_after_any_event(server: Server, after: int) -> None:
    """The ids of results within a batch resume exactly there, whatever came later."""
    with EventSource(server) as events:
        events.start()
        publish(server, records(0, 3))
        publish(server, records(3, 6))
        ids = [event.last_id for event in events.take(6)]
    publish(server, records(6, 8))
    with EventSource(server, last_id=ids[after]) as again:
        assert [event.id for event in again.take(7 - after)] == numbers(after + 1, 8)
        # Also from an id within the resumed part.
        middle = again.last_id
    publish(server, records(8, 10))
    with EventSource(server, from_=middle) as third:
        assert [event.id for event in third.take(2)] == numbers(8, 10)


def test_ids_within_resumed_batches_resume_too(server: Server) -> None:
    with EventSource(server) as events:
        events.start()
        publish(server, records(0, 9))
        last_id = events.next().last_id
    for number in range(1, 9):
        with EventSource(server, last_id=last_id) as events:
            event = events.next()
            assert event.id == str(number)
            last_id = event.last_id


def test_ids_count_results_and_not_records(server: Server) -> None:
    wanted = {"filters": '{"data":"y"}', "processor": "pass"}
    lines = b"".join(
        b'{"id":"%d","data":"%b"}\n' % (number, b"xy"[number % 2 : number % 2 + 1])
        for number in range(8)
    )
    with EventSource(server, **wanted) as events:
        events.start()
        publish(server, lines)
        found = events.take(4)
        assert [event.id for event in found] == ["1", "3", "5", "7"]
    with EventSource(server, last_id=found[1].last_id, **wanted) as events:
        assert [event.id for event in events.take(2)] == ["5", "7"]


def test_invalid_lines_are_events_with_a_name(server: Server) -> None:
    with EventSource(server, **{"forst-on-error": "emit"}) as events:
        events.start()
        publish(server, RECORD % 1 + b'{"id":2}\n' + RECORD % 3)
        found = events.take(3)
        assert [event.name for event in found] == ["message", "invalid", "message"]
        assert json.loads(found[1].data)["code"] == "wrong_type"
    with EventSource(server, last_id=found[0].last_id, **{"forst-on-error": "emit"}) as events:
        assert [event.name for event in events.take(2)] == ["invalid", "message"]


def test_white_space_of_records_does_not_end_lines(server: Server) -> None:
    with EventSource(server, processor="pass") as events:
        events.start()
        publish(server, b'{"id":\r"1",\r\r"data":"x"}\r\n')
        assert json.loads(events.next().data) == {"id": "1", "data": "x"}


def test_heartbeats_are_comments(start_one: StartServer) -> None:
    server = start_one("--heartbeat", "0.1")
    with EventSource(server) as events:
        events.start()
        while events.comments < 3:
            assert events.block() is None
        publish(server, RECORD % 1)
        assert events.next().id == "1"


def test_heartbeats_tell_the_offset_that_filters_have_reached(start_one: StartServer) -> None:
    server = start_one("--heartbeat", "0.1")
    with EventSource(server, filters='{"data":"y"}') as events:
        before = events.start()
        publish(server, records(0, 5))
        while events.last_id == before:
            assert events.block() is None
    assert events.last_id.endswith("-5")


def test_missed_records_are_told(start_one: StartServer) -> None:
    server = start_one("--ring-size", "65536")
    with EventSource(server) as events:
        start = events.start()
    for first in range(0, 8000, 1000):
        publish(server, records(first, first + 1000))
    with EventSource(server, last_id=f"{start};3") as events:
        missed = events.next()
        assert missed.name == "missed"
        assert events.next().id == missed.data


def test_a_stream_that_has_failed_for_good_is_not_read_again(server: Server) -> None:
    with EventSource(server, **{"forst-on-error": "fail"}) as events:
        events.start()
        publish(server, RECORD % 1 + b'{"id":2}\n')
        assert events.next().id == "1"
        while (event := events.next()).name != "failure":
            assert event.name == "invalid"
        assert json.loads(event.data)["code"] == "bad_record"
        with pytest.raises(EOFError):
            events.next()
    with EventSource(server, last_id=events.last_id) as events:
        assert events.response.status == 204
        assert events.response.read() == b""


def test_a_server_that_shuts_down_asks_to_come_back(start_one: StartServer) -> None:
    server = start_one()
    with EventSource(server) as events:
        events.start()
        publish(server, RECORD % 1)
        before = events.next().last_id
        server.process.send_signal(signal.SIGTERM)
        event = events.next()
        assert (event.name, event.last_id) == ("failure", before)
        assert json.loads(event.data)["code"] == "draining"
        with pytest.raises(EOFError):
            events.next()


def test_a_reader_that_pauses_misses_the_oldest(start_one: StartServer) -> None:
    server = start_one("--queue-size", "20000", "--ring-size", "100000000")
    with EventSource(server) as slow:
        slow.start()
        batch = b"".join(b'{"id":"%d","data":"%b"}\n' % (n, b"x" * 1000) for n in range(5000))
        before = server.rss()
        for _ in range(10):
            publish(server, batch)
        assert server.rss() - before < 120_000_000  # The source keeps 50 MB.
        seen = {"message": 0, "missed": 0}
        while sum(seen.values()) < 50_000:
            event = slow.next()
            seen[event.name] += 1 if event.name == "message" else int(event.data)
        assert seen["missed"] > 10_000


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("", 400, "source is missing"),
        ("source=nothing", 404, "no source"),
        ("source=events&from=never", 400, "from"),
        ("source=events&filters=[", 400, "filters"),
        ("source=events&filters=[]", 400, "filters"),
        ("source=events&wanted=1", 400, "wanted"),
        ("source=events&processor=none", 400, "processor"),
        ("source=events&forst-on-error=never", 400, "Forst-On-Error"),
        ("source=events&forst-frames=1&forst-ack=1", 400, "acknowledged"),
    ],
)
def test_what_cannot_be_had(shared_server: Server, query: str, status: int, word: str) -> None:
    answer = ask(shared_server, f"GET /real-time-process?{query} HTTP/1.1\nHost: localhost")
    assert answer.status == status
    assert word in answer.problem()["detail"]


def test_pages_of_other_sites_cannot_load_it_as_an_image(server: Server) -> None:
    head = "GET /real-time-process?source=events HTTP/1.1\nHost: localhost\nSec-Fetch-Site: "
    for site in ("cross-site", "same-site"):
        assert ask(server, head + site).status == 403
    assert server.figure("streams_total") == 0


def test_a_ticket_replaces_the_token(start_one: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    server = start_one("--token-file", str(file))
    head = f"HTTP/1.1\nHost: localhost\nContent-Length: 0\nAuthorization: Bearer {TOKEN}"
    assert ask(server, "POST /tickets HTTP/1.1\nHost: localhost\nContent-Length: 0").status == 401
    answer = ask(server, f"POST /tickets {head}")
    assert answer.headers["cache-control"] == "no-store"
    issued = json.loads(answer.body)
    assert issued["expires_in"] == 300
    ticket = issued["ticket"]
    with EventSource(server, ticket=ticket) as events:
        events.start()
    expires, _, signature = ticket.partition(".")
    forged = [
        *("", "x", ticket[:-1], f"{ticket}0", f"{int(expires) + 1}.{signature}"),
        *(f"0{ticket}", f"0.{signature}", signature, TOKEN, f"{expires}.{'0' * 64}"),
    ]
    for text in forged:
        with EventSource(server, ticket=text) as events:
            assert events.response.status == 401
    # It is for streams of pages alone, and ends with the token.
    for line in (f"GET /metrics?ticket={ticket}", f"POST /tickets?ticket={ticket}"):
        assert ask(server, f"{line} HTTP/1.1\nHost: localhost\nContent-Length: 0").status == 401
    file.write_text("another")
    server.process.send_signal(signal.SIGHUP)

    def refused() -> bool:
        with EventSource(server, ticket=ticket) as events:
            return events.response.status == 401

    wait_until(refused)
