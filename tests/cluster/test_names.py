"""File names on a cluster: existing names are literal, and inputs are never overwritten."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import forstcore
from tests.cluster.conftest import Process, failing_task, hidden, one_process
from tests.cluster.test_cli import run

if TYPE_CHECKING:
    from distributed import Client

NAMES = [
    "data[1].ndjson",
    "st*r.ndjson",
    "q?.ndjson",
    "a::b.ndjson",
    "simplecache::c.ndjson",
    "zip::d.ndjson",
    "e{1,2}#f%20g h.ndjson",
    "new\nline.ndjson",
    "~root",
    "~",
    "-o",
    "file:x.ndjson",
    "[",
    "n" * 255,
    *([os.fsdecode(b"\xff\xfe.ndjson")] if sys.platform == "linux" else []),
]


def record(number: int) -> bytes:
    return b'{"id":"%d","data":"x"}\n' % number


def fill(directory: Path, names: list[str], several: int = 1) -> dict[str, bytes]:
    directory.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        lines = [record(number * several + each) for each in range(several)]
        (directory / name).write_bytes(b"".join(lines))
    return contents(directory)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_names_are_taken_as_they_are(process: Process, tmp_path: Path) -> None:
    directory = tmp_path / "in"
    fill(directory, [*NAMES, "data1.ndjson", "stAr.ndjson", "qq.ndjson"])
    paths = [directory / name for name in NAMES]
    made = process(paths, collect_errors=True)
    assert made.bytes == one_process(paths)
    assert [each["file"] for each in made.manifest["inputs"]] == [str(path) for path in paths]
    assert json.loads((made.directory / "manifest.json").read_text()) == made.manifest
    assert process(paths, collect_errors=True, resume=True).manifest == made.manifest


def test_relative_names_and_patterns(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, NAMES)
    (tmp_path / "folder.ndjson").mkdir()
    (tmp_path / "link.ndjson").symlink_to("folder.ndjson")
    monkeypatch.chdir(tmp_path)
    paths: list[Any] = list(NAMES)
    assert process(paths).bytes == one_process([tmp_path / name for name in NAMES])
    # A name without a file is a pattern, which matches no directories.
    matched = sorted(path for path in tmp_path.glob("*.ndjson") if path.is_file())
    for pattern in ("*.ndjson", ["*.ndjson"], Path("*.ndjson")):
        pattern_given: Any = pattern
        assert process(pattern_given).bytes == one_process(matched)


def test_errors_name_their_file(process: Process, tmp_path: Path) -> None:
    path = tmp_path / NAMES[-1]
    path.write_bytes(record(1) + b'{"id":2}\n' + record(3))
    made = process(path, collect_errors=True, blocksize=20)
    assert [error["file"] for error in made.errors] == [str(path)]


@pytest.mark.parametrize("name", ["out[1]", "o*t", "a::b", "~x", "sp ace\n", "zip::y"])
def test_a_destination_is_no_pattern(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Neither by a new run, nor with resume or overwrite."""
    from forstcore.cluster import process_dataset

    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").write_bytes(b"".join(map(record, range(100))))
    for neighbour in ("out1", "out", "a", "b"):
        fill(tmp_path / neighbour, ["part-00000.ndjson", "manifest.json"])
    before = [contents(tmp_path / neighbour) for neighbour in ("out1", "out", "a", "b")]
    options: dict[str, Any] = {"client": client, "blocksize": 500}
    first = process_dataset("in", name, **options)
    assert process_dataset("in", name, resume=True, **options) == first
    assert process_dataset("in", name, overwrite=True, **options) == first
    assert len(first["parts"]) > 1
    assert sorted(contents(tmp_path / name)) == sorted(
        ["manifest.json", *(part["part"] for part in first["parts"])]
    )
    assert [contents(tmp_path / each) for each in ("out1", "out", "a", "b")] == before


def test_one_file_system_for_all(client: Client, tmp_path: Path) -> None:
    from forstcore.cluster import process_dataset

    (tmp_path / "in").write_bytes(record(1))
    with pytest.raises(ValueError, match="another file system"):
        process_dataset([tmp_path / "in", "memory://in"], tmp_path / "out", client=client)
    with pytest.raises(ValueError, match="no input"):
        process_dataset([], tmp_path / "out", client=client)


PARTS = ["part-00000.ndjson", "part-00001.ndjson", "part-00002.ndjson"]
HOW: list[dict[str, Any]] = [
    {},
    {"overwrite": True},
    {"resume": True},
    {"overwrite": True, "blocksize": 30},
    {"resume": True, "blocksize": 30},
    {"overwrite": True, "collect_errors": True},
]


@pytest.mark.one_in(7)
@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("names", [PARTS, ["errors-00000.ndjson"], ["manifest.json"], PARTS[2:]])
@pytest.mark.parametrize("spelling", ["plain", "dots", "link", "link to file", "pattern"])
def test_no_input_lies_where_parts_go(
    client: Client, tmp_path: Path, how: dict[str, Any], names: list[str], spelling: str
) -> None:
    from forstcore.cluster import process_dataset

    before = fill(tmp_path / "d", names, 3)
    (tmp_path / "link").symlink_to("d")
    paths: Any = [tmp_path / "d" / name for name in names]
    if spelling == "dots":
        paths = [f"{tmp_path}/d/../d/{name}" for name in names]
    elif spelling == "link":
        paths = [tmp_path / "link" / name for name in names]
    elif spelling == "link to file":
        (tmp_path / "one").symlink_to(tmp_path / "d" / names[0])
        paths = [tmp_path / "one"]
    elif spelling == "pattern":
        paths = str(tmp_path / "d/*.[nj]*")
    with pytest.raises(FileExistsError) as caught:
        process_dataset(paths, tmp_path / "d", client=client, **how)
    assert "holds the input" in str(caught.value)
    assert "choose another destination" in str(caught.value)
    # The message must not suggest an option that would destroy the input.
    assert "overwrite" not in str(caught.value)
    assert contents(tmp_path / "d") == before


def test_a_dataset_is_not_made_over_into_itself(process: Process, tmp_path: Path) -> None:
    fill(tmp_path, ["a.ndjson", "b.ndjson"])
    made = process([tmp_path / "a.ndjson", tmp_path / "b.ndjson"])
    before = contents(made.directory)
    for more in ({"overwrite": True}, {"overwrite": False}, {"resume": True}):
        with pytest.raises(FileExistsError, match="holds the input"):
            process([made.directory / "part-00000.ndjson"], **more)
    assert contents(made.directory) == before
    # Another directory is allowed, even a subdirectory.
    from forstcore.cluster import process_dataset

    process_dataset(str(made.directory / "part-*"), made.directory / "next")
    assert contents(made.directory) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("manifest.json", '{"name":"my web application"}'),
        ("manifest.json", '{"version":"1","plan":"x","parts":[{"part":"notes"}]}'),
        ("manifest.json", "no JSON"),
        ("manifest.json", "[]"),
        ("part-00000.ndjson", '{"id":"mine"}\n'),
        ("part-00099.ndjson", '{"id":"mine"}\n'),
        ("errors-00000.ndjson", "mine"),
        (".part-00000.json", '{"mine":1}'),
        (".part-00099.json", '{"plan":"x","part":{}}'),
    ],
)
@pytest.mark.parametrize("is_dataset", [False, True])
def test_only_files_of_forstcore_are_removed(
    process: Process, tmp_path: Path, name: str, text: str, is_dataset: bool
) -> None:
    fill(tmp_path, ["a.ndjson"])
    out = tmp_path / "out"
    out.mkdir()
    if is_dataset:
        process(tmp_path / "a.ndjson")
        if (out / name).exists() and name != "manifest.json":
            pytest.skip("is one of the dataset")
    (out / name).write_text(text)
    before = contents(out)
    for more in ({"overwrite": True}, {"overwrite": False}, {"resume": True}):
        with pytest.raises(FileExistsError, match="which forstcore did not write") as caught:
            process(tmp_path / "a.ndjson", **more)
        assert "overwrite" not in str(caught.value)
        assert contents(out) == before


def test_a_link_in_the_place_of_a_part_is_not_written_through(
    process: Process, tmp_path: Path
) -> None:
    fill(tmp_path, ["a.ndjson", "victim"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/part-00000.ndjson").symlink_to("../victim")
    with pytest.raises(FileExistsError, match=r"part-00000.* did not write"):
        process(tmp_path / "a.ndjson", overwrite=True)
    assert (tmp_path / "victim").read_bytes() == record(1)
    # The target of such a link counts as an input in the destination.
    with pytest.raises(FileExistsError, match="holds the input"):
        process(tmp_path / "victim", overwrite=True)


def test_a_run_that_cannot_begin_leaves_the_dataset(process: Process, tmp_path: Path) -> None:
    fill(tmp_path, ["a.ndjson"], 100)
    (tmp_path / "routes.py").write_text("import forstcore\n")
    (tmp_path / "b.gz").write_bytes(b"\x1f\x8bnothing")
    made = process(tmp_path / "a.ndjson")
    before = contents(made.directory)
    with pytest.raises(forstcore.ClusterError, match="no processor 'mine'"):
        process(tmp_path / "a.ndjson", processor="mine", modules=[str(tmp_path / "routes.py")])
    assert contents(made.directory) == before
    # With `emit`, lines are counted before the run.
    with pytest.raises(forstcore.ClusterError, match="cannot be decompressed"):
        process([tmp_path / "b.gz", tmp_path / "a.ndjson"], on_error="emit", retries=0)
    assert contents(made.directory) == before


def test_drafts_of_others_are_left(process: Process, tmp_path: Path) -> None:
    fill(tmp_path, ["a.ndjson"])
    fill(tmp_path / "out", [".letter.draft", ".forstcore.0123456789abcdef.draft", "notes"])
    before = contents(tmp_path / "out")
    made = process(tmp_path / "a.ndjson")
    assert before.items() <= contents(made.directory).items()


def test_pipes_are_no_files(process: Process, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"is no file that can be cut into blocks.*pipe"):
        process(tmp_path / "pipe")


def test_a_destination_elsewhere_is_no_pattern(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    import fsspec
    from distributed import Client

    from forstcore.cluster import process_dataset

    system = fsspec.filesystem("memory")
    for name in ("[x]a", "xa"):
        system.pipe_file(f"memory://names/{name}", record(1) * 20)
    source, out = "memory://names/[x]a", "memory://names/o[u]t"
    # Run the workers in this process, to measure their memory.
    with Client(processes=False, dashboard_address="127.0.0.1:0", set_as_default=False) as client:
        options: dict[str, Any] = {"client": client, "blocksize": 100}
        process_dataset("memory://names/xa", "memory://names/out", **options)
        first = process_dataset(source, out, **options)
        assert process_dataset(source, out, overwrite=True, **options) == first
    assert len(first["parts"]) > 1
    assert [each["file"] for each in first["inputs"]] == ["memory:///names/[x]a"]
    for directory in ("names/out", "names/o[u]t"):
        found = {path.rpartition("/")[2] for path in system.ls(directory, detail=False)}
        assert found == {"manifest.json", *(part["part"] for part in first["parts"])}


def failing_after(number: int, out: Path, files: int = 0) -> Any:
    """Return a processor that makes tasks fail, after there are so many files in a directory."""
    fail = failing_task(out)
    directory = str(out)

    def fails(record: dict[str, Any]) -> dict[str, Any]:
        if int(record["id"]) >= number:
            deadline = time.monotonic() + 30
            while len([*Path(directory).iterdir()]) < files and time.monotonic() < deadline:
                time.sleep(0.01)
            fail()
        return record

    return fails


def test_a_run_that_fails_waits_for_its_tasks(process: Process, tmp_path: Path) -> None:
    """Else a part could appear in the dataset of the next run."""
    (tmp_path / "a").write_bytes(record(0) + record(1))
    signs = tmp_path / "signs"
    signs.mkdir()
    fail = failing_task(tmp_path / "out")

    def processor(record: dict[str, Any], signs: str = str(signs)) -> dict[str, Any]:
        from forstcore.cluster import _running_tasks

        def wait_until(is_so: Callable[[], bool]) -> None:
            deadline = time.monotonic() + 60
            while not is_so() and time.monotonic() < deadline:
                time.sleep(0.01)

        if record["id"] == "0":
            wait_until(Path(signs, "one runs").exists)
            fail()
            return record
        ended = len(_running_tasks._ended)
        Path(signs, "one runs").touch()
        wait_until(lambda: len(_running_tasks._ended) > ended)
        time.sleep(0.5)
        Path(signs, "one ends").touch()
        return record

    with pytest.raises(forstcore.ClusterError):
        process(tmp_path / "a", processor=processor, blocksize=len(record(0)), retries=0)
    assert (signs / "one ends").exists()
    assert not list((tmp_path / "out").glob("part-*"))


def test_a_run_that_broke_off_can_be_replaced(process: Process, tmp_path: Path) -> None:
    """Every file has a report as soon as it exists."""
    (tmp_path / "a").write_bytes(b"".join(map(record, range(100))) + b'{"id":1}\n')
    options: dict[str, Any] = {"blocksize": 200, "retries": 0, "collect_errors": True}
    out = tmp_path / "out"
    with pytest.raises(forstcore.ClusterError):
        process(tmp_path / "a", processor=failing_after(50, out), **options)
    parts = {path.name for path in out.glob("part-*")}
    assert parts <= {json.loads((out / name).read_text())["part"]["part"] for name in hidden(out)}
    made = process(tmp_path / "a", blocksize="1 MiB")
    assert sorted(contents(out)) == ["manifest.json", "part-00000.ndjson"]
    assert made.bytes == one_process([tmp_path / "a"])


def test_a_removal_that_broke_off_can_be_gone_on_with(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any point: the remaining files are still recognized as forstcore's."""
    from forstcore.cluster._output_directory import OutputDirectory

    (tmp_path / "a").write_bytes(b"".join(map(record, range(100))) + b'{"id":1}\n')
    options: dict[str, Any] = {"blocksize": 500, "collect_errors": True}
    remove = OutputDirectory.remove
    for last in range(5):
        process(tmp_path / "a", **options)
        calls = iter(range(5))

        def broken(
            self: OutputDirectory, names: list[str], calls: Any = calls, last: int = last
        ) -> None:
            for name in names[: len(names) // 2] if (at := next(calls)) == last else names:
                remove(self, [name])
            if at == last:
                raise KeyboardInterrupt

        monkeypatch.setattr(OutputDirectory, "remove", broken)
        with pytest.raises(KeyboardInterrupt):
            process(tmp_path / "a", **options)
        monkeypatch.setattr(OutputDirectory, "remove", remove)
        made = process(tmp_path / "a", blocksize="1 MiB")
        assert sorted(contents(made.directory)) == ["manifest.json", "part-00000.ndjson"]


def test_parts_of_another_run_are_not_taken(process: Process, tmp_path: Path) -> None:
    """Including parts whose numbers the new run would not use."""
    (tmp_path / "a").write_bytes(b"".join(map(record, range(100))))
    options: dict[str, Any] = {"blocksize": 200, "retries": 0}
    out = tmp_path / "out"
    with pytest.raises(forstcore.ClusterError):
        process(tmp_path / "a", processor=failing_after(90, out, 6), **options)
    # Blocks that were in progress may still be written.
    seen = None
    while seen != contents(out):
        seen = contents(out)
        time.sleep(0.5)
    parts = {name: json.loads((out / name).read_text())["part"]["part"] for name in hidden(out)}
    # Of the tasks that failed there are reports alone.
    last = max(name for name, part in parts.items() if (out / part).exists())
    # Keep only the last part, which a run with fewer blocks would not look for.
    for name, part in parts.items():
        if name != last:
            (out / name).unlink()
            (out / part).unlink(missing_ok=True)
    before = contents(out)
    with pytest.raises(FileExistsError, match="other files, another processor"):
        process(tmp_path / "a", processor=failing_after(50, out), resume=True, blocksize="1 MiB")
    # Another file with the same name, size and modification time.
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes()[::-1])
    os.utime(tmp_path / "b", ns=((tmp_path / "a").stat().st_atime_ns, 0))
    (tmp_path / "b").replace(tmp_path / "a")
    with pytest.raises(FileExistsError, match="other files, another processor"):
        process(tmp_path / "a", processor=failing_after(50, out), resume=True, **options)
    assert contents(out) == before


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ("in", "are the same file"),
        ("link", "are the same file"),
        ("routes.py", "are the same file"),
        ("out", "is a place that --output needs"),
        ("out/part-00000.ndjson", "is a place that --output needs"),
        ("sub/../out/manifest.json", "is a place that --output needs"),
        ("nowhere/errors", "No such file or directory"),
        ("sub", "is a directory"),
    ],
)
def test_errors_of_a_cluster_replace_nothing(tmp_path: Path, errors: str, said: str) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    (tmp_path / "in").write_bytes(b'{"id":1}\n')
    (tmp_path / "routes.py").write_text("import forstcore\n")
    (tmp_path / "link").symlink_to("in")
    (tmp_path / "sub").mkdir()
    before = contents(tmp_path)
    done = run(
        tmp_path,
        *("in", "--local-cluster", "1", "-o", "out", "--errors", errors),
        *("--processors", "routes.py", "--processor", "pass"),
    )
    assert done.returncode in (2, 3)
    assert said in " ".join(done.stderr.decode().replace("│", " ").split())
    assert contents(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_errors_may_lie_in_the_dataset(client: Client, tmp_path: Path) -> None:
    (tmp_path / "in[1]").write_bytes(b'{"id":1}\n')
    assert client.scheduler is not None
    options = (
        "--scheduler",
        str(client.scheduler.address),
        "-o",
        "~out",
        "--errors",
        "~out/errors.ndjson",
    )
    assert run(tmp_path, "in[1]", *options).returncode == 0
    (line,) = (tmp_path / "~out/errors.ndjson").read_text().splitlines()
    assert json.loads(line)["file"] == str(tmp_path / "in[1]")
    assert run(tmp_path, "in[1]", *options, "--overwrite").returncode == 0
