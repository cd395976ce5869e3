"""Compiled processors: the parts that all of them have."""

from __future__ import annotations

from typing import Any

import pytest

from forstcore._core.program import OPCODES, Program
from forstcore._proc import RecordStream
from tests.compiled.oracle import compiled, lines_of, same

RECORDS = [
    {"id": i, "flag": i % 2 == 0, "request": {"path": f"/a/{i}", "start": i / 7}}
    for i in range(200)
]


def test_values_are_copied_into_the_result() -> None:
    def project(event: dict[str, Any]) -> Any:
        if event["flag"] is True:
            return None
        request = event["request"]
        return {
            "trace": event["id"],
            "path": request["path"],
            "nested": {"list": [request["start"], 1.5, "é\n"]},
            "who": event.get("who", "nobody"),
        }

    assert same(project, RECORDS) == 0


def test_a_record_that_is_given_back_comes_in_its_place() -> None:
    def name(event: dict[str, Any]) -> Any:
        return {"name": event["name"]}

    records: list[Any] = [{"name": i} for i in range(100)]
    records[7] = {}
    records[50] = b"nonsense"
    records[99] = b'{"name":123456789012345678901234567890}'
    assert same(name, records) == 1


def test_a_stream_stops_before_a_record_that_is_given_back() -> None:
    def name(event: dict[str, Any]) -> Any:
        return {"name": event["name"]}

    data = lines_of([{"name": 1}, {"nome": 2}, {"name": 3}])
    stream = RecordStream(processor=compiled(name).program)
    assert stream.feed_part(data, 1000) == b'{"name":1}\n'
    assert stream.given_back
    assert data[stream.taken :].startswith(b'{"nome"')
    assert (stream.lines, stream.records) == (1, 1)
    stream.skip_line()
    rest = data[stream.taken :].partition(b"\n")[2]
    assert stream.feed_part(rest, 1000) == b'{"name":3}\n'
    assert not stream.given_back
    assert (stream.lines, stream.records) == (3, 2)


def _instruction(name: str, *operands: int) -> list[int]:
    return [OPCODES[name][0], *operands, *[0] * (3 - len(operands))]


FUNCTION = [*_instruction("FUNCTION", 0, 1, 0), *_instruction("TEMPORARIES", 0, 1)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ([], "does not end"),
        ([9999, 0, 0, 0], "unknown"),
        ([1, 5, 0, 0], "out of its range"),
        ([1, 0, 0, 0], "does not end"),
        ([*_instruction("ENTER", 1, 1), *_instruction("JUMP")], "enters no function"),
        ([*_instruction("ENTER", 1, 0), *FUNCTION, *_instruction("JUMP")], "enters no function"),
        ([*_instruction("ENTER", 1, 1), *_instruction("FUNCTION", 1, 2, 0)], "enters no function"),
    ],
)
def test_a_program_that_would_lead_out_of_its_memory_is_refused(
    code: list[int], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        Program(code, [], [], [], [], 2, 1)
