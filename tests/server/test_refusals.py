"""Refused requests are counted by reason and logged, and no client can fill the log with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.observe.log_limit import _BURST as BURST
from tests.server.raw import RawStream
from tests.server.requests import TOKEN, ask, connect
from tests.servers import Server, StartServer, launch, wait_until

WITH_TOKEN = f"Authorization: Bearer {TOKEN}"


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return str(path)


def entries(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [entry for entry in found if entry["event"] == "refused"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server, and its log."""
    log = tmp_path_factory.mktemp("refusals") / "log"
    server = launch("--max-stream-bytes", "100", log=log)
    yield server, log
    server.kill()


@pytest.mark.parametrize(
    ("head", "status", "reason"),
    [
        ("GET /version HTTP/1.1\nHost: example.test", 403, "host"),
        ("GET /version HTTP/1.1\nHost: localhost\nOrigin: http://example.test", 403, "origin"),
        ("GET /nowhere HTTP/1.1\nHost: localhost", 404, "not_found"),
        ("DELETE /version HTTP/1.1\nHost: localhost", 405, "method"),
        (
            "POST /streaming-process HTTP/1.1\nHost: localhost\nContent-Length: 1000",
            413,
            "too_large",
        ),
        (
            "POST /streaming-process HTTP/1.1\nHost: localhost\nContent-Length: 1000\n"
            "Expect: 100-continue",
            413,
            "too_large",
        ),
        (
            "POST /streaming-process HTTP/1.1\nHost: localhost\nContent-Length: 0\n"
            "Content-Type: multipart/form-data; boundary=x",
            415,
            "media_type",
        ),
        (
            "POST /streaming-process HTTP/1.1\nHost: localhost\nContent-Length: 0\n"
            "Forst-On-Error: explode",
            400,
            "bad_request",
        ),
        ("GET /version HTTP/1.1\nHost: localhost\nExpect: magic", 417, "expectation"),
        (f"GET /version HTTP/1.1\nHost: localhost\nX: {'x' * 9000}", 431, "header_too_large"),
        ("GET /streaming-process HTTP/1.1\nHost: localhost", 426, "upgrade"),
        ("GET /version HTTP/9.9\nHost: localhost", 400, "bad_request"),
    ],
)
def test_each_reason_is_counted_and_logged(
    shared: tuple[Server, Path], head: str, status: int, reason: str
) -> None:
    server, log = shared
    count = server.figure("refused_requests_total", reason=reason)
    logged = len(entries(log.read_text()))
    answer = ask(server, head)
    assert answer.status == status
    assert server.figure("refused_requests_total", reason=reason) == count + 1
    wait_until(lambda: len(entries(log.read_text())) > logged)
    (entry,) = entries(log.read_text())[logged:]
    assert entry["status"] == status
    assert entry["reason"] == reason
    assert entry["client"] == "127.0.0.1"
    assert answer.problem()["detail"].startswith(entry["detail"][:100])


def test_a_missing_token_is_a_refusal(start_one: StartServer, token_file: str) -> None:
    server = start_one("--token-file", token_file)
    assert ask(server, "GET /version HTTP/1.1\nHost: localhost").status == 401
    answer = ask(server, f"GET /metrics HTTP/1.1\nHost: localhost\n{WITH_TOKEN}")
    assert b'forstcore_refused_requests_total{reason="token"} 1.0' in answer.body


def test_one_stream_too_many_is_a_refusal(start_one: StartServer) -> None:
    server = start_one("--max-streams", "1")
    with RawStream((server.host, server.port)) as first:
        first.send(b'{"id":"1","data":"x"}\n')
        first.read_line()
        assert ask(server, "GET /readyz HTTP/1.1\nHost: localhost").status == 503
        head = "POST /streaming-process HTTP/1.1\nHost: localhost\nContent-Length: 0"
        assert ask(server, head).status == 503
        # The readiness check was answered, not refused.
        assert server.figure("refused_requests_total") == 1
        assert server.figure("refused_requests_total", reason="too_many_streams") == 1
        assert server.figure("streams_limit") == server.figure("streams_open") == 1


def test_what_is_served_is_no_refusal(shared: tuple[Server, Path]) -> None:
    server, _ = shared
    count = server.figure("refused_requests_total")
    assert ask(server, "GET /version HTTP/1.1\nHost: localhost").status == 200
    connect(server).close()
    assert server.figure("refused_requests_total") == count


def test_refusals_do_not_fill_the_log(start_one: StartServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = start_one(log=log)
    for _ in range(BURST * 2):
        ask(server, "GET /nowhere HTTP/1.1\nHost: localhost")
    # Refusals of another kind are logged nevertheless.
    ask(server, "GET /version HTTP/1.1\nHost: example.test")
    assert server.figure("refused_requests_total", reason="not_found") == BURST * 2
    assert server.stop() == 0
    text = log.read_text()
    reasons = [entry["reason"] for entry in entries(text)]
    assert BURST <= reasons.count("not_found") < BURST * 2
    assert reasons.count("host") == 1
    reports = [json.loads(line) for line in text.splitlines()]
    missing = sum(each["count"] for each in reports if each["event"] == "suppressed")
    assert reasons.count("not_found") + missing == BURST * 2


def test_a_refusal_cannot_forge_the_log(start_one: StartServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = start_one(log=log)
    path = "/%0a%7B%22event%22:%22stream%22%7D" + "x" * 1000
    assert ask(server, f"GET {path} HTTP/1.1\nHost: localhost").status == 404
    assert server.stop() == 0
    (line,) = log.read_text().splitlines()
    assert len(line) < 1500
    assert json.loads(line)["path"].startswith('/\n{"event"')


def test_the_log_names_the_client_behind_a_proxy(start_one: StartServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = start_one("--trusted-proxy", "127.0.0.1", log=log)
    ask(server, "GET /nowhere HTTP/1.1\nHost: localhost\nX-Forwarded-For: 192.0.2.7")
    assert server.stop() == 0
    assert [entry["client"] for entry in entries(log.read_text())] == ["192.0.2.7"]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("host", ["192.0.2.1", "10.1.2.3:9000", "[2001:db8::1]:80", "127.0.0.2"])
def test_an_open_server_is_scraped_by_any_address(
    start_one: StartServer, token_file: str, host: str
) -> None:
    server = start_one("--host", "0.0.0.0", "--token-file", token_file)
    head = f"GET /metrics HTTP/1.1\nHost: {host}"
    assert ask(server, f"{head}\n{WITH_TOKEN}").status == 200
    assert ask(server, head).status == 401
    # Not by a name, and not from a page.
    named = f"GET /metrics HTTP/1.1\nHost: example.test\n{WITH_TOKEN}"
    assert ask(server, named).status == 403
    assert ask(server, f"{head}\nOrigin: http://example.test\n{WITH_TOKEN}").status == 403
