"""Servers that are forked for tests do what those do that a user starts."""

from __future__ import annotations

import json
import signal
import urllib.request

import pytest

import forstcore
from tests import preloaded
from tests.servers import StartServer

RECORD = b'{"id":"1","data":"x"}\n'
RESULT = b'{"id":"1","result":"processed_x","status":"success"}\n'

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="servers are not forked")


@pytest.fixture(params=[True, False], ids=["forked", "started"])
def launched(request: pytest.FixtureRequest, start_one: StartServer) -> StartServer:
    """Start servers in one way and in the other."""
    preloaded.turn(on=request.param)
    if preloaded.is_on() != request.param:
        pytest.skip("pytest was started in another directory")
    return start_one


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_it_serves_and_ends(launched: StartServer, number: int, status: int) -> None:
    server = launched("--max-connections", "70", env={"FORSTCORE_MAX_STREAMS": "7"})
    with urllib.request.urlopen(f"{server.url}/version", timeout=60) as response:
        assert json.load(response)["forstcore"] == forstcore.__version__
    assert server.figure("streams_limit") == 7
    assert server.figure("connections_limit") == 70
    request = urllib.request.Request(f"{server.url}/streaming-process", RECORD)
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.read() == RESULT
    assert server.process.poll() is None
    assert server.stop(number) == status
    output, errors = server.process.communicate(timeout=60)
    assert output == ""
    if number == signal.SIGTERM:
        assert "/streaming-process" in errors


def test_it_does_not_start(launched: StartServer) -> None:
    with pytest.raises(pytest.fail.Exception, match="processors must be"):
        launched("--processors", "")
