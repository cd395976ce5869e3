"""Limits, times, defaults and codes that pages state are those of the code."""

from __future__ import annotations

import math
import re

import pytest

from forstcore import RetryConfig, StreamingConfig
from forstcore._client import connection, subscription, window
from forstcore._io import retry_after
from forstcore.cli import publish
from forstcore.config import StreamLimits
from forstcore.engine import failure_log, process_pool
from forstcore.formats import columns, csv_writer, json_columns
from forstcore.pipelines.config import PipelineConfig
from forstcore.sinks import http
from forstcore.sinks._kafka_transactions import TRANSACTION_OPTIONS
from forstcore.sources import (
    _file_offset,
    _file_set,
    _kafka_group,
    _kafka_poller,
    _nats_pull,
    _reconnecting,
    file,
    mqtt,
)
from forstcore.wire import StreamErrorCode
from server import errors, supervisor
from server.config import ServerConfig
from server.dashboard import figures
from server.http import acceptor, access, request_handler
from server.live import kept_writers, shared_reading
from server.observe import log_limit
from server.pipelines import sharing
from server.process import worker_slot
from server.streams import web_socket
from tests.servers import ROOT

WORDS = {2: "two", 5: "five", 8: "eight", 10: "ten", 30: "half a minute", 0.5: "half a second"}
MIB = 1 << 20
PAUSES = f"from {WORDS[worker_slot._FIRST_PAUSE]} to {WORDS[worker_slot._LONGEST_PAUSE]}"
LEAVING = acceptor._PATIENCE * acceptor._LEAVE_INTERVAL * 1000
TRANSACTION = f"{TRANSACTION_OPTIONS['transaction.timeout.ms']:,}".removesuffix(",000")

STATED = {
    "browsers.md": [
        f'"expires_in":{access.TICKET_SECONDS}}}`. For {WORDS[access.TICKET_SECONDS / 60]} minutes',
        f"a preflight response for {WORDS[int(access._PREFLIGHT_SECONDS) / 60]} minutes",
        f"more than {web_socket._ROOM >> 10} KiB and one message",
        f"A message has at most {web_socket._LEAST_MESSAGE >> 20} MiB",
    ],
    "cli.md": [
        f"in the first {columns.SAMPLE >> 20} MiB of results",
        f"in the first MiB{'' if csv_writer._SAMPLE == MIB else '?'}, in the order",
    ],
    "pipelines.md": [
        f"{PipelineConfig.max_unconfirmed >> 20} MiB by default",
        f"dead letter. {PipelineConfig.tries} by default",
        f"pauses that grow to {WORDS[_reconnecting._MAX_PAUSE]} seconds",
        f"after {WORDS[sharing._PATIENCE]} seconds any other process",
        f"`batch={http._MAX_REQUEST >> 20}MiB`",
        f"up to {retry_after._MAX_WAIT / 60:g} minutes",
        f"more than {json_columns._MOST_MEMBERS:,} different members",
        f"`kafka.transaction.timeout.ms`, {TRANSACTION} seconds here",
    ],
    "processors.md": [
        f"at most {WORDS[failure_log._MOST]} a second",
        f"idle for {process_pool._IDLE_SECONDS:g} seconds",
    ],
    "server.md": [
        f"`Content-Length` of at most {request_handler._MAX_HELD:,}",
        f"for more than {LEAVING:g} ms gets no new connections",
        f"less than {WORDS[worker_slot._STABLE]} seconds, after pauses that grow {PAUSES}",
        f"replaced {WORDS[supervisor._MAX_FAILURES]} times in a row",
        f"at most {log_limit._BURST} of these lines at once",
        f"history of the last {WORDS[figures._SPAN / 60]} minutes",
    ],
    "sources.md": [
        f"at most {shared_reading._PATIENCE:g} seconds; then the slow group",
        f"with at most {mqtt._RECEIVE_MAXIMUM:,} unacknowledged ones",
        f"keeps messages for {WORDS[mqtt._SESSION_EXPIRY / 60]} minutes",
        f"one request of {_nats_pull._MAX_COUNT} messages or {_nats_pull._MAX_SIZE >> 20} MiB",
        f"within {_kafka_poller.REFRESH_INTERVAL:g} seconds",
        f"waits up to {_kafka_group._REVOKE_PATIENCE:g} seconds for acknowledgements",
        f"pauses that grow to {WORDS[_reconnecting._MAX_PAUSE]} seconds",
        f"up to {WORDS[kept_writers._MOST]} per source are kept",
        f"for {kept_writers._IDLE:g} seconds",
        f"checks files every {file._POLL_INTERVAL:g} seconds",
        f"at most {_file_set.MAX_FILES} of the files",
        f"nothing has been written for {_file_set._GRACE:g} seconds",
        f"the first KiB{'' if _file_offset.HEAD_SIZE == 1024 else '?'} and of the "
        f"{_file_offset.BEFORE_SIZE} bytes",
    ],
}


def page(name: str) -> str:
    """Return the text of a page with single spaces."""
    return " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())


@pytest.mark.parametrize("name", STATED)
def test_limits(name: str) -> None:
    text = page(name)
    assert [each for each in STATED[name] if each not in text] == []


def test_the_history_of_the_dashboard() -> None:
    script = (ROOT / "server/dashboard/static/main.js").read_text(encoding="utf-8")
    assert f"const SPAN = {figures._SPAN:g};" in script


def test_reasons_of_refusals() -> None:
    modules = (path.read_text(encoding="utf-8") for path in (ROOT / "server").rglob("*.py"))
    given = {*re.findall(r'reason="(\w+)"', "".join(modules))}
    # Each 403 has a reason of its own.
    declared = {*errors._REASONS.values()} - {"forbidden"}
    text = page("server.md").partition("The reasons are ")[2].partition(" A stream that ")[0]
    assert {*re.findall(r"`(\w+)`", text)} == given | declared | {"bad_request", "server_error"}


def test_responses_to_the_http_sink() -> None:
    text = page("pipelines.md")
    again = text.partition("| 408,")[2].partition("5xx")[0]
    assert {408, *map(int, re.findall(r"\d+", again))} == http._AGAIN
    hopeless = text.partition("| 3xx; ")[2].partition(" |")[0]
    codes = set(map(int, re.findall(r"\d+", hopeless)))
    for first, last in re.findall(r"(\d+) to (\d+)", hopeless):
        codes |= {*range(int(first), int(last))}
    assert codes == http._HOPELESS


def test_close_codes_of_web_sockets() -> None:
    text = page("browsers.md").partition("**The end.**")[2].partition(" - ")[0]
    stated = {*map(int, re.findall(r"\b1\d\d\d\b", text))}
    # What aiohttp sends for malformed frames and text, the usual end, and everything else.
    assert {*web_socket._CODES.values()} | {1000, 1002, 1007, 1008} == stated
    assert {*web_socket._CODES} <= {*StreamErrorCode}


def test_what_both_clients_and_the_server_declare() -> None:
    modules = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "clients/typescript/src").glob("*.ts"))
    )
    package = {
        name: int(number) << int(shift or 0)
        for name, number, shift in re.findall(r"const ([A-Z_]+) = ([\d_]+)(?: << (\d+))?;", modules)
    }
    both = {
        "PROBLEM_TIMEOUT_MS": connection._PROBLEM_TIMEOUT * 1000,
        "MAX_PROBLEM_SIZE": connection._MAX_PROBLEM_SIZE,
        "LAST_ACKS_TIMEOUT_MS": subscription._LAST_ACKS_TIMEOUT * 1000,
        "LONGEST_LINE": window._LONGEST_LINE,
        "NEEDS_ACKS": subscription._NEEDS_ACKS,
    }
    assert {name: package[name] for name in both} == both
    assert package["NEEDS_ACKS"] in errors._REASONS
    assert package["MESSAGE_SIZE"] <= web_socket._LEAST_MESSAGE
    (stop_timeout,) = re.findall(r"stopTimeoutMs \?\? ([\d_]+)", modules)
    server = ServerConfig()
    assert int(stop_timeout) > (server.drain_delay + server.drain_timeout) * 1000


def test_the_commands_find_a_server_without_options() -> None:
    (option,) = [each for each in publish.command.params if each.name == "server"]
    assert option.default == f"http://{ServerConfig.host}:{ServerConfig.port}"


def test_defaults_of_the_clients() -> None:
    source = (ROOT / "clients/typescript/src/config.ts").read_text(encoding="utf-8")
    found = source.partition("defaultStreamingConfig")[2]
    package = {
        name: math.prod(map(int, value.split("*")))
        for name, value in re.findall(r"(\w+): ([\d_ *]+)", found)
    }
    settings, retry = StreamingConfig(), RetryConfig()
    assert package == {
        "chunkSize": settings.chunk_size,
        "timeout": settings.timeout * 1000,
        "bufferSize": settings.buffer_size,
        "workers": StreamLimits().workers,
        "attempts": retry.attempts,
        "delay": retry.delay * 1000,
        "maxDelay": retry.max_delay * 1000,
    }
    readme = (ROOT / "clients/typescript/README.md").read_text(encoding="utf-8")
    assert f"| {package['timeout']:,} |" in readme
    assert f"`{{ attempts: {retry.attempts}, delay: {package['delay']} }}`" in readme
    assert f"| {settings.chunk_size >> 20} MiB, {settings.buffer_size} |" in readme
    table = page("client.md")
    assert f"`chunk_size` | {settings.chunk_size >> 20} MiB" in table
    assert f"`buffer_size` | {settings.buffer_size} lines" in table
    assert f"`timeout` | {settings.timeout:g} s" in table
    assert f"`retry` | {retry.attempts} attempts, {retry.delay:g} s" in table
    assert f"up to {retry.max_delay:g} s," in table
