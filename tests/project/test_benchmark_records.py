"""The records of the benchmarks: the same ones everywhere, valid, and of the sizes they state."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest

import forstcore
from benchmarks import records

SIZE = 400_000
DIGESTS = {
    "weblog": "5f77efaa44fdd30b",
    "github": "150f40ee981f8bce",
    "tweet": "9cca53293b607dc2",
    "40": "ab696dca526a5789",
    "110": "2db23f1e0c5cb313",
    "1000": "97d0323e92742667",
    "escapes": "3b55add0a7137094",
    "spaced": "416707b0b059d45e",
    "members": "cc73eeb933ce515a",
}
MEAN_SIZES = {
    "weblog": (345, 357),
    "github": (1300, 1600),
    "tweet": (3000, 3600),
    "40": (37, 43),
    "110": (107, 113),
    "1000": (950, 1050),
    "escapes": (100, 130),
    "spaced": (107, 113),
    "members": (250, 330),
}


@pytest.fixture(scope="module", params=records.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def lines_of(kind: str) -> list[bytes]:
    body = records.make(kind, SIZE)
    assert body.endswith(b"\n")
    return body[:-1].split(b"\n")


def test_the_same_bytes_are_made_everywhere(kind: str) -> None:
    assert hashlib.sha256(records.make(kind, SIZE)).hexdigest()[:16] == DIGESTS[kind]


def test_mean_sizes_are_as_stated(kind: str) -> None:
    lines = lines_of(kind)
    low, high = MEAN_SIZES[kind]
    assert low <= sum(map(len, lines)) / len(lines) + 1 <= high


def test_every_record_is_valid_and_has_an_id_of_its_own(kind: str) -> None:
    lines = lines_of(kind)
    ids = [json.loads(line)["id"] for line in lines]
    assert all(isinstance(each, str) for each in ids)
    if kind in records.REAL_KINDS:
        assert len(set(ids)) == len(ids)


def test_the_builtin_processor_takes_every_record(kind: str) -> None:
    body = records.make(kind, SIZE)
    assert forstcore.process_block(body, on_error="fail").count(b"\n") == body.count(b"\n")


def test_weblog_records_vary_as_those_of_a_server() -> None:
    found = [json.loads(line) for line in lines_of("weblog")]

    def share(wanted: list[bool]) -> float:
        return sum(wanted) / len(found)

    assert 0.05 < share([each["response"]["status"] >= 500 for each in found]) < 0.09
    assert 0.03 < share(["error" in each for each in found]) < 0.07
    assert {len(each["tags"]) for each in found} == {0, 1, 2, 3}
    lines = lines_of("weblog")
    assert 0.01 < share([b"\\u" in line for line in lines]) < 0.04
    assert 0.2 < share([not line.isascii() for line in lines]) < 0.3


def test_github_records_have_several_shapes() -> None:
    types = Counter(json.loads(line)["type"] for line in lines_of("github"))
    assert types.most_common(1)[0][0] == "PushEvent"
    assert len(types) == 7


def test_a_third_of_tweets_hold_another() -> None:
    found = [json.loads(line) for line in lines_of("tweet")]
    assert 0.25 < sum("retweeted_status" in each for each in found) / len(found) < 0.4
    assert all(len(each["user"]) > 30 for each in found)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind must be one of weblog, github, "):
        records.make("xml", 1)
