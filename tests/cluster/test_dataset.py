"""Datasets: parts equal the results of one process; incomplete destinations are reported."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xxhash import xxh3_64

import forstcore
from forstcore._io.compressed import zstd
from forstcore.errors import RecordError
from tests import children
from tests.cli.conftest import command, environment
from tests.cluster.conftest import Dataset, Process, failing_task, hidden, one_process

if TYPE_CHECKING:
    from distributed import Client

BOM = b"\xef\xbb\xbf"


def records(seed: int, several: int = 400) -> bytes:
    """Return lines of all kinds."""
    choose = random.Random(seed)
    kinds: list[Callable[[int], bytes]] = [
        lambda n: b'{"id":"%d","data":"%s"}\n' % (n, b"x" * choose.choice([1, 10, 900])),
        lambda n: b'{"id":"%d","data":"text"}\r\n' % n,
        lambda n: b"\n" if n % 2 else b" \t\r\n",
        lambda n: b'{"id":%d}\n' % n,
        lambda n: b'{"id":"\xff"}\n',
    ]
    lines = [choose.choices(kinds, [20, 5, 2, 1, 1])[0](n) for n in range(several)]
    return b"".join(lines)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Files that are hard to split; the second is empty."""
    long = b'{"id":"long","data":"' + b"y" * 60_000 + b'"}\n'
    contents = [
        BOM + records(1) + long + records(2) + b'{"id":"no LF"}',
        b"",
        BOM + b"\n" + records(3),
        b'{"id":"too long","data":"' + b"z" * 90_000 + b'"}\n{"id":',
        records(4) + b"\n\n",
    ]
    paths = [tmp_path / f"{number}.ndjson" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


@pytest.mark.one_in(4)
@pytest.mark.parametrize("on_error", ["skip", "emit"])
@pytest.mark.parametrize("blocksize", [20_000, 100_000, "1 GiB"])
def test_the_parts_are_what_one_process_makes(
    process: Process, files: list[Path], blocksize: int | str, on_error: str
) -> None:
    options: dict[str, Any] = {"on_error": on_error, "max_line_size": 80_000}
    made = process(files, blocksize=blocksize, **options)
    assert made.bytes == one_process(files, **options)
    manifest = made.manifest
    assert json.loads((made.directory / "manifest.json").read_text()) == manifest
    assert manifest["errors_by_code"]["line_too_long"] == 1
    for part in manifest["parts"]:
        content = (made.directory / part["part"]).read_bytes()
        assert part["digest"] == f"xxh3:{xxh3_64(content).hexdigest()}"
        assert part["bytes_out"] == len(content)
        assert part["results"] + (on_error == "emit") * part["errors"] == content.count(b"\n")
        assert part["errors"] == sum(part["errors_by_code"].values())
    assert manifest["lines"] == sum(content.read_bytes().count(b"\n") for content in files) + 2
    assert [part["part"] for part in manifest["parts"]] == [
        f"part-{number:05d}.ndjson" for number in range(len(manifest["parts"]))
    ]
    assert hidden(made.directory) == []


def test_the_manifest_counts_records_given_back_and_filtered(
    process: Process, tmp_path: Path
) -> None:
    path = tmp_path / "in.ndjson"
    lines = b'{"n":1}\n' * 400 + b'{"n":99999999999999999999}\n' + b'{"n":2}\n' * 400
    path.write_bytes(lines + b'{"n":0}\n' * 3)
    module = tmp_path / "adding.py"
    module.write_text(
        "import forstcore\n\n"
        "@forstcore.processor('adding')\n"
        "def adding(record: dict):\n"
        "    return record['n'] + 1\n"
    )
    options: dict[str, Any] = {"processor": "adding", "modules": [str(module)]}
    made = process([path], blocksize=2000, filters={"n": {"gt": 0}}, **options)
    parts = made.manifest["parts"]
    assert len(parts) > 1
    assert made.manifest["given_back"] == sum(part["given_back"] for part in parts) == 1
    assert made.manifest["filtered"] == sum(part["filtered"] for part in parts) == 3


@pytest.mark.parametrize("on_error", ["skip", "emit"])
def test_results_that_look_like_errors_are_results(
    process: Process, tmp_path: Path, on_error: str
) -> None:
    alike = b'{"status":"error","line":%s,"offset":0,"code":"invalid_json","message":"no"}\n'
    good = alike % b"1" + alike % b'"x"'
    (tmp_path / "in.ndjson").write_bytes((good + b"nope\n") * 500)

    def echo(record: dict[str, Any]) -> dict[str, Any]:
        return record

    async def later(record: dict[str, Any]) -> dict[str, Any]:
        return record

    for processor in (echo, later):
        made = process(
            [tmp_path / "in.ndjson"],
            processor=processor,
            blocksize=10_000,
            collect_errors=True,
            on_error=on_error,
        )
        assert [error["line"] for error in made.errors] == list(range(3, 1501, 3))
        assert {error["raw"] for error in made.errors} == {"nope"}
        errors = (on_error == "emit") * 500
        assert made.bytes.count(b"\n") == 1000 + errors
        assert made.bytes.count(alike % b'"x"') == 500


@pytest.mark.parametrize("on_error", ["skip", "emit"])
def test_errors_have_their_file_line_and_byte(
    process: Process, files: list[Path], tmp_path: Path, on_error: str
) -> None:
    made = process(files, blocksize=25_000, collect_errors=True, on_error=on_error)
    one = tmp_path / "errors.ndjson"
    arguments = command("process", *files, "--errors", one, "--on-error", on_error)
    done = children.run(arguments, env=environment(), check=True)
    assert made.bytes == done.stdout
    errors = [json.loads(line) for line in one.read_text().splitlines()]
    assert made.errors == errors
    assert len({error["file"] for error in errors}) == 4


def test_compressed_files_are_a_part_each(process: Process, tmp_path: Path) -> None:
    if zstd is None:
        pytest.skip("needs zstd")
    plain, gz, zst = (tmp_path / f"in{suffix}" for suffix in (".ndjson", ".gz", ".zst"))
    plain.write_bytes(records(1)[:-1])
    gz.write_bytes(gzip.compress(BOM + records(2)) + gzip.compress(b'{"id":"last"}'))
    zst.write_bytes(zstd.compress(BOM + records(3)) + zstd.compress(records(4)))
    paths = [gz, plain, zst, gz]
    made = process(paths, blocksize=20_000, on_error="emit", collect_errors=True)
    assert made.bytes == one_process(paths, on_error="emit")
    parts = [Path(part["file"]).name for part in made.manifest["parts"]]
    assert (parts.count("in.gz"), parts.count("in.zst")) == (2, 1)
    assert parts.count("in.ndjson") > 1
    for error in made.errors:
        raw = error.get("raw")
        if error["file"] == str(plain) and raw:
            assert plain.read_bytes().split(b"\n")[error["line"] - 1] == raw.encode()


def test_a_damaged_file_is_named(process: Process, tmp_path: Path) -> None:
    path = tmp_path / "in.gz"
    path.write_bytes(gzip.compress(records(1))[:-20])
    with pytest.raises(forstcore.ClusterError, match=r"block 0 .*in\.gz: cannot be decompressed"):
        process(path, retries=0)
    assert list((tmp_path / "out").iterdir()) == []


def test_functions_go_to_the_workers(process: Process, files: list[Path]) -> None:
    suffix = "!"

    def shout(record: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"id": record["id"] + suffix}] * (len(record.get("data", "")) % 3)

    async def later(record: forstcore.StreamingRecord) -> dict[str, str]:
        import asyncio

        await asyncio.sleep(0)
        return {"id": record["id"] + suffix}

    for function in (shout, later):
        made = process(files, processor=function, blocksize=50_000, on_error="emit")
        assert made.bytes == one_process(files, function, on_error="emit")
        assert made.manifest["processor"] == function.__name__


def test_modules_go_to_the_workers(process: Process, files: list[Path], tmp_path: Path) -> None:
    module = tmp_path / "routes.py"
    source = """
from dataclasses import dataclass
import forstcore

@dataclass
class Item:
    id: str
    data: str = "none"

@forstcore.processor("mine")
def mine(item: Item) -> dict:
    return {"id": item.id, "size": len(item.data)}
"""
    pytest.importorskip("msgspec", reason="needs msgspec")
    for name in ("size", "length"):
        # The same file again, for workers that have already loaded it.
        module.write_text(source.replace("size", name))
        made = process(files[0], processor="mine", modules=[str(module)], blocksize=50_000)
        assert set(json.loads(made.bytes.splitlines()[0])) == {"id", name}
        assert made.manifest["results"] > 300
    # A module that is installed on the workers.
    made = process(files[0], processor="enrich", modules=["examples.processors"])
    assert made.manifest["results"] > 300
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    for modules, message in (
        (["broken.py"], r"worker .*: cannot load processors from .*broken\.py: .*nothing_of"),
        (["routes.py"], r"worker .*: there is no processor 'other'; declared are: mine"),
        (["nothing.of.that.name"], r"worker .*: cannot load processors from nothing\.of"),
    ):
        paths = [str(tmp_path / each) if "py" in each else each for each in modules]
        with pytest.raises(forstcore.ClusterError, match=message):
            process(files, processor="other", modules=paths)
    with pytest.raises(forstcore.LoadError, match=r"missing\.py: No such file"):
        process(files, processor="other", modules=["missing.py"])


def test_what_cannot_be_sent_is_refused(process: Process, files: list[Path]) -> None:
    lock = threading.Lock()

    def locked(record: dict[str, Any]) -> dict[str, Any]:
        with lock:
            return record

    with pytest.raises(TypeError, match=r"'locked' cannot be sent.*declare it in a module"):
        process(files, processor=locked)
    with pytest.raises(TypeError, match="the name that one of them declares"):
        process(files, processor=len, modules=["routes"])
    with pytest.raises(LookupError, match="no processor 'nobody'"):
        process(files, processor="nobody")


def test_fail_names_the_first_line(process: Process, tmp_path: Path) -> None:
    good = b'{"id":"1"}\n\n' * 500
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(good)
    second.write_bytes(good + b'{"id":1}\n' + good + b'{"id":2}\n' + good)
    with pytest.raises(RecordError, match=r"line 1001, byte 6: .*second: member 'id'") as caught:
        process([first, second], on_error="fail", blocksize=2_000)
    assert (caught.value.line, caught.value.offset) == (1001, 6)
    assert not (tmp_path / "out/manifest.json").exists()
    made = process([first, first], on_error="fail", blocksize=2_000)
    assert made.bytes == one_process([first, first])


def test_a_dataset_is_not_written_over_by_chance(
    process: Process, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    many = process(files, blocksize=20_000, collect_errors=True)
    with pytest.raises(FileExistsError, match=r"another run; choose another destination.*out"):
        process(files, overwrite=False)
    few = process(files[:1])
    assert len(many.manifest["parts"]) > len(few.manifest["parts"])
    assert sorted(path.name for path in few.directory.iterdir()) == [
        "manifest.json",
        "notes.txt",
        "part-00000.ndjson",
    ]


def test_a_run_can_be_resumed(process: Process, files: list[Path], tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()

    fail = failing_task(tmp_path / "out")

    def marked(record: dict[str, Any]) -> dict[str, Any]:
        if record["id"] == "no LF" and not (marks / "mended").exists():
            fail()
        with (marks / "calls").open("a") as file:
            file.write("x")
        return record

    options: dict[str, Any] = {"processor": marked, "blocksize": 20_000, "retries": 0}
    with pytest.raises(forstcore.ClusterError, match=r"block \d+ .*0\.ndjson, bytes"):
        process(files[:1], **options)
    # A part counts only with its report, which is written after the part.
    whole = {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "out").glob("part-*.ndjson")
        if path.with_name(f".{path.stem}.json").exists()
    }
    assert whole
    assert not (tmp_path / "out/manifest.json").exists()
    (marks / "mended").touch()
    parts: list[str] = []
    resumed = process(
        files[:1], **options, resume=True, on_part=lambda part: parts.append(part["part"])
    )
    assert {path.name for path in whole}.isdisjoint(parts)
    assert {path: path.stat().st_mtime_ns for path in whole} == whole
    assert resumed.bytes == one_process(files[:1], marked)
    assert hidden(resumed.directory) == []
    # Resuming a complete dataset processes nothing,
    calls = (marks / "calls").stat().st_size
    assert process(files[:1], **options, resume=True).manifest == resumed.manifest
    assert (marks / "calls").stat().st_size == calls
    # and resuming with other options is refused.
    with pytest.raises(FileExistsError, match="other files, another processor or other options"):
        process(files[:1], **options | {"blocksize": 30_000}, resume=True)


def test_memory(files: list[Path]) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    import fsspec
    from distributed import Client

    from forstcore.cluster import process_dataset

    system = fsspec.filesystem("memory")
    for path in files:
        system.pipe_file(f"memory://in/{path.name}", path.read_bytes())
    # Run the workers in this process, to measure their memory.
    with Client(processes=False, dashboard_address="127.0.0.1:0", set_as_default=False) as client:
        manifest = process_dataset(
            "memory://in/*.ndjson", "memory://out/set", client=client, blocksize=50_000
        )
    parts = [system.cat_file(f"memory://out/set/{part['part']}") for part in manifest["parts"]]
    assert b"".join(parts) == one_process(files)
    assert manifest["inputs"][0]["file"] == "memory:///in/0.ndjson"
    names = {path.rpartition("/")[2] for path in system.ls("memory://out/set", detail=False)}
    assert names == {"manifest.json", *(part["part"] for part in manifest["parts"])}


def test_a_place_that_is_not_shared_is_noticed(client: Client, files: list[Path]) -> None:
    from forstcore.cluster import process_dataset

    with pytest.raises(forstcore.ClusterError, match="all workers have to write to the same place"):
        process_dataset(files, "memory://elsewhere", client=client)


def test_arguments_are_checked(process: Process, files: list[Path]) -> None:
    for wrong in (
        {"blocksize": 0},
        {"blocksize": "many"},
        {"workers": 0},
        {"on_error": "explode"},
        {"max_line_size": 0},
        {"resume": True, "overwrite": True},
    ):
        with pytest.raises(ValueError, match=r"."):
            process(files, **wrong)


def test_no_lines_at_all(process: Process, files: list[Path]) -> None:
    made = process(files[1])
    assert (made.manifest["parts"], made.bytes) == ([], b"")
    assert isinstance(made, Dataset)
