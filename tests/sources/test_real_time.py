"""Subscriptions by `POST /real-time-process`, over sources in memory."""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.server.raw import Cut, RawStream, apart
from tests.servers import ROOT, Server, StartServer, wait_until
from tests.sources.live import Subscription, numbers, publish

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'

PROCESSORS = """
import forstcore

@forstcore.processor("double")
def double(record: dict):
    return [{"id": record["id"], "half": half} for half in (1, 2)]

@forstcore.processor("slow")
async def slow(record: dict):
    import asyncio
    await asyncio.sleep(0.001)
    return {"id": record["id"]}
"""


def records(first: int, end: int) -> bytes:
    return b"".join(RECORD % number for number in range(first, end))


def refusal(server: Server, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, str]:
    address = (server.host, server.port)
    with RawStream(address, "/real-time-process", headers) as request:
        if body:
            request.send(body)
        request.end()
        status = request.read_head()
        return status, json.loads(request.read_rest())["detail"]


# Records, and reports about them.


def test_what_is_published_comes_processed(server: Server) -> None:
    with Subscription(server) as live:
        start = live.start()
        for number in range(1, 4):
            status, answer = publish(server, RECORD % number)
            assert (status, answer["records"]) == (200, 1)
            assert live.read_line() == RESULT % number
            assert live.read_line() == b":offset %b\n" % answer["offset"].encode()
            assert live.read_line() == b":ack %d\n" % number
        assert answer["offset"] != start


def test_without_frames_there_are_results_alone(server: Server) -> None:
    address = (server.host, server.port)
    with RawStream(address, "/real-time-process") as live, Subscription(server) as probe:
        live.send_and_end(b'{"source":"events"}')
        assert live.read_head() == 200
        probe.start()
        publish(server, records(0, 2))
        assert live.read_line() + live.read_line() == RESULT % 0 + RESULT % 1


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_subscription(server: Server, coding: str) -> None:
    import zlib

    with Subscription(server, headers={"Accept-Encoding": coding}) as live:
        assert live.read_head() == 200
        assert live.headers["content-encoding"] == coding
        inflate = zlib.decompressobj(31 if coding == "gzip" else 15)
        text = inflate.decompress(live.read_some())
        assert text.startswith(b":offset ")
        publish(server, RECORD % 1)
        assert inflate.decompress(live.read_some()).startswith(RESULT % 1 + b":offset ")


def test_filters_and_processors_are_per_subscription(server: Server) -> None:
    wanted: list[dict[str, Any]] = [
        {"filters": {"level": "high"}},
        {"filters": {"level": "high"}, "processor": "pass"},
        {"filters": {"level": {"ne": "high"}}, "processor": "pass"},
        {"processor": "pass"},
    ]
    with ExitStack() as stack:
        streams = [stack.enter_context(Subscription(server, **each)) for each in wanted]
        for stream in streams:
            stream.start()
        lines = [
            b'{"id":"1","data":"a","level":"high"}\n',
            b'{"id":"2","data":"b","level":"low"}\n',
            b'{"id":"3","data":"c"}\n',
        ]
        publish(server, b"".join(lines))
        assert streams[0].read_line() == b'{"id":"1","result":"processed_a","status":"success"}\n'
        assert streams[1].read_line() == lines[0]
        assert streams[2].read_line() + streams[2].read_line() == lines[1] + lines[2]
        assert b"".join(streams[3].read_line() for _ in lines) == b"".join(lines)


def test_python_processors(start_one: StartServer, tmp_path: Path) -> None:
    module = tmp_path / "live_processors.py"
    module.write_text(PROCESSORS)
    server = start_one("--processors", str(module), "--heartbeat", "0.2")
    with (
        Subscription(server, processor="double") as double,
        Subscription(server, processor="slow", filters={"id": {"prefix": "1"}}) as slow,
    ):
        double.start()
        slow.start()
        for first in range(0, 100, 10):
            publish(server, records(first, first + 10))
        assert double.ids(200) == [number for each in numbers(0, 100) for number in (each, each)]
        assert slow.ids(11) == [each for each in numbers(0, 100) if each.startswith("1")]
        while (double.acked, slow.acked) != (100, 100):
            double.next_line()
            slow.next_line()
        while double.offset != slow.offset:
            double.next_line()
            slow.next_line()


def test_lines_that_the_processor_refuses(server: Server) -> None:
    emit = {"Forst-On-Error": "emit"}
    fail = {"Forst-On-Error": "fail"}
    with (
        Subscription(server) as skipping,
        Subscription(server, headers=emit) as emitting,
        Subscription(server, headers=fail) as failing,
    ):
        for each in (skipping, emitting, failing):
            each.start()
        publish(server, RECORD % 1 + b'{"id":2}\n' + RECORD % 3)
        assert skipping.ids(2) == ["1", "3"]
        assert skipping.acked == 3
        first, error, last = emitting.results(3)
        assert (first["id"], error["code"], last["id"]) == ("1", "wrong_type", "3")
        assert emitting.rejected == [2]
        assert skipping.rejected == []
        rest = failing.read_rest()
        lines = rest.splitlines()
        results, (failed,) = apart(rest)
        assert [line + b"\n" for line in results] == [RESULT % 1]
        assert json.loads(failed)["line"] == 2
        assert json.loads(lines[-1].removeprefix(b":error "))["code"] == "bad_record"
        publish(server, RECORD % 4)
        assert skipping.ids(1) == ["4"]


@pytest.mark.parametrize("processor", ["echo", "pass"])
def test_error_lines_are_distinguished_from_results_like_them(
    start_one: StartServer, tmp_path: Path, processor: str
) -> None:
    (tmp_path / "routes.py").write_text(
        "from forstcore import processor\n\n"
        "@processor('echo')\n"
        "def echo(record: dict):\n    return record\n"
    )
    (tmp_path / "events.ndjson").write_bytes(b"")
    followed = f"lines=file:{tmp_path}/events.ndjson"
    server = start_one("--source", followed, "--processors", str(tmp_path / "routes.py"))
    alike = b'{"status":"error","line":1,"offset":0,"code":"invalid_json","message":"no"}\n'
    with Subscription(
        server, "lines", headers={"Forst-On-Error": "emit"}, processor=processor
    ) as live:
        live.start()
        with (tmp_path / "events.ndjson").open("ab") as file:
            file.write(alike + b"nope\n" + alike + b"[]\n")
        response = b""
        while not response.endswith(b"\n:ack 4\n"):
            response += live.read_line()
        results, errors = apart(response)
        assert [line + b"\n" for line in results] == [alike, alike]
        reported = [(error["line"], error["code"]) for error in map(json.loads, errors)]
        assert reported == [(2, "invalid_json"), (4, "not_an_object")]


def test_an_idle_subscription_has_a_heartbeat_and_no_timeout(start_one: StartServer) -> None:
    server = start_one("--heartbeat", "0.1", "--timeout", "0.5")
    with Subscription(server, filters={"id": "none"}) as live:
        start = live.start()
        publish(server, records(0, 5))
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            assert live.next_line() is None
        assert live.acked == 5
        assert live.offset != start


# Where a subscription begins.


def test_a_subscriber_that_comes_back_goes_on_where_it_was(server: Server) -> None:
    with Subscription(server) as live:
        live.start()
        publish(server, records(0, 3))
        assert live.ids(3) == numbers(0, 3)
        offset = live.offset
    publish(server, records(3, 1000))
    with Subscription(server, start=offset) as live:
        live.start()
        publish(server, records(1000, 1003))
        assert live.ids(1000) == numbers(3, 1003)
    with Subscription(server, start="start") as live:
        assert live.ids(1003) == numbers(0, 1003)
        assert live.missed == []


def test_who_has_caught_up_joins_the_others(server: Server) -> None:
    publish(server, records(0, 100))
    with ExitStack() as stack:
        early = stack.enter_context(Subscription(server, start="start"))
        assert early.ids(100) == numbers(0, 100)
        late = [stack.enter_context(Subscription(server, start="start")) for _ in range(5)]
        now = stack.enter_context(Subscription(server))
        now.start()
        for number in range(100, 200):
            publish(server, RECORD % number)
        assert early.ids(100) == numbers(100, 200)
        assert now.ids(100) == numbers(100, 200)
        for each in late:
            assert each.ids(200) == numbers(0, 200)
            assert each.missed == []


def test_what_the_ring_has_no_more_is_missed(start_one: StartServer) -> None:
    server = start_one("--ring-size", "65536")
    with Subscription(server) as live:
        offset = live.start()
    publish(server, records(0, 10_000))
    with Subscription(server, start=offset) as live:
        live.start()
        (missed,) = live.missed
        rest = 10_000 - int(missed)
        assert 0 < rest < 10_000
        assert live.ids(rest) == numbers(int(missed), 10_000)


def test_an_offset_of_a_server_that_is_no_more(start_one: StartServer) -> None:
    with Subscription(start_one()) as live:
        offset = live.start()
    server = start_one()
    publish(server, records(0, 3))
    with Subscription(server, start=offset) as live:
        assert live.ids(3) == numbers(0, 3)
        assert live.missed == ["?"]


# Subscribers that read slowly, or not at all.


def test_a_reader_that_stopped_disturbs_nobody(start_one: StartServer) -> None:
    # By default, a reader that stops for 30 s is ended, and this may take longer.
    sizes = ("--queue-size", "100000", "--ring-size", "1000000")
    server = start_one(*sizes, "--timeout", "3600", "--no-access-log")
    with (
        Subscription(server, receive_buffer=8192) as stopped,
        Subscription(server) as live,
    ):
        stopped.start()
        live.start()
        publish(server, records(0, 100))
        assert live.ids(100) == numbers(0, 100)
        before = server.rss()
        count = 300_000
        for first in range(100, count, 1000):
            publish(server, records(first, min(first + 1000, count)))
            live.results(min(1000, count - first))
        assert server.rss() - before < 30e6
        assert live.missed == []
        found: list[str] = []
        publish(server, RECORD % count)
        while str(count) not in found[-1:]:
            line = stopped.next_line()
            if line is not None:
                found.append(json.loads(line)["id"])
        assert len(found) == len(set(found))
        assert found == sorted(found, key=int)
        assert len(found) + sum(map(int, stopped.missed)) == count + 1
        assert len(found) < count / 2


def test_a_reader_that_stopped_for_good_is_ended(start_one: StartServer) -> None:
    server = start_one("--timeout", "1", "--queue-size", "100000", "--no-access-log")
    with Subscription(server, receive_buffer=8192) as stopped:
        stopped.start()
        for _ in range(300):
            publish(server, records(0, 1000))
        wait_until(lambda: server.open_streams() == 0)


def test_who_begins_in_the_past_misses_nothing_however_slow(start_one: StartServer) -> None:
    server = start_one("--queue-size", "10000")
    publish(server, records(0, 200_000))
    with Subscription(server, start="start", receive_buffer=8192) as live:
        live.start()
        time.sleep(0.5)
        assert live.ids(200_000) == numbers(0, 200_000)
        assert live.missed == []


# The end.


def test_a_client_that_goes_is_noticed_at_once(server: Server) -> None:
    with Subscription(server) as live:
        live.start()
        assert server.open_streams() == 1
    wait_until(lambda: server.open_streams() == 0)


@pytest.mark.parametrize("frames", [True, False])
def test_draining_ends_subscriptions(start_one: StartServer, frames: bool) -> None:
    server = start_one()
    headers = {"Forst-Frames": "1" if frames else "0"}
    with Subscription(server, headers=headers) as live:
        assert live.read_head() == 200
        if frames:
            live.start()
        wait_until(lambda: server.open_streams() == 1)
        server.process.send_signal(signal.SIGTERM)
        if frames:
            rest = live.read_rest()
            assert json.loads(rest.removeprefix(b":error "))["code"] == "draining"
        else:
            with pytest.raises(Cut):
                live.read_rest()
    _, errors = server.process.communicate(timeout=60)
    assert server.process.returncode == 0
    assert "Traceback" not in errors


def test_nothing_is_left_of_subscriptions_that_ended(server: Server) -> None:
    fds = Path(f"/proc/{server.process.pid}/fd")
    if not fds.exists():
        pytest.skip("needs /proc")

    def round_of_many() -> None:
        with ExitStack() as stack:
            for number in range(50):
                start = "start" if number % 2 else "now"
                stack.enter_context(Subscription(server, start=start)).start()
            publish(server, records(0, 10))
        wait_until(lambda: server.open_streams() == 0)

    round_of_many()
    wait_until(lambda: len(list(fds.iterdir())) < 30)
    before = len(list(fds.iterdir()))
    round_of_many()
    wait_until(lambda: len(list(fds.iterdir())) <= before)


# Refused requests.


def test_an_unknown_source_names_those_there_are(start_one: StartServer) -> None:
    server = start_one("--source", "b=memory:", "--source", "a=memory:")
    assert refusal(server, b'{"source":"c"}') == (404, "there is no source 'c'; sources: a, b")
    assert publish(server, b"", "c")[1]["detail"] == "there is no source 'c'; sources: a, b"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "the request is not JSON: Expecting value: line 1 column 1"),
        (b'{"source":"events"', "the request is not JSON"),
        (b"[" * 50_000, "the request is not JSON"),
        (b"[]", "the request must be a JSON object"),
        (b"{}", "source is missing"),
        (b'{"source":7}', "source must be the name of a source"),
        (b'{"source":"events","filter":{}}', "filter: there is no such member"),
        (b'{"source":"events","filters":[]}', "filters must be an object"),
        (b'{"source":"events","filters":{"a":{"near":1}}}', "filters.a.near is no operator"),
        (b'{"source":"events","from":0}', "from must be an offset"),
        (b'{"source":"events","from":"0"}', "from: source 'events' has no offset '0'"),
        (b'{"source":"events","processor":"none"}', "processor: there is no 'none'; there are"),
    ],
)
def test_a_bad_request_names_the_place(shared_server: Server, body: bytes, place: str) -> None:
    status, detail = refusal(shared_server, body)
    assert status == 400
    assert place in detail


def test_a_request_that_is_too_long(shared_server: Server) -> None:
    assert refusal(shared_server, b'"' + b"x" * (1 << 20) + b'"')[0] == 413


def test_subscriptions_count_as_streams(start_one: StartServer) -> None:
    server = start_one("--max-streams", "1")
    with Subscription(server) as live:
        live.start()
        assert refusal(server, b'{"source":"events"}')[0] == 503


def test_strangers_are_refused(shared_server: Server) -> None:
    status, detail = refusal(
        shared_server, b'{"source":"events"}', {"Origin": "http://evil.example"}
    )
    assert status == 403
    assert "evil.example" in detail


# The configuration.


def fails_to_start(*options: str) -> str:
    done = children.run(
        [sys.executable, "-m", "server", "--port", "0", *options],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 2
    return done.stderr


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--source", "events"], "source must be NAME=URL"),
        (["--source", "Events=memory:"], "source must be NAME=URL"),
        (["--source", "a=memory:", "--source", "a=memory:"], "source 'a' is given twice"),
        (["--source", "a=ftp://host"], "source 'a' has a URL that starts with none of"),
        (
            ["--source", "a=memory:", "--processes", "2"],
            "source 'a' is in the memory of one process, and there are 2",
        ),
    ],
)
def test_a_bad_source_is_reported_at_the_start(options: list[str], reason: str) -> None:
    errors = fails_to_start(*options)
    assert reason in errors
    assert "Traceback" not in errors


def test_several_processes_have_no_source_by_default(start_one: StartServer) -> None:
    server = start_one("--processes", "2")
    assert refusal(server, b'{"source":"events"}') == (
        404,
        "there is no source 'events'; sources: none",
    )


def test_sources_in_a_file(start_one: StartServer, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[sources]\nfirst = "memory:"\nsecond-one = "memory:"\n')
    server = start_one("--config", str(config))
    assert refusal(server, b'{"source":"x"}')[1].endswith("sources: first, second-one")
