"""Formats of inputs and outputs by their names, and by options."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from tests.cli.conftest import RECORDS, RESULTS, Run
from tests.cli.files import drafts
from tests.servers import Server

ROWS = [json.loads(line) for line in RESULTS.splitlines()]
TABLE = b"id,data\n" + b"".join(b"%d,reading %d\n" % (n, n) for n in range(1000))
DAMAGED = b'id,data\n1,a\n2\n3,"b\nc"\n4,"d"e\n5,f\n'


def read_csv(data: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(data.decode().splitlines(keepends=True), delimiter=delimiter))


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.tsv", "OUT.CSV"])
def test_results_as_csv(run: Run, tmp_path: Path, name: str) -> None:
    done = run("process", "-o", name, stdin=RECORDS)
    assert done.returncode == 0, done.stderr
    data = (tmp_path / name).read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    assert read_csv(data, "\t" if "tsv" in name else ",") == ROWS


@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz", "in.tsv", "in"])
def test_records_from_csv(run: Run, tmp_path: Path, name: str) -> None:
    data = TABLE.replace(b",", b"\t") if "tsv" in name else TABLE
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    given = ["--input-format", "csv"] if name == "in" else []
    done = run("process", name, *given)
    assert done.returncode == 0, done.stderr
    assert done.stdout == RESULTS


def test_a_format_for_standard_streams(run: Run) -> None:
    done = run("process", "--input-format", "csv", "--format", "tsv", stdin=TABLE)
    assert done.returncode == 0, done.stderr
    assert read_csv(done.stdout, "\t") == ROWS


def test_an_option_outweighs_a_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(RECORDS)
    done = run(
        "process", "in.csv", "--input-format", "ndjson", "-o", "x.data", "--format", "ndjson"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.data").read_bytes() == RESULTS


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["process", "in", "-o", "out.xls"], b"--format"),
        (["process", "in", "-o", "out.txt.gz"], b"--format"),
        (["process", "in.log"], b"--input-format"),
        (["validate", "in.log"], b"--input-format"),
        (["publish", "in.log", "in.log"], b"--input-format"),
        (["replay", "in", "-o", "out.xls"], b"--format"),
        (["send", "http://127.0.0.1:9", "in", "-o", "out.xls"], b"--format"),
        (["send", "http://127.0.0.1:9", "in.log"], b"--input-format"),
        (["process", "in", "-o", "out.xls", "--local-cluster", "1"], b"--format"),
        (["process", "in.log", "-o", "out", "--local-cluster", "1"], b"--input-format"),
        (["process", "in", "--errors", "bad.log"], b"An error file is NDJSON"),
        (["replay", "in.log"], b"An error file is NDJSON"),
    ],
)
def test_an_unknown_name_is_wrong_usage(
    run: Run, tmp_path: Path, arguments: list[str], option: bytes
) -> None:
    for name in ("in", "in.log"):
        (tmp_path / name).write_bytes(RECORDS)
    done = run(*arguments)
    said = b" ".join(done.stderr.split())
    assert done.returncode == 2
    assert b"is not known; known are .ndjson," in said
    assert option in said
    assert {path.name for path in tmp_path.iterdir()} == {"in", "in.log"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["process", "in", "--errors", "bad.csv"],
        ["process", "in", "--errors", "bad.ndjson.gz"],
        ["process", "in", "-o", "out.csv", "--on-error", "emit"],
        ["process", "in.csv", "--on-error", "emit"],
        ["process", "in", "-o", "out.csv", "--local-cluster", "1"],
        ["process", "in", "-o", "out.gz", "--local-cluster", "1"],
        ["process", "in.csv", "-o", "out", "--local-cluster", "1"],
    ],
)
def test_what_a_format_is_not_for(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "in").write_bytes(RECORDS)
    (tmp_path / "in.csv").write_bytes(TABLE)
    assert run(*arguments).returncode == 2
    assert {path.name for path in tmp_path.iterdir()} == {"in", "in.csv"}


def test_rows_and_lines_are_one_stream(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b'{"id":"1"}\n{"id":2}')
    (tmp_path / "b.csv").write_bytes(DAMAGED)
    done = run("process", "a.ndjson", "b.csv", "b.csv", "a.ndjson", "--errors", "errors")
    assert done.stderr == b"forstcore: 6 lines were rejected: invalid_csv 4, wrong_type 2\n"
    found = [json.loads(line)["result"] for line in done.stdout.splitlines()]
    one = ["processed_a", "processed_b\nc", "processed_f"]
    assert found == ["processed_", *one, *one, "processed_"]
    places = [
        (error["file"], error["line"], error["code"], error["raw"])
        for error in map(json.loads, (tmp_path / "errors").read_bytes().splitlines())
    ]
    table = [("b.csv", 3, "invalid_csv", "2"), ("b.csv", 6, "invalid_csv", '4,"d"e')]
    line = ("a.ndjson", 2, "wrong_type", '{"id":2}')
    assert places == [line, *table, *table, line]


def test_validate_shows_rows(run: Run, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(DAMAGED)
    done = run("validate", "b.csv")
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        "b.csv:3:0: 1 field, but 2 columns (invalid_csv)",
        "    2",
        "    ^",
        "b.csv:6:0: text after a closing quote (invalid_csv)",
        '    4,"d"e',
        "    ^",
    ]


def test_the_first_bad_row_can_end_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(DAMAGED)
    for given, want in (
        ((), b'{"id":"1","result":"processed_a","status":"success"}\n'),
        (("--format", "csv"), b"id,result,status\n1,processed_a,success\n"),
    ):
        done = run("process", "b.csv", "--on-error", "fail", *given)
        assert done.returncode == 1
        assert done.stdout == want
        assert done.stderr.startswith(b"forstcore: line 3, byte 0: b.csv: 1 field, but 2 columns")


def test_a_result_without_a_place_leaves_the_old_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_bytes(b"old")
    (tmp_path / "in").write_bytes(b'{"a":1}\n' * 200_000 + b'{"b":1}\n')
    done = run("process", "in", "--map", "r", "-o", "out.csv")
    assert done.returncode == 3
    assert b"out.csv: result 200,001: member 'b' has no column" in done.stderr
    assert (tmp_path / "out.csv").read_bytes() == b"old"
    assert drafts(tmp_path) == []


def test_names_that_are_wrong_are_no_records(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"a,a\n1,2\n")
    done = run("process", "in.csv")
    assert done.returncode == 3
    assert done.stderr == b"forstcore: in.csv, line 1: the name 'a' is there twice\n"


def test_through_a_server(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(DAMAGED)
    done = run("send", server.url, "b.csv", "-o", "out.csv", "--errors", "errors")
    assert done.returncode == 0, done.stderr
    assert read_csv((tmp_path / "out.csv").read_bytes()) == [
        {"id": "1", "result": "processed_a", "status": "success"},
        {"id": "3", "result": "processed_b\nc", "status": "success"},
        {"id": "5", "result": "processed_f", "status": "success"},
    ]
    errors = [json.loads(line) for line in (tmp_path / "errors").read_bytes().splitlines()]
    assert [(error["line"], error["code"]) for error in errors] == [
        (3, "invalid_csv"),
        (6, "invalid_csv"),
    ]
    done = run("send", server.url, "b.csv", "-o", "new.csv", "--on-error", "fail")
    assert done.returncode == 1
    assert not (tmp_path / "new.csv").exists()
