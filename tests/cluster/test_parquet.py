"""Parquet parts: one table, whose columns do not depend on the blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pyarrow.dataset
import pyarrow.parquet
import pytest

import forstcore
from forstcore._io.digest import digest_text, new_digest
from forstcore.formats import ResultFormatError
from tests import children
from tests.cli.conftest import RECORDS, RESULTS, command, environment
from tests.cluster.conftest import Dataset, Process

if TYPE_CHECKING:
    from distributed import Client

SIZE = 20_000


class Row(TypedDict):
    number: float
    note: str | None


def typed(record: dict[str, Any]) -> Row | None:
    return {"number": int(record["id"]), "note": None} if record["id"] != "5" else None


def rows_of(dataset: Dataset) -> list[dict[str, Any]]:
    """The rows of all parts, which must have the same columns."""
    tables = [
        pyarrow.parquet.read_table(dataset.directory / part["part"])
        for part in dataset.manifest["parts"]
    ]
    assert len({str(table.schema) for table in tables}) == 1
    rows: list[dict[str, Any]] = pyarrow.concat_tables(tables).to_pylist()
    return rows


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "in.ndjson"
    path.write_bytes(RECORDS)
    return path


def test_parts_of_a_type(process: Process, records: Path) -> None:
    dataset = process(records, processor=typed, part_format="parquet", blocksize=SIZE)
    assert [part["part"] for part in dataset.manifest["parts"]] == [
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    assert rows_of(dataset) == [
        {"number": float(number), "note": None} for number in range(1000) if number != 5
    ]
    for part in dataset.manifest["parts"]:
        data = (dataset.directory / part["part"]).read_bytes()
        digest = new_digest()
        digest.update(data)
        assert part["bytes_out"] == len(data)
        assert part["digest"] == digest_text(digest)
    assert sum(part["results"] for part in dataset.manifest["parts"]) == 999


def test_parts_of_the_built_in_processor(process: Process, records: Path) -> None:
    dataset = process(records, part_format="parquet", blocksize=SIZE)
    assert rows_of(dataset) == [json.loads(line) for line in RESULTS.splitlines()]


def test_columns_of_the_first_results(process: Process, tmp_path: Path) -> None:
    """They are the same in parts that have none of a member, and in one without rows."""
    path = tmp_path / "in.ndjson"
    lines = [b'{"skip":true}\n'] * 50 + [b'{"a":1,"skip":false}\n'] * 50 + [b'{"b":[0.5]}\n'] * 50
    path.write_bytes(b"".join(lines))
    size = path.stat().st_size // 3
    dataset = process(
        path, processor=picked, part_format="parquet", blocksize=size, on_error="skip"
    )
    assert len(dataset.manifest["parts"]) > 2
    assert rows_of(dataset) == [{"a": 1, "b": None}] * 50 + [{"a": None, "b": [0.5]}] * 50
    read = pyarrow.dataset.dataset(dataset.directory / "part-00000.parquet")
    assert read.schema.names == ["a", "b"]


def picked(record: dict[str, Any]) -> dict[str, Any] | None:
    skip = record.pop("skip", None)
    return None if skip else record


def test_results_that_do_not_fit_are_named(
    process: Process, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "in.ndjson"
    path.write_bytes(b'{"a":1}\n{"a":"x"}\n')
    with pytest.raises(
        forstcore.ClusterError, match=r"block 0 .*: parts: result 2: member 'a' is a string"
    ):
        process(path, processor=picked, part_format="parquet")
    path.write_bytes(b'{"a":%d}\n' % (1 << 63))
    with pytest.raises(ResultFormatError, match="parts: member 'a' is 9223372036854775808, which"):
        process(path, processor=picked, part_format="parquet")
    # More blocks than are looked at for the columns.
    path.write_bytes(b'{"a":1}\n' * 100 + b'{"a":"x"}\n')
    with pytest.raises(
        forstcore.ClusterError, match=r"part-0000\d.parquet: result \d+: member 'a' is a string"
    ):
        process(path, processor=picked, part_format="parquet", blocksize=100)


def test_resume_keeps_parts(process: Process, records: Path) -> None:
    options = {"processor": typed, "part_format": "parquet", "blocksize": SIZE}
    dataset = process(records, **options)
    rows = rows_of(dataset)
    assert rows_of(process(records, **options, resume=True)) == rows
    with pytest.raises(FileExistsError, match="another processor or other options"):
        process(records, processor=typed, blocksize=SIZE, resume=True)
    # Parts of the other format are removed with their manifest.
    assert process(records, blocksize=SIZE).bytes == RESULTS
    assert list(dataset.directory.glob("*.parquet")) == []


def test_nothing_in(process: Process, tmp_path: Path) -> None:
    path = tmp_path / "in.ndjson"
    path.write_bytes(b"")
    assert process(path, part_format="parquet").manifest["parts"] == []


def test_arguments(process: Process, records: Path) -> None:
    with pytest.raises(ValueError, match="part_format must be ndjson or parquet"):
        process(records, part_format="csv")
    with pytest.raises(ValueError, match="use collect_errors"):
        process(records, part_format="parquet", on_error="emit")


@pytest.mark.parametrize("arguments", [["-o", "out.parquet"], ["-o", "out", "--format", "parquet"]])
def test_the_command(client: Client, records: Path, arguments: list[str]) -> None:
    done = children.run(
        command("process", records, "--scheduler", client.scheduler_info()["address"], *arguments),
        cwd=records.parent,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    table = pyarrow.dataset.dataset(records.parent / arguments[1] / "part-00000.parquet").to_table()
    assert table.to_pylist() == [json.loads(line) for line in RESULTS.splitlines()]
