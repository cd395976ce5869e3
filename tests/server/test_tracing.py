"""OpenTelemetry: spans at a real OTLP receiver, and no cost without tracing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider

from forstcore import ForstStreamingClient, StreamOptions
from tests import children
from tests.server.raw import RawStream
from tests.server.requests import ask
from tests.servers import ROOT, Server, StartServer, free_port, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
RECORD = b'{"id":"1","data":"x"}\n'


class Receiver:
    """A receiver of spans: an HTTP server that takes OTLP as protocol buffers."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                receiver.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a program sends its spans here immediately."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def spans(self) -> list[Span]:
        return [
            span
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait(self, count: int) -> list[Span]:
        """Wait for so many spans; there must not be more."""
        wait_until(lambda: len(self.spans()) >= count)
        time.sleep(0.3)
        assert len(self.spans()) == count
        return self.spans()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture
def traced(start_one: StartServer, receiver: Receiver) -> Server:
    return start_one("--tracing", env=receiver.environment)


def attributes(span: Span) -> dict[str, object]:
    found = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        assert kind is not None
        found[each.key] = getattr(each.value, kind)
    return found


def process(server: Server, body: bytes, headers: dict[str, str] | None = None) -> None:
    with RawStream((server.host, server.port), headers=headers) as request:
        request.send(body)
        request.end()
        request.read_rest()


def test_a_stream_is_one_span_of_its_clients_trace(traced: Server, receiver: Receiver) -> None:
    before = time.time_ns()
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    process(traced, RECORD * 10_000 + b"junk\n", headers)
    (span,) = receiver.wait(1)
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == PARENT
    assert span.trace_state == "vendor=1"
    assert span.name == "POST /streaming-process"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert before <= span.start_time_unix_nano < span.end_time_unix_nano <= time.time_ns()
    found = attributes(span)
    assert found["forstcore.outcome"] == "ok"
    assert (found["forstcore.records"], found["forstcore.errors"]) == (10_000, 1)
    assert span.status.code == Status.STATUS_CODE_UNSET
    (resource,) = receiver.requests[0].resource_spans
    names = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert names["service.name"] == "forstcore"
    assert names["service.instance.id"].endswith(f":{traced.process.pid}")


def test_failures_and_refusals_are_errors(traced: Server, receiver: Receiver) -> None:
    with RawStream((traced.host, traced.port), headers={"Forst-On-Error": "fail"}) as failing:
        failing.send(b"junk\n")
        failing.read_until_cut()
    head = f"GET /nowhere HTTP/1.1\nHost: localhost\ntraceparent: 00-{TRACE}-{PARENT}-01"
    assert ask(traced, head).status == 404
    spans = {span.name: span for span in receiver.wait(2)}
    failed, refused = spans["POST /streaming-process"], spans["GET"]
    assert failed.status.code == refused.status.code == Status.STATUS_CODE_ERROR
    assert attributes(failed)["forstcore.outcome"] == "bad_record"
    assert not failed.parent_span_id
    assert attributes(refused)["http.response.status_code"] == 404
    assert refused.parent_span_id.hex() == PARENT


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "value", ["", "nonsense", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01"]
)
def test_a_bad_context_starts_a_trace(traced: Server, receiver: Receiver, value: str) -> None:
    process(traced, RECORD, {"traceparent": value})
    (span,) = receiver.wait(1)
    assert span.trace_id.hex() not in (TRACE, "0" * 32)
    assert not span.parent_span_id


def test_what_a_client_does_not_sample_is_not_sent(traced: Server, receiver: Receiver) -> None:
    process(traced, RECORD, {"traceparent": f"00-{TRACE}-{PARENT}-00"})
    process(traced, RECORD)
    (span,) = receiver.wait(1)
    assert span.trace_id.hex() != TRACE


def test_spans_of_all_workers(start_one: StartServer, receiver: Receiver) -> None:
    server = start_one("--tracing", "--processes", "2", env=receiver.environment)
    for _ in range(10):
        process(server, RECORD)
    # The last ones are sent when the server ends.
    assert server.stop() == 0
    assert len(receiver.spans()) == 10


def test_the_client_sends_its_context(traced: Server, receiver: Receiver) -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("caller") as span:
        for options in (
            StreamOptions(),
            StreamOptions(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}),
        ):
            client = ForstStreamingClient(traced.url)
            records = [{"id": "1", "data": "x"}]
            assert len(list(client.stream_to_forst("/streaming-process", records, options))) == 1
    context = span.get_span_context()
    served = {each.parent_span_id.hex(): each.trace_id.hex() for each in receiver.wait(2)}
    assert served == {
        trace.format_span_id(context.span_id): trace.format_trace_id(context.trace_id),
        PARENT: TRACE,
    }


def test_a_batch_of_a_pipeline_is_one_span(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "in.ndjson").write_bytes(RECORD * 50_000)
    file = tmp_path / "pipelines.toml"
    file.write_text(
        f'[pipelines.copy]\nsource = "file:{tmp_path}/in.ndjson?follow=no"\n'
        f'sink = "file:{tmp_path}/out.ndjson"\n'
    )
    done = children.run(
        [sys.executable, "-m", "forstcore", "run", str(file), "--tracing"],
        cwd=ROOT,
        env={**os.environ, **receiver.environment},
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "50,000 results" in done.stderr.splitlines()[-1]
    spans = receiver.spans()
    assert 1 <= len(spans) < 500
    assert {span.name for span in spans} == {"pipeline batch"}
    assert sum(int(str(attributes(span)["forstcore.results"])) for span in spans) == 50_000
    assert {attributes(span)["forstcore.pipeline"] for span in spans} == {"copy"}


def test_no_collector_delays_nothing(start_one: StartServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    nobody = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    server = start_one("--tracing", "--log-format", "json", env=nobody, log=log)
    for _ in range(20):
        process(server, RECORD)
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 20
    assert log.read_text().count('"event": "stream"') == 20


_IMPORTED = """
import sys
import server.worker, server.cli, forstcore.cli.run
from forstcore import ForstStreamingClient
client = ForstStreamingClient(sys.argv[1])
print(list(client.stream_to_forst("/streaming-process", [{"id": "1", "data": "x"}])))
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_nothing_is_imported_unless_it_is_on(shared_server: Server) -> None:
    done = children.run([sys.executable, "-c", _IMPORTED, shared_server.url], cwd=ROOT, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "[]"


def _without(program: str) -> subprocess.CompletedProcess[str]:
    hidden = "import sys; sys.modules['opentelemetry.sdk'] = None\n"
    return children.run([sys.executable, "-c", hidden + program], cwd=ROOT, text=True)


def test_the_extra_is_named_if_it_is_missing() -> None:
    done = _without("from server.cli import main; sys.exit(main(['--tracing', '--port', '0']))")
    assert done.returncode == 2
    assert "pip install 'forstcore[otel]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
