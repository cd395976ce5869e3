"""Formats of inputs and outputs, by suffix and by option."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.cli.conftest import RECORDS, RESULTS, Run, Start
from tests.cli.files import drafts
from tests.servers import ROOT, Server

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


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "name",
    ["app.log", "app.log.1", "app.log.2.gz", "app.log-20261201", "app.log.2026-12-01T10", "a.txt"],
)
def test_a_log_is_ndjson(run: Run, tmp_path: Path, name: str) -> None:
    written = run("process", "-", "-o", name, stdin=RECORDS)
    assert (written.returncode, written.stderr) == (0, b"")
    again = run("process", name, "-o", "out.tmp")
    assert (again.returncode, again.stderr) == (0, b"")
    expected = run("process", "-", stdin=RESULTS).stdout
    assert expected
    assert (tmp_path / "out.tmp").read_bytes() == expected


def test_a_rotated_table_is_a_table(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.csv.1").write_bytes(TABLE)
    (tmp_path / "rows.csv").write_bytes(TABLE)
    rotated, plain = run("process", "rows.csv.1"), run("process", "rows.csv")
    assert rotated.stdout
    assert (rotated.returncode, rotated.stdout) == (plain.returncode, plain.stdout)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["process", "in", "-o", "out.xls"], b"--format"),
        (["process", "in", "-o", "out.dat.gz"], b"--format"),
        (["process", "in.dat"], b"--input-format"),
        (["validate", "in.dat"], b"--input-format"),
        (["publish", "in.dat", "in.dat"], b"--input-format"),
        (["replay", "in", "-o", "out.xls"], b"--format"),
        (["send", "http://127.0.0.1:9", "in", "-o", "out.xls"], b"--format"),
        (["send", "http://127.0.0.1:9", "in.dat"], b"--input-format"),
        (["process", "in", "-o", "out.xls", "--local-cluster", "1"], b"--format"),
        (["process", "in.dat", "-o", "out", "--local-cluster", "1"], b"--input-format"),
        (["process", "in", "-o", "out.parquet.xz"], b"--format"),
        (["process", "in", "--errors", "bad.dat"], b"An error file is NDJSON"),
        (["replay", "in.dat"], b"An error file is NDJSON"),
    ],
)
def test_an_unknown_name_is_wrong_usage(
    run: Run, tmp_path: Path, arguments: list[str], option: bytes
) -> None:
    for name in ("in", "in.dat"):
        (tmp_path / name).write_bytes(RECORDS)
    done = run(*arguments)
    said = b" ".join(done.stderr.split())
    assert done.returncode == 2
    assert b"is not known; known are .ndjson," in said
    assert option in said
    assert {path.name for path in tmp_path.iterdir()} == {"in", "in.dat"}


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "arguments",
    [
        ["process", "in", "--errors", "bad.csv"],
        ["process", "in", "--errors", "bad.ndjson.gz"],
        ["process", "in", "-o", "out.csv", "--on-error", "emit"],
        ["process", "in", "-o", "out.parquet", "--on-error", "emit"],
        ["process", "in", "-o", "out.parquet.gz"],
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
        "b.csv:3:1: 1 field, but 2 columns (invalid_csv)",
        "    2",
        "     ^",
        "b.csv:6:5: text after a closing quote (invalid_csv)",
        '    4,"d"e',
        "         ^",
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
        assert done.stderr.startswith(b"forstcore: line 3, byte 1: b.csv: 1 field, but 2 columns")


def test_the_first_bad_row_that_is_sent_can_end_it(
    run: Run, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,data\n1,a\n")
    (tmp_path / "b.csv").write_bytes(DAMAGED)
    done = run("send", server.url, "a.csv", "b.csv", "--on-error", "fail", "--format", "csv")
    assert done.returncode == 1
    assert done.stdout == b"id,result,status\n1,processed_a,success\n1,processed_a,success\n"
    assert done.stderr == (
        b"forstcore: line 3, byte 1: b.csv: 1 field, but 2 columns (invalid_csv)\n"
    )


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
    assert done.stderr == b"forstcore: in.csv, line 1: the name 'a' occurs twice\n"


def read_parquet(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


def test_results_as_parquet(run: Run, tmp_path: Path) -> None:
    done = run("process", "-o", "out.parquet", stdin=RECORDS)
    assert done.returncode == 0, done.stderr
    assert read_parquet(tmp_path / "out.parquet") == ROWS
    done = run("process", "out.parquet", "--map", "r")
    assert done.stdout == RESULTS


def test_parquet_to_standard_output(run: Run, tmp_path: Path) -> None:
    done = run("process", "--format", "parquet", stdin=RECORDS)
    (tmp_path / "out").write_bytes(done.stdout)
    assert read_parquet(tmp_path / "out") == ROWS
    done = run("process", "out", "--input-format", "parquet", "--map", "r")
    assert done.stdout == RESULTS


def test_rows_of_parquet_have_numbers(run: Run, tmp_path: Path) -> None:
    table = pyarrow.table({"id": ["1", None, "3"], "data": ["a", None, "b"], "n": [1, 2, 3]})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    done = run("process", "in.parquet", "in.parquet", "--where", "r['id'] > '1'", "--errors", "bad")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [{"id": "3", "data": "b", "n": 3}] * 2
    errors = [json.loads(line) for line in (tmp_path / "bad").read_bytes().splitlines()]
    assert [(error["file"], error["line"]) for error in errors] == [("in.parquet", 2)] * 2


def test_the_type_of_the_results(run: Run, tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(
        "from typing import TypedDict\n"
        "import forstcore\n"
        "class Row(TypedDict):\n"
        "    id: str\n"
        "    size: float\n"
        "    note: str | None\n"
        "@forstcore.processor('rows')\n"
        "def rows(record: dict) -> Row:\n"
        "    return {'size': len(record['data']), 'id': record['id']}\n"
    )
    done = run(
        *("process", "--processors", "typed.py", "--processor", "rows", "-o", "out.parquet"),
        stdin=RECORDS,
    )
    assert done.returncode == 0, done.stderr
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert [(each.name, str(each.type)) for each in table.schema] == [
        ("id", "string"),
        ("size", "double"),
        ("note", "string"),
    ]
    done = run(
        *("process", "--processors", "typed.py", "--processor", "rows", "--format", "csv"),
        stdin=RECORDS[: RECORDS.index(b"\n") + 1],
    )
    assert done.stdout == b"id,size,note\n0,9,\n"


def test_a_row_without_a_place_leaves_the_old_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out.parquet").write_bytes(b"old")
    done = run("process", "--map", "r", "-o", "out.parquet", stdin=b'{"a":1}\n{"a":"x"}\n')
    assert done.returncode == 3
    assert b"forstcore: out.parquet: result 2: member 'a' is a string" in done.stderr
    assert (tmp_path / "out.parquet").read_bytes() == b"old"
    assert drafts(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_old_file_outlives_a_command_that_is_killed(
    start: Start, tmp_path: Path, number: int
) -> None:
    (tmp_path / "out.parquet").write_bytes(b"old")
    process = start("process", "-o", "out.parquet")
    assert process.stdin is not None
    # More than is held back before the file begins, and than fits into a pipe.
    process.stdin.write(b'{"id":"1","data":"%s"}\n' % (b"x" * 1000) * 20_000)
    process.send_signal(number)
    assert process.wait(60) == -number
    assert (tmp_path / "out.parquet").read_bytes() == b"old"
    assert number == signal.SIGKILL or drafts(tmp_path) == []


def test_parquet_needs_a_package(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError('none')")
    (tmp_path / "in.parquet").write_bytes(b"")
    for arguments in (["-o", "out.parquet"], ["in.parquet"]):
        done = run("process", *arguments, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
        assert done.returncode == 3
        assert b"Parquet needs pyarrow: pip install 'forstcore[parquet]'" in done.stderr
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.long
@pytest.mark.parametrize(("name", "sizes"), [("out.parquet", (100, 400)), ("out.csv", (20, 80))])
def test_memory_does_not_grow_with_the_output(
    start: Start, tmp_path: Path, name: str, sizes: tuple[int, int]
) -> None:
    line = b'{"id":"1","data":"%s","n":{"a":[1,2.5,null]}}\n' % (b"x" * 200)
    peaks = []
    for megabytes in sizes:
        with (tmp_path / "in").open("wb") as file:
            for _ in range(megabytes):
                file.write(line * ((1 << 20) // len(line)))
        process = start("process", "in", "--map", "r", "-o", name)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        peaks.append(usage.ru_maxrss >> 10)
    assert peaks[1] < peaks[0] + 80, peaks


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
