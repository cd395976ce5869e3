"""The server if a private name of a library or of Python is missing."""

from __future__ import annotations

import subprocess
import sys

import aiohttp
import pytest
import redis

from tests.servers import ROOT, await_server

START = "import sys; from server.cli import main; sys.exit(main(sys.argv[1:]))"
WITHOUT = """
from aiohttp.web import RequestHandler

begin = RequestHandler.__init__

def begin_without(self, *arguments, **options):
    begin(self, *arguments, **options)
    del self.{0}

RequestHandler.__init__ = begin_without
"""
CHANGED = """
from aiohttp.web import RequestHandler

receive = RequestHandler.data_received

def receive_twice(self, data):
    receive(self, data)
    receive(self, data)

RequestHandler.data_received = receive_twice
"""
UNREAD = """
from aiohttp import StreamReader

StreamReader.read_nowait = lambda self: b""
"""


def start(before: str, *options: str) -> subprocess.Popen[str]:
    """Start a server whose process has run something before."""
    return subprocess.Popen(
        [sys.executable, "-c", f"{before}\n{START}", "--port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.one_in(4)
@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("import aiohttp.web_protocol as lacking; del lacking._ErrInfo", "'_ErrInfo'"),
        ("import aiohttp.http_exceptions as lacking; del lacking.LineTooLong", "'LineTooLong'"),
        ("import aiohttp.http_parser as lacking; del lacking.HttpRequestParser", "RequestParser'"),
        (WITHOUT.format("_messages"), "_messages"),
        (WITHOUT.format("_waiter"), "_waiter"),
        (CHANGED, "queues requests differently"),
        (UNREAD, "pauses reading differently"),
    ],
)
def test_it_does_not_start_where_aiohttp_is_not_as_needed(
    before: str, reason: str, processes: str
) -> None:
    process = start(before, "--processes", processes)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.count("\n") == 1
    assert f"aiohttp {aiohttp.__version__} is not supported: " in errors
    assert reason in errors


def test_it_does_without_what_only_saves_time_or_memory() -> None:
    # asyncio needs the second one itself, but only for TLS.
    before = (
        "import asyncio.sslproto as lacking; del lacking.SSLProtocol\n"
        "import server.http.internals as internals\n"
        "missing, internals.missing = internals.missing, lambda loop: missing(object())"
    )
    process = start(before)
    server = await_server(process)
    assert server.stop() == 0
    errors = process.communicate()[1]
    assert "_ready" in errors
    assert "SSLProtocol" in errors


def test_a_source_says_what_redis_lacks() -> None:
    before = "import redis._parsers as lacking; del lacking._AsyncRESP2Parser"
    process = start(before, "--source", "a=redis://127.0.0.1/0?stream=a")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.count("\n") == 1
    assert f"redis {redis.__version__} is not supported: " in errors
    assert "'_AsyncRESP2Parser'" in errors
