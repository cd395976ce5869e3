"""`GET /openapi.json`: the document is valid, complete, and matches the server."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from forstcore import wire
from forstcore._proc import ERROR_CODES
from tests.server.raw import RawStream
from tests.servers import Server, launch

jsonschema_rs = pytest.importorskip("jsonschema_rs", reason="needs jsonschema-rs")
validator = pytest.importorskip("openapi_spec_validator", reason="needs openapi-spec-validator")

Json = dict[str, Any]
TOKEN = "hush-4711"
METHODS = ("get", "post")


def ask(
    server: Server, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Send a request without a body; return the status and, if that ends, the body."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        endless = path == "/dashboard/news" and response.status == 200
        return response.status, response.readline() if endless else response.read()
    finally:
        connection.close()


def document_of(server: Server, headers: dict[str, str] | None = None) -> Json:
    status, body = ask(server, "GET", "/openapi.json", headers)
    assert status == 200
    document: Json = json.loads(body)
    return document


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method in item:
            assert method in METHODS
            yield method.upper(), path, item[method]


def check(document: Json, schema: Json, value: object) -> None:
    """Fail if a value does not fit a schema of the document."""
    whole = {**schema, "components": document["components"]}
    jsonschema_rs.validate(whole, value)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    """Servers with different configurations that the document depends on."""
    started = {
        "plain": launch(),
        "full": launch("--processors", "examples/processors.py", env={"FORSTCORE_TOKEN": TOKEN}),
        "small": launch("--no-dashboard", "--processes", "2"),
    }
    yield started
    for server in started.values():
        server.stop()
        server.process.communicate()


@pytest.fixture(params=["plain", "full", "small"])
def server(servers: dict[str, Server], request: pytest.FixtureRequest) -> Server:
    return servers[request.param]


AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def test_the_document_is_valid(server: Server) -> None:
    document = document_of(server, AUTHORIZED)
    validator.validate(document)
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere_and_every_component_is_used(server: Server) -> None:
    document = document_of(server, AUTHORIZED)
    used = set(re.findall(r'"#/components/(\w+/\w+)"', json.dumps(document)))
    there = {
        f"{kind}/{name}"
        for kind, components in document["components"].items()
        if kind != "securitySchemes"
        for name in components
    }
    assert used <= there
    # Only descriptions refer to these: the contents of control lines, and the responses that
    # every path may give.
    in_texts = {"schemas/End", "schemas/Notice", "schemas/StreamProblem", "responses/Problem405"}
    without_dashboard = {"schemas/NewsLine"} - used
    assert there - used == in_texts | without_dashboard


def test_every_route_is_there_and_no_other(server: Server) -> None:
    status, body = ask(server, "GET", "/nowhere", AUTHORIZED)
    assert status == 404
    listed = json.loads(body)["detail"].partition("endpoints: ")[2].split(", ")
    described = operations(document_of(server, AUTHORIZED))
    assert {f"{method} {path}" for method, path, _ in described} == set(listed)


def test_what_needs_a_token_says_so(servers: dict[str, Server]) -> None:
    server = servers["full"]
    document = document_of(server, AUTHORIZED)
    assert document["security"] == [{"bearer": []}]
    for method, path, operation in operations(document):
        status, _ = ask(server, method, path.replace("{name}", "x").replace("{digest}", "x"))
        assert (status == 401) == (operation.get("security") != []), path
    assert document_of(servers["plain"])["security"] == []
    assert ask(server, "GET", "/openapi.json")[0] == 401


def test_strangers_do_not_get_it(servers: dict[str, Server]) -> None:
    for headers in ({"Host": "rebound.test"}, {"Origin": "https://elsewhere.test"}):
        assert ask(servers["plain"], "GET", "/openapi.json", headers)[0] == 403


def test_json_answers_fit_their_schemas(server: Server) -> None:
    document = document_of(server, AUTHORIZED)
    for method, path, operation in operations(document):
        answer = operation["responses"].get("200", {})
        media = answer.get("content", {}).get("application/json", {})
        if method == "GET" and "schema" in media:
            status, body = ask(server, method, path, AUTHORIZED)
            assert status == 200
            check(document, media["schema"], json.loads(body))


def lines_of(server: Server, path: str, headers: dict[str, str], body: bytes) -> list[bytes]:
    address = (server.host, server.port)
    with RawStream(address, path, headers | AUTHORIZED) as stream:
        stream.send_and_end(body)
        return stream.read_rest().splitlines()


@pytest.mark.parametrize("mode", ["emit", "fail"])
@pytest.mark.parametrize("path", ["/streaming-process", "/large-dataset-stream", "/enrich"])
def test_lines_fit_their_schemas(servers: dict[str, Server], path: str, mode: str) -> None:
    server = servers["full"]
    document = document_of(server, AUTHORIZED)
    content = document["paths"][path]["post"]["responses"]["200"]["content"]
    body = b'{"id":"1","data":"x"}\n\xff\n[]\n{"id":2}\n{"id":"3"'
    seen = set()
    for line in lines_of(server, path, {"Forst-Frames": "1", "Forst-On-Error": mode}, body):
        name, _, rest = line.decode().partition(" ")
        value = line.decode() if name.startswith(":") else json.loads(line)
        check(document, content["application/octet-stream"]["x-line-schema"], value)
        if name == ":end":
            check(document, document["components"]["schemas"]["End"], json.loads(rest))
        if name == ":error":
            check(document, document["components"]["schemas"]["StreamProblem"], json.loads(rest))
        seen.add(name if isinstance(value, str) else value.get("status", "result"))
    ended = ":end" if mode == "emit" else ":error"
    assert {ended, ":ack", "error"} <= seen


def test_live_lines_fit_their_schemas(servers: dict[str, Server]) -> None:
    server = servers["plain"]
    document = document_of(server)
    schema = document["paths"]["/real-time-process"]["post"]["responses"]["200"]["content"]
    schema = schema["application/x-ndjson"]["x-line-schema"]
    wanted = b'{"source":"events","from":"start"}'
    with RawStream((server.host, server.port), "/real-time-process", {"Forst-Frames": "1"}) as live:
        live.send_and_end(wanted)
        assert lines_of(server, "/sources/events", {}, b'{"id":"1","data":"x"}\n')
        lines = [live.read_line().rstrip(b"\n").decode() for _ in range(5)]
    for line in lines:
        check(document, schema, line if line.startswith(":") else json.loads(line))
    assert {line[:4] for line in lines} >= {":ack", ":off", '{"id'}


def test_news_fit_their_schema(servers: dict[str, Server]) -> None:
    server = servers["plain"]
    status, line = ask(server, "GET", "/dashboard/news")
    assert status == 200
    document = document_of(server)
    check(document, document["components"]["schemas"]["NewsLine"], json.loads(line))


def test_every_code_is_known(servers: dict[str, Server]) -> None:
    schemas = document_of(servers["plain"])["components"]["schemas"]
    # A client that has gone gets no control line.
    of_streams = set(wire.StreamErrorCode) - {wire.StreamErrorCode.DISCONNECTED}
    assert set(schemas["StreamProblem"]["properties"]["code"]["enum"]) == of_streams
    assert set(schemas["ErrorLine"]["properties"]["code"]["enum"]) == set(ERROR_CODES)


def test_every_request_header_is_described(servers: dict[str, Server]) -> None:
    document = document_of(servers["plain"])
    parameters = [*document["components"]["parameters"].values()]
    for _, _, operation in operations(document):
        parameters += operation.get("parameters", [])
    names = {each["name"] for each in parameters if "name" in each}
    ours = {name for name in names if name.startswith(wire.FORST_PREFIX)}
    assert ours == set(wire.REQUEST_HEADERS)


@pytest.mark.parametrize(
    ("path", "header", "body"),
    [
        ("/real-time-process", {}, b'{"source":"\\ud800"}'),
        ("/real-time-process", {}, b'{"\\ud800":1}'),
        ("/real-time-process", {}, b'{"source":"events","filters":{"a":{"\\ud800":1}}}'),
        ("/streaming-process", {"Forst-Filter": '{"a":{"\\udc00":1}}'}, b""),
        ("/sources/%ED%A0%80", {}, b""),
    ],
)
def test_problems_are_strict_json(
    servers: dict[str, Server], path: str, header: dict[str, str], body: bytes
) -> None:
    """The error document is valid Unicode even if it quotes a request that is not."""
    orjson = pytest.importorskip("orjson", reason="needs orjson")
    server = servers["plain"]
    with RawStream((server.host, server.port), path, header) as stream:
        stream.send_and_end(body)
        assert stream.read_head() in (400, 404)
        problem = orjson.loads(stream.read_rest())
    check(document_of(server), document_of(server)["components"]["schemas"]["Problem"], problem)


@pytest.mark.parametrize("path", ["/large-dataset-stream", "/enrich"])
def test_filters_hold_everywhere(servers: dict[str, Server], path: str) -> None:
    server = servers["full"]
    headers = {"Forst-Filter": '{"id":"1"}', **AUTHORIZED}
    with RawStream((server.host, server.port), path, headers) as stream:
        stream.send_and_end(b'{"id":"2","data":"x"}\n')
        assert stream.read_head() == 200
        assert stream.read_rest() == b""
