"""Save the results of the server benchmark: all samples, a table and a chart.

`python -m benchmarks.server --save DIR` writes them, and

    python -m benchmarks.results benchmarks/results/2026-11-23.json --into README.md

replaces the table in a document that has records of the same kind, or adds one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.records import TITLES

__all__ = ["LABELS", "document", "machine", "replace_table", "save", "table"]

LABELS: Final = {
    "forstcore": "**forstcore**",
    "C records": "C, the same job without an HTTP framework",
    "aiohttp + orjson": "aiohttp + orjson, in batches",
    "Node": "Node, its own `http`, in batches",
    "Go": "Go, `encoding/json`, full duplex, in batches",
    "aiohttp echo": "aiohttp, echoing without parsing",
    "C echo": "C, echoing without parsing",
}
"""Titles of the servers in tables, in the order of rows; others follow under their own names."""

_COLUMNS: Final = (
    "64 KiB HTTP chunks",
    "one record per HTTP chunk",
    "lone record, p50 / p99",
    "memory, at most",
    "with a stopped reader",
)

_TABLE: Final = re.compile(r"^\| server \((.*?)\) \|.*\n\|[-|]+\n(?:\|.*\n)*", re.MULTILINE)

# Title and unit of each panel, and its figures with their names in the legend.
_PANELS: Final = (
    ("speed, log scale", "MB/s", (("64K MB/s", "64 KiB"), ("record MB/s", "one record"))),
    ("round trip of a lone record", "µs", (("p50 µs", "p50"), ("p99 µs", "p99"))),
    ("memory", "MB", (("RSS peak", "at most"), ("RSS stopped", "reader stopped"))),
)

Document = Mapping[str, Any]
Samples = Mapping[str, Sequence[float]]


def document(
    samples: Mapping[str, Samples],
    *,
    kind: str,
    record_bytes: float,
    versions: str,
    network: str,
    options: Mapping[str, object],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Build the content of a results file.

    Args:
        samples: samples by server and figure.
        kind: kind of the records.
        record_bytes: mean size of a record in bytes.
        versions: versions of the software used by the servers.
        network: configuration of TCP.
        options: number and duration of the measurements.
        notes: remarks on the interpretation of the figures.
    """
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions,
        "network": network,
        "kind": kind,
        "record_bytes": round(record_bytes, 1),
        "options": dict(options),
        "notes": list(notes),
        "samples": {name: dict(each) for name, each in samples.items()},
    }


def save(found: Document, directory: Path, stem: str) -> None:
    """Write `stem`.json, .md and .svg to a directory, creating it if necessary."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / stem
    path.with_name(f"{stem}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))
    path.with_name(f"{stem}.md").write_text(_text(found, stem))
    _draw(found, path.with_name(f"{stem}.svg"))


def table(found: Document) -> str:
    """Format the medians as a Markdown table."""
    samples: Mapping[str, Samples] = found["samples"]
    columns = (f"server ({_title(found)})", *_COLUMNS)
    header = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
    return header + "".join(_row(name, samples[name]) for name in _order(samples))


def replace_table(text: str, found: Document) -> str:
    """Replace the table of results with records of the same kind in a text.

    If there is none, the table is inserted before the first one with other records.

    Raises:
        ValueError: there is no table of servers.
    """
    tables = {match[1]: match for match in _TABLE.finditer(text)}
    if not tables:
        raise ValueError("there is no table of servers")
    if same := tables.get(_title(found)):
        return text[: same.start()] + table(found) + text[same.end() :]
    first = min(match.start() for match in tables.values())
    return f"{text[:first]}{table(found)}\n{text[first:]}"


def _title(found: Document) -> str:
    return TITLES[found["kind"]]


def machine() -> str:
    """Return the processor, its number of cores, and the operating system."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (named := re.search(r"model name\s*: (.+)", cpuinfo.read_text())):
        model = named[1]
    return f"{model}, {os.cpu_count()} cores, {sys.platform}"


def _order(samples: Mapping[str, Samples]) -> list[str]:
    known = [name for name in LABELS if name in samples]
    return [*known, *(name for name in samples if name not in LABELS)]


def _row(name: str, samples: Samples) -> str:
    def median(figure: str, unit: str, digits: int = 0) -> str:
        values = samples.get(figure)
        return f"{statistics.median(values):.{digits}f}{unit}" if values else "–"

    cells = [
        median("64K MB/s", " MB/s"),
        median("record MB/s", " MB/s"),
        f"{median('p50 µs', '')} / {median('p99 µs', ' µs')}",
        median("RSS peak", " MB"),
        median("RSS stopped", " MB"),
    ]
    return f"| {' | '.join([LABELS.get(name, name), *cells])} |\n"


def _text(found: Document, stem: str) -> str:
    return "".join(_paragraphs(found, stem))


def _paragraphs(found: Document, stem: str) -> Iterator[str]:
    options = ", ".join(f"{name} {value}" for name, value in found["options"].items())
    yield f"# The server beside its peers, {found['date']}\n\n"
    yield f"{found['machine']}. {found['versions']}. TCP: {found['network']}.\n"
    yield f"Records of {found['record_bytes']} bytes on average, one connection, medians;\n"
    yield f"{options}. [All samples]({stem}.json).\n\n"
    yield table(found)
    yield f"\n![The same as a picture]({stem}.svg)\n"
    for note in found["notes"]:
        yield f"\n- {note}"
    if found["notes"]:
        yield "\n"


def _draw(found: Document, path: Path) -> None:
    # Imported here, because measuring does not need matplotlib.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    samples: Mapping[str, Samples] = found["samples"]
    names = _order(samples)
    # Make the output reproducible for the same figures.
    with rc_context({"svg.hashsalt": "forstcore", "svg.fonttype": "none"}):
        figure = Figure(figsize=(12, 4.5), layout="constrained")
        figure.suptitle(f"{found['machine']}; {found['date']}\n{found['versions']}", fontsize=9)
        panels = figure.subplots(1, len(_PANELS), sharey=True)
        for panel, (title, unit, figures) in zip(panels, _PANELS, strict=True):
            for turn, (key, label) in enumerate(figures):
                values = [statistics.median(samples[name].get(key) or [0]) for name in names]
                places = [place + 0.38 * turn - 0.19 for place in range(len(names))]
                bars = panel.barh(places, values, height=0.36, label=label)
                panel.bar_label(bars, fmt="%.0f", fontsize=7, padding=2)
            panel.set_title(title, fontsize=10)
            panel.set_xlabel(unit)
            panel.legend(fontsize=8)
            panel.margins(x=0.15)
        if any(samples[name].get("64K MB/s") for name in names):
            panels[0].set_xscale("log")
        panels[0].set_yticks(range(len(names)), names)
        panels[0].invert_yaxis()
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the table of a results file, or insert it into a document."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.results", description="Show a file of results as a table."
    )
    parser.add_argument("file", type=Path, help=".json file written by `benchmarks.server --save`")
    parser.add_argument(
        "--into",
        type=Path,
        metavar="DOCUMENT",
        help="put the table into this document, in place of the one with the same kind of records",
    )
    options = parser.parse_args()
    found = json.loads(options.file.read_text())
    if options.into is None:
        print(table(found), end="")
        return
    try:
        options.into.write_text(replace_table(options.into.read_text(), found))
    except ValueError as error:
        raise SystemExit(f"{options.into}: {error}") from None


if __name__ == "__main__":
    main()
