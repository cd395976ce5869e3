"""The web applications: a request streamed through one and the server, both ways at once."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.examples.conftest import StartApp
from tests.server.raw import RawStream
from tests.servers import ROOT, Server, StartServer, wait_until

pytestmark = pytest.mark.parametrize("start_server", ["takeover"], indirect=True)

DATA = "x" * 990
RECORD = '{"id":"%07d","data":"' + DATA + '"}\n'
RESULT = '{"id":"%07d","result":"processed_' + DATA + '","status":"success"}\n'
BATCH = 64


@pytest.fixture
def server(start_server: StartServer) -> Server:
    # A caller that does not read is backpressure here, not a half-duplex client.
    return start_server("--stall", "60")


_NODE = [pytest.param(name, marks=pytest.mark.long) for name in ("express", "fastify", "nest")]


@pytest.fixture(params=[*_NODE, "fastapi"])
def run_app(request: pytest.FixtureRequest, start_app: StartApp) -> Callable[[Server], Server]:
    """Run each of the applications on top of a server."""
    if request.param != "fastapi":
        place = request.getfixturevalue("built")
        command = ["node", f"build/{request.param}/app.js"]
    else:
        place = ROOT / "examples/fastapi"
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0"]

    def run(server: Server) -> Server:
        return start_app(*command, cwd=place, env={"PORT": "0", "FORST_URL": server.url})

    return run


@pytest.fixture
def app(server: Server, run_app: Callable[[Server], Server]) -> Server:
    return run_app(server)


def stream(app: Server, headers: dict[str, str] | None = None) -> RawStream:
    return RawStream((app.host, app.port), "/process", headers)


def batches(line: str, total: int) -> Iterator[bytes]:
    for start in range(0, total, BATCH):
        yield "".join(line % number for number in range(start, min(start + BATCH, total))).encode()


def test_each_result_comes_before_the_next_record_is_sent(app: Server) -> None:
    with stream(app) as request:
        for number in range(20):
            request.send((RECORD % number).encode())
            assert request.read_line().decode() == RESULT % number
        request.end()
        assert request.read_rest() == b""
        assert request.headers["content-type"] == "application/octet-stream"


@pytest.mark.long
def test_100_megabytes_in_flat_memory(app: Server, server: Server) -> None:
    total = 100_000
    with stream(app) as request:

        def send() -> None:
            for batch in batches(RECORD, total):
                request.send(batch)
            request.end()

        sender = threading.Thread(target=send)
        sender.start()
        digest = hashlib.blake2b()
        received = 0
        warm: tuple[int, int] | None = None
        highest = (0, 0)
        while data := request.read_some():
            digest.update(data)
            received += len(data)
            if received > 20 << 20:
                now = app.rss(), server.rss()
                warm = warm or now
                highest = max(highest[0], now[0]), max(highest[1], now[1])
        sender.join()
    expected = hashlib.blake2b()
    for batch in batches(RESULT, total):
        expected.update(batch)
    assert digest.digest() == expected.digest()
    assert warm
    assert highest[0] - warm[0] < 40 << 20
    assert highest[1] - warm[1] < 10 << 20


@pytest.mark.long
def test_a_reader_that_stops_holds_the_sender_up(app: Server) -> None:
    with stream(app) as request:
        request.socket.settimeout(1)
        before = app.rss()
        batch = next(batches(RECORD, BATCH))
        with pytest.raises(TimeoutError):
            request.send_many(batch, times=2_000)
        assert app.rss() - before < 100 << 20


def test_what_the_request_asks_for_is_passed_on(app: Server) -> None:
    with stream(app, {"Forst-On-Error": "emit", "Forst-Frames": "1"}) as request:
        request.send(b'{"id":7}\n')
        request.end()
        mark, error, ack, end = request.read_rest().splitlines()
    assert mark == b":rejected 1"
    assert json.loads(error)["code"] == "wrong_type"
    assert ack == b":ack 1"
    assert end.startswith(b":end ")


def test_a_failed_stream_is_cut(app: Server) -> None:
    with stream(app, {"Forst-On-Error": "fail"}) as request:
        request.send((RECORD % 1).encode())
        assert request.read_line().decode() == RESULT % 1
        request.send(b"junk\n")
        request.read_until_cut()


def test_a_server_that_dies_cuts_the_stream(app: Server, server: Server) -> None:
    with stream(app) as request:
        request.send((RECORD % 1).encode())
        assert request.read_line().decode() == RESULT % 1
        server.process.kill()
        assert request.read_until_cut() == b""
    server.process.wait()  # Its port may accept connections until it has ended.
    done = requests.post(f"{app.url}/process", data=RECORD % 2, timeout=60)
    assert done.status_code == 502
    assert done.headers["content-type"] == "application/problem+json"
    assert "connect" in done.json()["detail"].lower()


def test_a_refused_request_is_reported_while_it_is_sent(app: Server, server: Server) -> None:
    with stream(app, {"Forst-On-Error": "perhaps"}) as request:
        request.send(b"{}\n")
        assert request.read_head() == 400
        assert request.headers["content-type"] == "application/problem+json"
        assert "perhaps" in json.loads(request.read_rest())["detail"]
    wait_until(lambda: server.open_streams() == 0)


@pytest.mark.long
def test_a_refused_request_is_reported_after_it_was_sent(app: Server) -> None:
    # This client reads nothing before it has sent everything.
    done = requests.post(
        f"{app.url}/process",
        data=batches(RECORD, 20_000),
        headers={"Forst-On-Error": "perhaps"},
        timeout=60,
    )
    assert done.status_code == 400


@pytest.mark.long
def test_a_client_that_sends_everything_before_it_reads(
    start_server: StartServer, run_app: Callable[[Server], Server]
) -> None:
    app = run_app(start_server("--stall", "0.2"))
    done = requests.post(f"{app.url}/process", data=batches(RECORD, 30_000), timeout=60)
    assert done.content == b"".join(batches(RESULT, 30_000))


def test_a_client_that_goes_away_ends_the_stream(app: Server, server: Server) -> None:
    with stream(app) as request:
        request.send((RECORD % 1).encode())
        assert request.read_line().decode() == RESULT % 1
        assert server.open_streams() == 1
    wait_until(lambda: server.open_streams() == 0)
    with stream(app) as request:
        request.send((RECORD % 2).encode())
        assert request.read_line().decode() == RESULT % 2
