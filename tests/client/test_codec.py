"""Lines of JSON, with orjson and without."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import forstcore
from tests import children
from tests.servers import ROOT, Server

VALUES: list[Any] = [
    {"id": "1", "data": "x"},
    {"data": 'Grüße\n"\\\t\x00\x7f 🌲 \u2028', "id": ""},
    {},
    {"a": [1, 2.5, None, True, {"b": []}]},
    [],
    "text",
]


@pytest.fixture(params=["orjson", "json"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module with orjson, if it is installed, and without."""
    if request.param == "json":
        monkeypatch.setitem(sys.modules, "orjson", None)
    elif importlib.util.find_spec("orjson") is None:
        pytest.skip("needs orjson")
    # Where the package is installed, which need not be the checkout.
    path = Path(forstcore.__file__).with_name("_io") / "json_lines.py"
    spec = importlib.util.spec_from_file_location("codec", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (module.orjson is None) == (request.param == "json")
    return module


@pytest.mark.parametrize("value", VALUES)
def test_a_line_is_one_line(codec: ModuleType, value: Any) -> None:
    line = codec.dump_line(value)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == value
    assert codec.loads(line) == value


def test_lines_there_and_back(codec: ModuleType) -> None:
    file = io.BytesIO()
    codec.dump_lines(iter(VALUES), file)
    assert file.getvalue() == b"".join(map(codec.dump_line, VALUES))
    assert codec.load_lines(file.getvalue()) == VALUES


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, {"a": b"bytes"}, {"a": "\ud800"}])
def test_what_json_does_not_know(codec: ModuleType, value: Any) -> None:
    file = io.BytesIO()
    with pytest.raises((TypeError, ValueError)):
        codec.dump_lines([{"id": "1"}, value, {"id": "2"}], file)
    assert file.getvalue() == b'{"id":"1"}\n'
    with pytest.raises((TypeError, ValueError)):
        codec.dump_line(value)


@pytest.mark.parametrize("bad", [b"no json\n", b"{\n", b"\n", b'{"a":1}}\n'])
def test_a_line_that_is_not_json_is_shown(codec: ModuleType, bad: bytes) -> None:
    with pytest.raises(ValueError, match="not a line of JSON") as caught:
        codec.load_lines(b'{"id":"1"}\n' + bad)
    assert repr(bad.rstrip(b"\n"))[:-1] in str(caught.value)


def test_a_client_without_orjson(server: Server) -> None:
    program = """
import sys
sys.modules["orjson"] = None
from forstcore import ForstStreamingClient
records = ({"id": str(number), "data": "é"} for number in range(1000))
results = list(ForstStreamingClient(sys.argv[1]).stream_to_forst("streaming-process", records))
assert results == [
    {"id": str(number), "result": "processed_é", "status": "success"} for number in range(1000)
]
"""
    children.run([sys.executable, "-c", program, server.url], cwd=ROOT, check=True)
