"""The counters of streams without control lines: trailers, and the access log."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
from collections.abc import Callable

import pytest
import requests

from tests import children
from tests.server.raw import RawStream
from tests.servers import Server, StartServer

pytestmark = pytest.mark.both_ways

TE = {"TE": "trailers"}
RECORD = b'{"id":"1","data":"x"}\n'
NODE = """
const http = require("node:http");
const [port, body] = process.argv.slice(1);
const request = http.request({ port, method: "POST", path: "/streaming-process" }, (response) => {
  response.resume().on("end", () => console.log(JSON.stringify(response.trailers)));
});
request.end(body);
"""


def counts(lines: int, records: int, errors: int, results: int) -> dict[str, str]:
    values = {"Lines": lines, "Records": records, "Errors": errors, "Results": results}
    return {f"Forst-{name}": str(value) for name, value in values.items()}


def trailers_of(server: Server, body: bytes, path: str, headers: dict[str, str]) -> dict[str, str]:
    with RawStream((server.host, server.port), path, headers) as request:
        request.send(body)
        request.end()
        request.read_rest()
        announced = request.headers.get("trailer")
        assert (announced is not None) == ("TE" in headers and "Forst-Frames" not in headers)
        if announced:
            assert announced.split(", ") == list(request.trailers)
        # The connection is as good as before.
        request.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert request.socket.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")
        return request.trailers


@pytest.mark.parametrize("path", ["/streaming-process", "/large-dataset-stream"])
@pytest.mark.parametrize("coding", [{}, {"Accept-Encoding": "gzip"}])
def test_who_asks_gets_the_counts(shared_server: Server, path: str, coding: dict[str, str]) -> None:
    for body, expected in (
        (RECORD * 3, counts(3, 3, 0, 3)),
        (RECORD + b"junk\n\n", counts(3, 1, 1, 1)),
        (b"junk", counts(1, 0, 1, 0)),
        (b"\n", counts(1, 0, 0, 0)),
    ):
        for asked in ("trailers", "gzip;q=0.5, Trailers"):
            assert trailers_of(shared_server, body, path, {"TE": asked, **coding}) == expected


def test_trailers_say_unasked_that_nothing_was_a_record(shared_server: Server) -> None:
    server = shared_server
    path = "/streaming-process"
    assert trailers_of(server, RECORD, path, {}) == {}
    assert trailers_of(server, RECORD + b"junk\n", path, {}) == {}
    assert trailers_of(server, b"\n", path, {}) == {}
    assert trailers_of(server, b"junk\nmore\n", path, {}) == counts(2, 0, 2, 0)
    # Of these, control lines and error lines tell.
    assert trailers_of(server, b"junk\n", path, {"Forst-Frames": "1", **TE}) == {}
    # A filter that lets nothing through rejects nothing.
    wanted = {"Forst-Filter": '{"id":"2"}'}
    assert trailers_of(server, RECORD, path, wanted) == {}


def test_a_cut_response_has_none(shared_server: Server) -> None:
    server = shared_server
    headers = {"Forst-On-Error": "fail", **TE}
    with RawStream((server.host, server.port), headers=headers) as request:
        request.send(b"junk\n")
        request.read_until_cut()
        assert request.trailers == {}


def test_http_1_0_knows_none(shared_server: Server) -> None:
    server = shared_server
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(
            b"POST /streaming-process HTTP/1.0\r\nHost: 127.0.0.1\r\nTE: trailers\r\n"
            b"Content-Length: 5\r\n\r\njunk\n"
        )
        received = b""
        while data := connection.recv(1 << 16):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"railer" not in head
    assert body == b""


def by_http_client(server: Server) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    for _ in range(2):
        connection.request("POST", "/streaming-process", b"junk\n", TE)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
    connection.close()


def by_requests(server: Server) -> None:
    with requests.Session() as session:
        for _ in range(2):
            done = session.post(
                f"{server.url}/streaming-process", b"junk\n", headers=TE, timeout=60
            )
            assert (done.status_code, done.content) == (200, b"")


def by_curl(server: Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    url = f"{server.url}/streaming-process"
    command = ["curl", "-sS", "--data-binary", "junk", url, "-D", "-"]
    done = children.run(command, text=True, check=True)
    assert "forst-records: 0" in done.stdout.lower()
    # A second request over the same connection.
    done = children.run([*command, "--next", *command[1:]], text=True, check=True)
    assert done.stdout.lower().count("forst-errors: 1") == 2


def by_node(server: Server) -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    done = children.run(
        ["node", "-e", NODE, str(server.port), "junk"],
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {
        name.lower(): value for name, value in counts(1, 0, 1, 0).items()
    }


@pytest.mark.parametrize("ask", [by_http_client, by_requests, by_curl, by_node])
def test_clients_take_them_or_leave_them(
    shared_server: Server, ask: Callable[[Server], None]
) -> None:
    ask(shared_server)


def test_the_access_log_warns(start_server: StartServer) -> None:
    server = start_server()
    requests.post(f"{server.url}/streaming-process", b"junk\n[]\n", timeout=60)
    requests.post(f"{server.url}/streaming-process", RECORD + b"junk\n", timeout=60)
    server.stop()
    _, log = server.process.communicate()
    first, second = map(json.loads, log.splitlines())
    assert first["warning"] == "not one line was a record"
    assert first["errors_by_code"] == {"invalid_json": 1, "not_an_object": 1}
    assert "warning" not in second
