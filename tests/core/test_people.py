"""parse_record and process_record: the same rules for single records."""

from __future__ import annotations

import collections
import json
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore import RecordError, parse_record, process_record
from forstcore._proc import process_block

from .reference import record
from .strategies import RECORDS


@pytest.mark.parametrize(
    ("line", "id_", "data"),
    [
        ('{"id":"1","data":"a"}', "1", "a"),
        ('{"id":"1","data":"a"}\n', "1", "a"),
        ('{"id":"1","data":"a"}\r\n', "1", "a"),
        (' {"data" : "a"} ', "", "a"),
        ("{}", "", ""),
        ('{"id":null,"data":null}', "", ""),
        (r'{"id":"\"\\\/\b\f\n\r\t"}', '"\\/\b\f\n\r\t', ""),
        (r'{"id":"\u0041\u00e9\u20AC\ud83d\ude00","data":"\u0000"}', "Aé€😀", "\0"),
        ('{"id":"é€😀"}', "é€😀", ""),
        (r'{"id":"é\u00e9\\u00e9"}', "éé\\u00e9", ""),
        (r'{"\u0069d":"1","i\u0064":"2"}', "2", ""),
        ('{"id":1,"id":"1","x":{"id":2}}', "1", ""),
        (r'{"id":"\udbff\udfff\uffff\ud7ff\ue000"}', "\U0010ffff\uffff\ud7ff\ue000", ""),
        (f'{{"id":"{"é" * 10_000}"}}', "é" * 10_000, ""),
    ],
)
def test_parse(line: str, id_: str, data: str) -> None:
    """The strings come out decoded, id first."""
    parsed = parse_record(line.encode())
    assert parsed == {"id": id_, "data": data}
    assert list(parsed) == ["id", "data"]


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b" \r\n", b"[]", b"{", b'{"id":1}', b"{}{}", b"{}\n{}", b"{}\nx", b"\xff"],
)
def test_parse_refuses(line: bytes) -> None:
    """Anything but one record is rejected."""
    with pytest.raises(RecordError) as caught:
        parse_record(line)
    assert caught.value.line == 1
    assert 0 <= caught.value.offset <= len(line)


@given(RECORDS)
def test_parse_random_records(line: bytes) -> None:
    """Random records are parsed as the reference implementation and the result line have them."""
    id_, data = record(line)
    parsed = parse_record(line)
    assert parsed == {"id": id_, "data": data}
    assert process_record(parsed) == json.loads(process_block(line))


class Other(dict[str, object]):
    """A custom mapping type."""


@pytest.mark.parametrize(
    ("fields", "id_", "data"),
    [
        ({"id": "1", "data": "a"}, "1", "a"),
        ({"data": "a", "id": "1", "other": object()}, "1", "a"),
        ({}, "", ""),
        ({"id": None, "data": None}, "", ""),
        ({"id": 'é😀\0"\\'}, 'é😀\0"\\', ""),
    ],
)
@pytest.mark.parametrize(
    "kind", [dict, Other, types.MappingProxyType, collections.UserDict, collections.ChainMap]
)
def test_process(fields: dict[str, object], id_: str, data: str, kind: Any) -> None:
    """Any mapping is processed, and not changed."""
    before = dict(fields)
    result = process_record(kind(fields))
    assert result == {"id": id_, "result": "processed_" + data, "status": "success"}
    assert list(result) == ["id", "result", "status"]
    assert fields == before


class Text(str):
    """A subclass of str."""

    __slots__ = ()


def test_process_takes_strings_of_other_types() -> None:
    """A subclass of str is a string."""
    assert process_record({"id": Text("1"), "data": Text("a")})["result"] == "processed_a"


def test_process_asks_only_what_it_needs() -> None:
    """A mapping with defaults gets no new keys."""
    fields = collections.defaultdict[str, object](lambda: "default", id="1")
    process_record(fields)
    assert dict(fields) == {"id": "1"}


@pytest.mark.parametrize("name", ["id", "data"])
@pytest.mark.parametrize("value", [1, 0, 1.5, True, False, b"a", b"", [], {}, ["a"], object()])
def test_process_refuses_values(name: str, value: object) -> None:
    """A value that is neither a string nor None has the wrong type."""
    with pytest.raises(RecordError) as caught:
        process_record({"id": "1", "data": "a", name: value})
    error = caught.value
    assert (error.code, error.line, error.offset) == ("wrong_type", 1, 0)


@pytest.mark.parametrize("value", [None, 1, "id", b"{}", [], [("id", "1")], {"id"}, object(), dict])
def test_process_refuses_non_mappings(value: Any) -> None:
    """A record that is no mapping is the caller's error."""
    with pytest.raises(TypeError):
        process_record(value)


def test_process_passes_errors_of_the_mapping_on() -> None:
    """An exception raised by the mapping reaches the caller."""

    class Broken(collections.UserDict[str, object]):
        def __getitem__(self, key: str) -> object:
            raise ZeroDivisionError(key)

        def __contains__(self, key: object) -> bool:
            return True

    with pytest.raises(ZeroDivisionError):
        process_record(Broken({"id": "1"}))


@given(st.text(), st.text())
def test_process_random_strings(id_: str, data: str) -> None:
    """Any strings are returned unchanged."""
    result = process_record({"id": id_, "data": data})
    assert result == {"id": id_, "result": "processed_" + data, "status": "success"}
