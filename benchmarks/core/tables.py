"""Show reports: as text with every row, and as the table of the README."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Final

from benchmarks import records
from benchmarks.core import core_rows, peers
from benchmarks.core.measuring import Report

_WIDTH: Final = 110
_COLUMNS: Final = (
    "records",
    "validated",
    "filtered",
    "built-in processor",
    "× `orjson`",
    "of `memcpy`",
    "`orjson`",
    "`msgspec`",
    "`pysimdjson`",
    "simdjson in C++",
)
_HEADER: Final = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}\n"
_MARKDOWN: Final = re.compile(
    r"^\| records \| validated .*\n\|[-|]+\n(?:\|.*\n)*\nMeasured on (?:.+\n)*", re.MULTILINE
)


def text_table(report: Report) -> str:
    """Format a report as a table with a line for each row."""
    mean = report.bytes_in / report.records
    out = [
        f"{report.kind}: {report.records:,} records of {mean:.1f} bytes, "
        f"{report.bytes_in / 1e6:.2f} MB",
        f"  {'':46}{'GB/s':>8}{'low-high':>17}{'records/s':>14}{'x memcpy':>10}{'x orjson':>10}",
    ]
    memcpy, orjson = report.speed(core_rows.MEMCPY), report.speed(peers.ORJSON)
    for name, turns in report.speeds.items():
        speed = report.speed(name) or 0.0
        out.append(
            f"  {name:46}{speed:8.3f}{f'{min(turns):.3f}-{max(turns):.3f}':>17}"
            f"{speed * 1e9 / mean:14,.0f}{_ratio(speed, memcpy, '.3f'):>10}"
            f"{_ratio(speed, orjson, '.2f'):>10}"
        )
    out.extend(f"  note: {note}" for note in report.notes)
    return "\n".join(out)


def markdown(reports: Sequence[Report], path: str, machine: str, date: str) -> str:
    """Format reports as the table of the README, followed by a paragraph about its origin.

    Args:
        reports: what was measured, in the order of the lines.
        path: the scan path to show.
        machine: the processor and the versions of all software.
        date: when it was measured.
    """
    return (
        _HEADER
        + "".join(_line(report, path) for report in reports)
        + (
            "\n"
            + textwrap.fill(f"Measured on {date}: {machine}.", _WIDTH, break_on_hyphens=False)
            + "\n"
        )
    )


def replace_markdown(text: str, table: str) -> str:
    """Replace the table in a text, and the paragraph that follows it.

    Raises:
        ValueError: the text does not contain exactly one.
    """
    changed, count = _MARKDOWN.subn(lambda _: table, text)
    if count != 1:
        raise ValueError(f"there are {count} tables of the core, not one")
    return changed


def _line(report: Report, path: str) -> str:
    def shown(name: str) -> str:
        return _speed(report.speed(name))

    built_in = report.speed(f"{core_rows.STREAM} [{path}]")
    cells = [
        records.TITLES[report.kind],
        shown(f"{core_rows.VALIDATION} [{path}]"),
        shown(f"{core_rows.FILTER} [{path}]"),
        _speed(built_in),
        _ratio(built_in, report.speed(peers.ORJSON), ".0f"),
        _ratio(built_in, report.speed(core_rows.MEMCPY), ".0%").replace("%", " %"),
        shown(peers.ORJSON),
        shown(peers.MSGSPEC),
        shown(peers.PYSIMDJSON),
        f"{shown(peers.SIMDJSON_DOM)} / {shown(peers.SIMDJSON_ON_DEMAND)}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _speed(speed: float | None) -> str:
    return "–" if speed is None else f"{speed:.2g}" if speed < 1 else f"{speed:.1f}"


def _ratio(speed: float | None, base: float | None, how: str) -> str:
    return f"{speed / base:{how}}" if speed and base else "–"
