"""A third-party native processor, built against the wheel and used by a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.packaging.conftest import Installed
from tests.server.raw import RawStream
from tests.servers import Server, launch

LINES = (
    b'{"sensor":"oven","celsius":180.5}\n'
    b'{"sensor":"fridge \\u2744","celsius":4}\n'
    b'{"sensor":"none"}\n'
    b'{"sensor":"broken","celsius":-300}\n'
    b'{"celsius":1e2}\n'
)


@pytest.fixture(scope="module")
def with_thermo(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    installed.install_example("native_processor", tmp_path_factory.mktemp("thermo"))
    return installed


@pytest.fixture
def server(with_thermo: Installed, tmp_path: Path) -> Iterator[Server]:
    server = launch("--processors", "thermo", python=with_thermo.python, cwd=tmp_path)
    yield server
    server.stop()
    server.process.communicate()


def test_it_streams(server: Server) -> None:
    headers = {"Forst-On-Error": "emit", "Forst-Frames": "1"}
    with RawStream((server.host, server.port), "/thermo", headers) as stream:
        stream.send_and_end(LINES)
        lines = stream.read_rest().split(b"\n")
    results = [json.loads(line) for line in lines if line and not line.startswith(b":")]
    assert results == [
        {"sensor": "oven", "fahrenheit": 356.9, "alarm": True},
        {"sensor": "fridge ❄", "fahrenheit": 39.2, "alarm": False},
        {
            "status": "error",
            "line": 4,
            "offset": 0,
            "code": "processor_failed",
            "message": "below absolute zero",
        },
        {"sensor": None, "fahrenheit": 212.0, "alarm": True},
    ]
    assert b":ack 5" in lines
    end = next(line for line in lines if line.startswith(b":end "))
    assert {**json.loads(end[5:])}.items() >= {"lines": 5, "results": 3, "errors": 1}.items()


def test_a_flood_of_records_stays_in_order(server: Server) -> None:
    lines = [b'{"sensor":%d,"celsius":%d}\n' % (n, n % 500) for n in range(100_000)]
    with RawStream((server.host, server.port), "/thermo", timeout=60) as stream:
        stream.send(b"".join(lines[:50]))
        assert stream.read_line() == b'{"sensor":0,"fahrenheit":32.0,"alarm":false}\n'
        for _ in range(49):
            stream.read_line()
        for start in range(50, 100_000, 5000):
            piece = lines[start : start + 5000]
            stream.send(b"".join(piece))
            got = [json.loads(stream.read_line())["sensor"] for _ in piece]
            assert got == list(range(start, start + len(piece)))
        stream.end()
        assert stream.read_rest() == b""


def test_it_is_listed(server: Server) -> None:
    with urlopen(f"{server.url}/processors", timeout=60) as response:
        listed = json.load(response)
    assert {"name": "thermo", "kind": "native"}.items() <= listed["processors"][-1].items()
