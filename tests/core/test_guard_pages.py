"""Nothing outside the input is read: it lies between two pages without access."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from forstcore import Filter, RecordStream
from forstcore._proc import PASS_ON

LINES = [
    b'{"id":"1","data":"x"}\n',
    b'{"id":"1","data":"x","n":[1,2,{"a":"\xc3\xa9"}],"s":"\\u00e9"}\n',
    b'{"id":"2","data":"\xf0\x9f\x98\x80","n":-12.5e3,"s":"\\ud83d\\ude00"}\n',
    b'{"id":"3","data":"%s","n":true}\n' % (b"0123456789" * 7),
    b'{ "id" : "4" , "user" : { "name" : "\\"" , "tags" : [ ] } , "n" : 12345678901234567890 }\n',
    b'{"id":"5","user":{},"n":null} \r\n',
]
# Last lines before the end of memory: cut, invalid, or both.
LAST = [
    *(b"", b'{"id":"1","data":"x', b'{"id":"1","data":"\\', b'{"id":"1","u":"\\ud83d\\ude0'),
    *(
        b'{"id":"1","u":"\xf0\x9f\x98',
        b'{"id":"1","u":"\xe6\x97',
        b'{"id":"1","n":12345',
        b'{"n":tru',
    ),
    *(b'{"id":"1","u":"\\u00', b'{"id":"1","n":1e', b'{"id":"1","n":[[[', b"\xef\xbb", b'"', b"{"),
]
OPTIONS: dict[str, dict[str, Any]] = {
    "built-in": {},
    "few conditions": {"filter": Filter({"user.name": {"ne": "x"}, "s": {"exists": True}})},
    "many conditions": {"filter": Filter({f"n{number}": {"ne": 1} for number in range(20)})},
}


@pytest.fixture(params=["built-in", "members", "pass", "few conditions", "many conditions"])
def options(request: pytest.FixtureRequest, cases: ModuleType) -> dict[str, Any]:
    """Give the options of a stream, for each way of using its records."""
    processors = {"members": cases.members, "pass": PASS_ON}
    if request.param in processors:
        return {"on_error": "emit", "processor": processors[request.param]}
    return {"on_error": "emit", **OPTIONS[request.param]}


def check(guarded: memoryview, data: bytes, options: dict[str, Any]) -> None:
    """Process input at the start and at the end of the page, with and without its last LF."""
    streams = [RecordStream(**options) for _ in range(3)]
    for stream in streams:
        stream.feed(b"".join(LINES) * 12)  # enough to learn their shapes
    expected = streams[0].feed(data)
    size = len(guarded)
    guarded[: len(data)] = data
    assert streams[1].feed(guarded[: len(data)]) == expected
    guarded[size - len(data) :] = data
    assert streams[2].feed(guarded[size - len(data) :]) == expected


@pytest.mark.one_in(5)
@pytest.mark.parametrize("last", LAST)
def test_lines_near_the_end(
    guarded: memoryview, scan_path: str, options: dict[str, Any], last: bytes
) -> None:
    for line in LINES:
        check(guarded, line + last, options)
        check(guarded, line * 40 + last + b"\n", options)
        check(guarded, b"".join(LINES) * 9 + line + last, options)


def test_each_distance_from_the_end(
    guarded: memoryview, scan_path: str, options: dict[str, Any]
) -> None:
    for behind in range(141):
        line = LINES[behind % len(LINES)]
        check(guarded, line * 3 + b"x" * behind, options)
        check(guarded, line * 3 + b'{"id":"' + b"\xc3\xa9" * (behind // 2), options)
        # The last line has each size, too.
        check(guarded, line * 3 + b'{"u":"%s"}\n' % (b"x" * behind), options)
        check(guarded, line * 3 + b'{"u":%s}\n' % (b"1" * (behind + 1)), options)


def test_pages_full_of_lines(guarded: memoryview, scan_path: str, options: dict[str, Any]) -> None:
    size = len(guarded)
    for number, line in enumerate(LINES * 4):
        lines = line * (size // len(line))
        for last in LAST:
            data = lines[: len(lines) - len(line) * (number // 6)] + last
            check(guarded, data[-size:], options)
        check(guarded, (b" " * size + lines)[-size:], options)
