"""The ways of a native processor to nested values, compared with Python's own JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forstcore import RecordStream
from tests.core import strategies
from tests.native import build

# The scan path stays the same for all examples of one test.
on_one_path = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Native processors that read all of a record."""
    source = Path(__file__).parent.parent / "native" / "values.c"
    return build(source, tmp_path_factory.mktemp("values"))


def results(processor: object, *records: bytes) -> list[bytes]:
    stream = RecordStream(processor=processor, on_error="emit")
    out = stream.feed(b"\n".join(records)) + stream.finish()
    return out.split(b"\n")[:-1]


def run(processor: object, *records: bytes) -> list[Any]:
    return [json.loads(line) for line in results(processor, *records)]


class Members(list[tuple[str, Any]]):
    """The members of an object, duplicates included."""


def items_of(value: Any) -> Any:
    if isinstance(value, Members):
        return ["object", *([name, items_of(each)] for name, each in value)]
    if isinstance(value, list):
        return ["array", *(["", items_of(each)] for each in value)]
    return value


def paths_of(value: Any, path: str) -> dict[str, Any]:
    """All paths below a value that can be written: names have no dots, brackets or NULs."""
    found = {path: value} if path else {}
    if isinstance(value, dict):
        for name, each in value.items():
            if not re.search(r"[.[\0]", name):
                found |= paths_of(each, f"{path}.{name}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found |= paths_of(each, f"{path}[{index}]")
    return found


def find(value: Any, path: str) -> list[Any]:
    """The value at a path in a list, which is empty if there is none."""
    if not re.fullmatch(r"[^.[]*(?:\.[^.[]*|\[[0-9]+\])*", path):
        return []
    for name, index in re.findall(r"\.([^.[]*)|\[([0-9]+)\]", "." + path):
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif not index and isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return []
    return [value]


@given(strategies.NESTED)
@on_one_path
def test_iteration(values: ModuleType, scan_path: str, record: bytes) -> None:
    assert run(values.items, record) == [items_of(json.loads(record, object_pairs_hook=Members))]


@given(strategies.NESTED)
@on_one_path
def test_one_level_at_a_time(values: ModuleType, scan_path: str, record: bytes) -> None:
    assert run(values.parts, record) == [json.loads(record)]


@given(strategies.NESTED)
@on_one_path
def test_all_paths(values: ModuleType, scan_path: str, record: bytes) -> None:
    (found,) = run(values.paths, record)
    expected = paths_of(json.loads(record), "")
    assert found == {"0": 0} | {path[1:]: value for path, value in expected.items()}


@given(st.lists(strategies.alike(), max_size=4), st.booleans())
@on_one_path
def test_paths_are_kept_from_record_to_record(
    values: ModuleType, scan_path: str, kinds: list[list[bytes]], mixed: bool
) -> None:
    records = [record for kind in kinds for record in kind]
    records += [record for kind in zip(*kinds, strict=False) for record in kind] * mixed
    for record, found in zip(records, run(values.known, *records), strict=True):
        expected = json.loads(record)
        assert found == [[path, *find(expected, path)] for path, *_ in found]


@pytest.mark.parametrize("numbers", [range(100), [*range(40), *range(60)]], ids=["once", "twice"])
def test_many_members(values: ModuleType, scan_path: str, numbers: Sequence[int]) -> None:
    members = [f'"m{number}":{{"a":[{at}]}}' for at, number in enumerate(numbers)]
    record = "{" + ",".join(members) + "}"
    expected = json.loads(record)
    assert run(values.items, record.encode()) == [
        items_of(json.loads(record, object_pairs_hook=Members))
    ]
    assert run(values.parts, record.encode()) == [expected]
    (found,) = run(values.paths, record.encode())
    assert found == {"0": 0} | {path[1:]: value for path, value in paths_of(expected, "").items()}


@pytest.mark.parametrize(
    ("opening", "closing", "item"),
    [(b'{"a":', b"}", b'["object",["a",'), (b"[", b"]", b'["array",["",')],
    ids=["objects", "arrays"],
)
def test_as_deep_as_json_may_be(
    values: ModuleType, scan_path: str, opening: bytes, closing: bytes, item: bytes
) -> None:
    depth = 1022
    record = b'{"a":' + opening * depth + b"0" + closing * depth + b"}"
    items = b'["object",["a",' + item * depth + b"0" + b"]]" * (depth + 1)
    assert results(values.items, record) == [items]
    assert results(values.parts, record) == [record]
