"""Query parameters and headers with an unknown name are refused, on every endpoint."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.requests import RECORD, RESULT, TOKEN, Answer, answer_on, ask, connect
from tests.servers import Server, launch

PROCESSORS = """
from forstcore import processor


@processor("enrich")
def enrich(record: dict) -> dict:
    return record
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("processors") / "processors.py"
    path.write_text(PROCESSORS)
    server = launch("--processors", str(path))
    yield server
    server.stop()
    server.process.communicate()


def asked(server: Server, request: str, *headers: str) -> Answer:
    return ask(
        server, "\n".join([f"{request} HTTP/1.1", "Host: localhost", "Content-Length: 0", *headers])
    )


def test_every_endpoint_refuses_unknown_parameters(server: Server) -> None:
    listed = asked(server, "GET /nowhere").problem()["detail"].partition("endpoints: ")[2]
    endpoints = listed.split(", ")
    assert len(endpoints) > 15
    for endpoint in endpoints:
        for query in ("proccessor=x", "proccessor"):
            answer = asked(server, f"{re.sub('{.*?}', 'events', endpoint)}?{query}")
            assert answer.status == 400, endpoint
            assert "no query parameter 'proccessor'" in answer.problem()["detail"]


def test_the_message_lists_the_parameters_and_points_to_a_header(server: Server) -> None:
    def detail(request: str) -> str:
        text = asked(server, request).problem()["detail"]
        assert isinstance(text, str)
        return text

    on_error = detail("POST /enrich?on_error=skip")
    assert on_error == (
        "/enrich has no query parameter 'on_error'; it has filter (Forst-On-Error is a header)"
    )
    for name in ("forst-on-error", "Forst-On-Error", "on-error"):
        is_header = detail(f"POST /enrich?{name}=skip").endswith("(Forst-On-Error is a header)")
        assert is_header
    assert detail("GET /healthz?a=1") == "/healthz has no query parameter 'a'; it has none"
    live = detail("GET /real-time-process?source=events&a=1")
    assert "it has source, filters, from, processor, ticket, room, forst-on-error," in live


@pytest.mark.parametrize(
    ("request_line", "headers", "detail"),
    [
        ("POST /enrich?filter={}&filter={}", (), "the query parameter 'filter' occurs 2 times"),
        ("GET /real-time-process?source=a&source=a", (), "'source' occurs 2 times"),
        (
            "POST /enrich",
            ("Forst-On-Error: skip", "forst-on-error: fail"),
            "Forst-On-Error occurs 2 times",
        ),
        ("POST /enrich", ("Forst-OnError: fail",), "there is no header 'forst-onerror'"),
        ("GET /metrics", ("Forst-Frame: 1",), "Forst-On-Error, Forst-Frames,"),
    ],
)
def test_other_names_that_are_refused(
    server: Server, request_line: str, headers: tuple[str, ...], detail: str
) -> None:
    answer = asked(server, request_line, *headers)
    assert answer.status == 400
    assert detail in answer.problem()["detail"]


def test_the_connection_stays_open(server: Server) -> None:
    with connect(server) as connection:
        send(connection, "/enrich?a=1", RECORD % 1)
        assert answer_on(connection).status == 400
        send(connection, "/streaming-process?", RECORD % 2)
        assert answer_on(connection).body == RESULT % 2


def test_the_body_is_not_asked_for(server: Server) -> None:
    with connect(server) as connection:
        send(connection, "/streaming-process?a=1", b"", "Expect: 100-continue", size=10)
        answer = answer_on(connection)
    assert answer.status == 400
    assert "no query parameter 'a'" in answer.problem()["detail"]


def test_nothing_is_revealed_without_the_token_or_of_other_paths(
    server: Server, tmp_path: Path
) -> None:
    for method in ("GET", "POST"):
        assert asked(server, f"{method} /nowhere?a=1").status == 404
    assert asked(server, "PUT /enrich?a=1").status == 405
    file = tmp_path / "token"
    file.write_text(TOKEN)
    guarded = launch("--token-file", str(file))
    try:
        assert asked(guarded, "POST /streaming-process?a=1").status == 401
        bearer = f"Authorization: Bearer {TOKEN}"
        assert asked(guarded, "POST /streaming-process?a=1", bearer).status == 400
    finally:
        guarded.stop()
        guarded.process.communicate()


def send(
    connection: socket.socket, target: str, body: bytes, *headers: str, size: int | None = None
) -> None:
    length = len(body) if size is None else size
    head = [f"POST {target} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *headers]
    connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
