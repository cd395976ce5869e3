"""The format of a file by its suffix."""

from __future__ import annotations

import pytest

from forstcore.formats import UnknownFormatError, format_of


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("-", "ndjson"),
        ("out", "ndjson"),
        ("/dev/stdout", "ndjson"),
        ("/proc/self/fd/1", "ndjson"),
        ("dir.d/out", "ndjson"),
        (".hidden", "ndjson"),
        ("..", "ndjson"),
        ("x.ndjson", "ndjson"),
        ("x.jsonl.gz", "ndjson"),
        ("x.json.zst", "ndjson"),
        ("x.gz", "ndjson"),
        ("a.b.NDJSON", "ndjson"),
        ("x.txt.gz", "ndjson"),
        ("app.log", "ndjson"),
        ("app.log.1", "ndjson"),
        ("app.log.2.gz", "ndjson"),
        ("app.log-20261201", "ndjson"),
        ("app.log.2026-12-01T10", "ndjson"),
        ("x.csv", "csv"),
        ("x.csv.1", "csv"),
        ("dir/x.CSV.gz", "csv"),
        ("x.tsv.zst", "tsv"),
    ],
)
def test_known(name: str, found: str) -> None:
    assert format_of(name) == found


@pytest.mark.parametrize(
    "name", ["x.xls", "x.csv.bz2", "x.GZ", "x.dat.gz", "x.dat.1", "x.", "x.csv.", "x.gz.gz"]
)
def test_unknown(name: str) -> None:
    with pytest.raises(UnknownFormatError, match=r"known are \.ndjson, \.jsonl"):
        format_of(name)
