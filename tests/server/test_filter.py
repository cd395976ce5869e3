"""Filters on `/streaming-process`, by header and in the query."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.server.raw import RawStream
from tests.servers import Server

FILTER = json.dumps({"level": "high", "value": {"gte": 5}})
BODY = (
    b'{"id":"1","level":"high","value":5}\n'
    b'{"id":"2","level":"low","value":9}\n'
    b'{"id":"3","level":"high","value":4}\n'
    b'{"id":"4","level":"high","value":7}\n'
)


@pytest.mark.parametrize("by_header", [True, False])
def test_only_what_is_wanted_is_processed(server: Server, by_header: bool) -> None:
    path = "/streaming-process" if by_header else f"/streaming-process?filter={quote(FILTER)}"
    headers = {"Forst-Frames": "1"} | ({"Forst-Filter": FILTER} if by_header else {})
    with RawStream((server.host, server.port), path, headers) as request:
        request.send_and_end(BODY)
        lines = request.read_rest().splitlines()
    assert [json.loads(line)["id"] for line in lines if line[:1] == b"{"] == ["1", "4"]
    end = json.loads(lines[-1].removeprefix(b":end "))
    assert (end["lines"], end["results"], end["errors"]) == (4, 2, 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Forst-Filter is not JSON"),
        ("[]", "Forst-Filter must be a JSON object"),
        ('{"a":{"near":1}}', "Forst-Filter: filters.a.near is no operator"),
    ],
)
def test_a_bad_filter_names_the_place(server: Server, text: str, reason: str) -> None:
    headers = {"Forst-Filter": text}
    with RawStream((server.host, server.port), headers=headers) as request:
        request.send_and_end(BODY)
        assert request.read_head() == 400
        assert reason in json.loads(request.read_rest())["detail"]


@pytest.mark.parametrize("path", ["/streaming-process", "/large-dataset-stream"])
def test_a_bad_filter_behind_a_good_one_is_refused(server: Server, path: str) -> None:
    headers = {"Forst-Filter": FILTER}
    with RawStream((server.host, server.port), f"{path}?filter=%5B%5D", headers) as request:
        request.send_and_end(BODY)
        assert request.read_head() == 400
        assert "must be a JSON object" in json.loads(request.read_rest())["detail"]
