"""The file sink that writes Parquet: complete files with all results, of any type."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore._io.json_lines import dump_line
from forstcore.sinks._manifest import read_manifest, write_manifest
from forstcore.sinks._parquet_file import ParquetFile
from forstcore.sinks._rotated_file import NEVER
from tests.sinks.test_file import numbered, outputs, sink_of, writing


def rows_in(directory: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in numbered(directory, "parquet"):
        rows += pyarrow.parquet.read_table(directory / name).to_pylist()
    return rows


def opened(directory: Path, max_size: int = 1 << 30) -> ParquetFile:
    file = ParquetFile(directory / "out.parquet", max_size, NEVER)
    file.open()
    return file


def written(directory: Path, lines: bytes) -> Any:
    file = opened(directory)
    file.append(lines, "a")
    file.finish()
    return pyarrow.parquet.read_table(directory / "out-000001.parquet")


def test_a_series_of_files_with_offsets(tmp_path: Path) -> None:
    pairs = [(b'{"n":%d}\n{"n":%d}\n' % (n, n), str(n)) for n in range(100)]
    url = sink_of(tmp_path / "out.parquet", max_size=500)
    assert writing(url, outputs(*pairs[:50])) == "49"
    assert writing(url, outputs(*pairs[50:])) == "99"
    assert [row["n"] for row in rows_in(tmp_path)] == [n for n in range(100) for _ in "12"]
    names = numbered(tmp_path, "parquet")
    assert len(names) > 2
    metadata = pyarrow.parquet.read_metadata(tmp_path / names[-1]).metadata
    assert metadata[b"forstcore.offset"] == b"99"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == [
        ".out.parquet.manifest"
    ]


def test_types_are_those_of_all_results(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        b'{"a":1,"o":{"x":null},"l":[1]}\n{"a":0.5,"o":{"y":"z"},"b":true}\n{"l":[null,2.5]}\n',
    )
    assert {field.name: str(field.type) for field in table.schema} == {
        "a": "double",
        "o": "struct<x: string, y: string>",
        "l": "list<element: double>",
        "b": "bool",
    }


def test_what_has_no_type_is_json(tmp_path: Path) -> None:
    deep = "[" * 40 + "]" * 40
    lines = (
        b'{"mixed":1,"empty":{},"big":9223372036854775808,"in":[{"m":"x"}],"deep":%b}\n'
        b'{"mixed":"y","in":[{"m":[0.5]},null]}\n[1]\n{"mixed":null}\n' % deep.encode()
    )
    first, second, third, last = written(tmp_path, lines).to_pylist()
    assert [row["mixed"] for row in (first, second, third, last)] == ["1", '"y"', None, None]
    assert (first["empty"], first["big"]) == ("{}", "9223372036854775808")
    assert first["in"] == [{"m": '"x"'}]
    assert second["in"] == [{"m": "[0.5]"}, None]
    assert "".join(json.dumps(first["deep"]).split()).count("[") == 40
    assert third["value"] == [1]


def test_objects_with_many_keys_are_json(tmp_path: Path) -> None:
    result = {"by_key": {str(n): n for n in range(1001)}, "few": {"1": 1}}
    (row,) = written(tmp_path, dump_line(result)).to_pylist()
    assert json.loads(row["by_key"]) == result["by_key"]
    assert row["few"] == {"1": 1}


@pytest.mark.parametrize("lines", [b"{}\n{}\n", b"null\n{}\n", b'{"a":null}\n{}\n'])
def test_rows_without_values_are_rows(tmp_path: Path, lines: bytes) -> None:
    assert written(tmp_path, lines).num_rows == 2


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["", "a", "b", "é"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def is_held(value: Any, found: Any) -> bool:
    """Return whether a column has a value, as it is or as JSON text."""
    if value is None:
        return found is None
    if isinstance(found, str) and not (isinstance(value, str) and found == value):
        return bool(json.loads(found) == value)
    if isinstance(value, dict):
        return all(is_held(value.get(name), each) for name, each in found.items()) and set(
            value
        ) <= set(found)
    if isinstance(value, list):
        return len(value) == len(found) and all(map(is_held, value, found))
    return bool(value == found or float(value) == found)


@pytest.mark.long
@given(st.lists(values, min_size=1, max_size=8))
def test_any_results(tmp_path_factory: pytest.TempPathFactory, results: list[Any]) -> None:
    directory = tmp_path_factory.mktemp("any")
    lines = b"".join(map(dump_line, results))
    table = written(directory, lines)
    shutil.rmtree(directory)
    # Columns are the same if results fit into those of earlier ones, or not.
    directory.mkdir()
    with mock.patch("forstcore.sinks._parquet_file._PIECE", 1):
        assert written(directory, lines) == table
    shutil.rmtree(directory)
    rows = table.to_pylist()
    assert len(rows) == len(results)
    for result, row in zip(results, rows, strict=True):
        expected = result if isinstance(result, dict) else {"value": result}
        assert is_held(expected, row)


def test_a_file_is_ended_by_the_next_process(tmp_path: Path) -> None:
    """It was killed before, during and after the conversion."""
    manifest = tmp_path / ".out.parquet.manifest"
    part = tmp_path / ".out-000001.parquet.part"
    final = tmp_path / "out-000001.parquet"
    file = opened(tmp_path)
    file.append(b'{"n":1}\n', "1")
    file.close()
    file = opened(tmp_path)
    file.append(b'{"n":2}\n', "2")
    file.close()
    kept = part.read_bytes()
    found = read_manifest(manifest)
    assert found is not None
    write_manifest(manifest, found.complete())
    (tmp_path / ".out-000001.parquet.draft").write_bytes(b"half of it")
    opened(tmp_path).close()
    assert rows_in(tmp_path) == [{"n": 1}, {"n": 2}]
    assert not part.exists()
    # Now it is killed before it removes the part.
    part.write_bytes(kept)
    write_manifest(manifest, found.complete())
    file = opened(tmp_path)
    assert not part.exists()
    file.append(b'{"n":3}\n', "3")
    file.finish()
    assert rows_in(tmp_path) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert final.exists()


def test_a_file_of_others_is_not_replaced(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.append(b'{"n":1}\n', "1")
    pyarrow.parquet.write_table(pyarrow.table({"n": [7]}), tmp_path / "out-000001.parquet")
    for retry in (file.finish, file.open, file.open):
        with pytest.raises(FileExistsError, match="is not replaced"):
            retry()
    assert rows_in(tmp_path) == [{"n": 7}]
    assert (tmp_path / ".out-000001.parquet.part").read_bytes() == b'{"n":1}\n'
