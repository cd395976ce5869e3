"""Lines that are made to be slow to read, of any length.

`python -m tests.core.hostile_lines` prints what they cost on each scan path, the dearest first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from forstcore import Filter, RecordStream
from forstcore._proc import PASS_ON, scan_paths, use_scan_path


def _object(member: bytes) -> Callable[[int], bytes]:
    """Repeat a member; `%d` in it is a number that no other one has."""

    def line(size: int) -> bytes:
        count = size // (len(member) + 1) + 1
        members = [member % number if b"%" in member else member for number in range(count)]
        return b"{" + b",".join(members) + b"}\n"

    return line


def _around(before: bytes, piece: bytes, behind: bytes) -> Callable[[int], bytes]:
    return lambda size: before + piece * (size // len(piece)) + behind + b"\n"


LINES: Final[Mapping[str, Callable[[int], bytes]]] = {
    "plain text": _around(b'{"id":"', b"x", b'"}'),
    "objects inside each other": lambda size: b'{"a":' * size + b"1" + b"}" * size + b"\n",
    "arrays inside each other": lambda size: b'{"a":' + b"[" * size + b"]" * size + b"}\n",
    "many deep arrays": _around(b'{"a":[', b"[" * 999 + b"]" * 999 + b",", b"1]}"),
    "braces": _around(b"", b"{", b""),
    "escaped backslashes": _around(b'{"id":"', b"\\\\", b'"}'),
    "an odd number of backslashes": _around(b'{"id":"', b"\\\\", b'\\"}'),
    "escaped quotes": _around(b'{"id":"', b'\\"', b'"}'),
    "surrogate pairs": _around(b'{"id":"', b"\\ud83d\\ude00", b'"}'),
    "a lone surrogate at the end": _around(b'{"id":"', b"\\u0041", b'\\ud800"}'),
    "an unknown escape at the end": _around(b'{"id":"', b"\\n", b'\\q"}'),
    "a control character at the end": _around(b'{"id":"', b"x", b'\x01"}'),
    "no closing quote": _around(b'{"id":"', b"x", b""),
    "characters of two bytes": _around(b'{"id":"', "é".encode(), b'"}'),
    "characters of four bytes": _around(b'{"id":"', "😀".encode(), b'"}'),
    "invalid UTF-8 at the end": _around(b'{"id":"x', "é".encode(), b'\xff"}'),
    "quotes": _around(b"", b'"', b""),
    "empty strings": _around(b'{"a":[', b'"",', b'""]}'),
    "members": _object(b'"m%d":1'),
    "one name": _object(b'"id":"x"'),
    "one name, and another below": _object(b'"a":{"b":1}'),
    "names with one start": _object(b'"' + b"n" * 55 + b'%05d":1'),
    "a long name": _around(b'{"', b"n", b'":1}'),
    "the filter's name at the end": lambda size: _object(b'"m%d":1')(size)[:-2] + b',"id":"x"}\n',
    "digits": _around(b'{"n":', b"1", b"}"),
    "a fraction": _around(b'{"n":0.', b"1", b"}"),
    "an exponent": _around(b'{"n":1e', b"0", b"1}"),
    "numbers": _around(b'{"n":[', b"1.5e10,", b"1]}"),
    "long numbers": _around(b'{"n":[', b"1" * 199 + b",", b"1]}"),
    "spaces in front": _around(b"", b" ", b"{}"),
    "spaces within": _around(b'{"id":', b" ", b'"1"}'),
    "spaces behind": _around(b"{}", b" ", b""),
    "spaces around each member": _object(b'\t\r"a"\r:\t1 '),
    "no JSON": _around(b"", b"x", b""),
    "no UTF-8": _around(b"", b"\xff", b""),
}

OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "built-in": {},
    "passed on": {"processor": PASS_ON},
    "filter": {"filter": Filter({"id": "x", "a.b": {"gte": 1}, "n": {"ne": 2}})},
}


def seconds(data: bytes, options: Mapping[str, Any], runs: int) -> float:
    """Measure the CPU time for an input, in the best of several runs."""
    best = float("inf")
    for _ in range(runs):
        stream = RecordStream(on_error="emit", max_line_size=1 << 24, **options)
        start = time.thread_time()
        for at in range(0, len(data), 65536):
            stream.feed(data[at : at + 65536])
        best = min(best, time.thread_time() - start)
    return best


def _table() -> None:
    for path in scan_paths():
        use_scan_path(path)
        for way, options in OPTIONS.items():
            print(f"\n{path}, {way}: ns a byte, in lines of 2 KB and of 500 KB")
            rows = []
            for name, make in LINES.items():
                short, long = make(2000) * 250, make(500_000)
                cost = [1e9 * seconds(data, options, 3) / len(data) for data in (short, long)]
                rows.append((max(cost), f"{cost[0]:7.2f} {cost[1]:7.2f}  {name}"))
            print("\n".join(row for _, row in sorted(rows, reverse=True)))


if __name__ == "__main__":
    _table()
