"""File sinks: appending, rotation, and truncation to what was confirmed."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from forstcore._io.compressed import zstd
from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits, Writer, open_sink
from forstcore.sources import NOW, open_source

Scenario = Callable[[Writer], Awaitable[None]]


def sink_of(path: Path, **options: Any) -> str:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"file:{path}" + (f"?{query}" if query else "")


def writing(url: str, scenario: Scenario, buffer_size: int = 1 << 20) -> str:
    """Write to a sink; return the offset that it then stores."""

    async def run() -> str:
        source = open_source("in", "memory:")
        sink = open_sink("out", url, SinkLimits(buffer_size=buffer_size))
        async with asyncio.timeout(60):
            writer = await sink.open(source.open(NOW))
            try:
                await scenario(writer)
            finally:
                await writer.close()
            return await sink.offset()

    return asyncio.run(run())


def outputs(*pairs: tuple[bytes, str]) -> Scenario:
    """Write these results and offsets, and wait for their confirmation."""

    async def run(writer: Writer) -> None:
        waiting = [await writer.write(Output(results, offset)) for results, offset in pairs]
        for each in waiting:
            await each

    return run


def numbered(directory: Path, suffix: str = "ndjson") -> list[str]:
    return sorted(each.name for each in directory.glob(f"*.{suffix}"))


def manifest(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_name(f".{path.name}.manifest").read_text())
    return found


def change_manifest(path: Path, **members: Any) -> None:
    path.with_name(f".{path.name}.manifest").write_text(json.dumps(manifest(path) | members))


def test_results_are_appended_with_their_offset(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    assert writing(sink_of(path), outputs((b"1\n", "a"), (b"2\n", "b"), (b"3\n", ""))) == "b"
    assert path.read_bytes() == b"1\n2\n3\n"
    assert writing(sink_of(path), outputs((b"4\n", "c"))) == "c"
    assert path.read_bytes() == b"1\n2\n3\n4\n"


def test_an_offset_is_kept_without_results(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    assert writing(sink_of(path), outputs((b"", "a"))) == "a"
    assert path.read_bytes() == b""


@pytest.mark.parametrize("before", [b"", b"old\n"])
def test_what_is_not_confirmed_is_cut_off(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "out.ndjson"
    path.write_bytes(before)
    writing(sink_of(path), outputs((b"1\n", "a")))
    with path.open("ab") as file:
        file.write(b"2\n3")
    assert writing(sink_of(path), outputs()) == "a"
    assert path.read_bytes() == before + b"1\n"


def test_results_before_the_first_confirmation_are_cut_off_too(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    writing(sink_of(path), outputs())
    path.write_bytes(b"1\n2")
    assert writing(sink_of(path), outputs((b"1\n", "a"))) == "a"
    assert path.read_bytes() == b"1\n"


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_files_are_whole_at_each_confirmation(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.ndjson.{suffix}"

    async def run(writer: Writer) -> None:
        for number in range(3):
            await (await writer.write(Output(b"%d\n" % number * 1000, str(number))))
            data = path.read_bytes()
            text = gzip.decompress(data) if suffix == "gz" else zstd.decompress(data)
            assert text == b"".join(b"%d\n" % each * 1000 for each in range(number + 1))

    assert writing(sink_of(path), run) == "2"
    assert path.stat().st_size < 1000


def test_files_end_by_size_and_appear_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    line = b"x" * 99 + b"\n"

    async def run(writer: Writer) -> None:
        for number in range(25):
            await (await writer.write(Output(line, str(number))))
            assert all((tmp_path / name).stat().st_size == 1000 for name in numbered(tmp_path))

    assert writing(sink_of(path, max_size=1000), run) == "24"
    # The last one ends with the writer.
    assert numbered(tmp_path) == [f"out-00000{number}.ndjson" for number in (1, 2, 3)]
    assert [(tmp_path / name).stat().st_size for name in numbered(tmp_path)] == [1000, 1000, 500]
    assert not list(tmp_path.glob(".*.part"))
    writing(sink_of(path, max_size=1000), outputs((line, "25")))
    assert numbered(tmp_path)[-1] == "out-000004.ndjson"


def test_outputs_that_wait_together_are_spread_over_files(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    pairs = [(b"x" * 99 + b"\n", str(number)) for number in range(30)]
    writing(sink_of(path, max_size=1000), outputs(*pairs))
    assert [(tmp_path / name).stat().st_size for name in numbered(tmp_path)] == [1000] * 3


def test_a_file_ends_by_age_though_nothing_more_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"

    async def run(writer: Writer) -> None:
        await (await writer.write(Output(b"1\n", "a")))
        while numbered(tmp_path) != ["out-000001.ndjson"]:  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.02)
        await (await writer.write(Output(b"2\n", "b")))

    assert writing(sink_of(path, max_age=0.2), run) == "b"
    assert [(tmp_path / name).read_bytes() for name in numbered(tmp_path)] == [b"1\n", b"2\n"]


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_file_ends_by_age_though_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    path = tmp_path / "out.ndjson"
    url = sink_of(path, max_age=0.2)
    if is_killed:
        writing(url, outputs((b"1\n", "a")))
        (tmp_path / "out-000001.ndjson").rename(tmp_path / ".out-000001.ndjson.part")
        change_manifest(path, number=1, size=2, is_complete=False, since=time.time() + 1e6)

    async def run(writer: Writer) -> None:
        if not is_killed:
            await (await writer.write(Output(b"1\n", "a")))
            now = time.time
            monkeypatch.setattr(time, "time", lambda: now() - 1e6)
        while numbered(tmp_path) != ["out-000001.ndjson"]:  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.02)

    assert writing(url, run) == "a"


def test_numbers_go_on_after_existing_files(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    (tmp_path / "out-000041.ndjson").write_bytes(b"old\n")
    writing(sink_of(path, max_size=10), outputs((b"1\n", "a")))
    assert numbered(tmp_path) == ["out-000041.ndjson", "out-000042.ndjson"]
    assert (tmp_path / "out-000041.ndjson").read_bytes() == b"old\n"


@pytest.mark.parametrize("is_renamed", [False, True])
@pytest.mark.parametrize("is_consumed", [False, True])
def test_a_rotation_that_was_cut_short_is_finished(
    tmp_path: Path, is_renamed: bool, is_consumed: bool
) -> None:
    path = tmp_path / "out.ndjson"
    url = sink_of(path, max_size=1 << 20)
    part, final = tmp_path / ".out-000001.ndjson.part", tmp_path / "out-000001.ndjson"
    writing(url, outputs((b"1\n", "a")))
    # As after a kill behind the manifest, or behind the renaming.
    final.rename(part)
    change_manifest(path, number=1, size=2, is_complete=True)
    if is_renamed:
        part.rename(final)
        if is_consumed:
            final.unlink()
    assert writing(url, outputs((b"2\n", "b"))) == "b"
    first = [] if is_renamed and is_consumed else ["out-000001.ndjson"]
    assert numbered(tmp_path) == [*first, "out-000002.ndjson"]
    assert (tmp_path / "out-000002.ndjson").read_bytes() == b"2\n"


def test_a_part_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    url = sink_of(path, max_size=1 << 20)
    writing(url, outputs((b"1\n", "a")))
    (tmp_path / "out-000001.ndjson").rename(tmp_path / ".out-000001.ndjson.part")
    change_manifest(path, number=1, size=2)
    with (tmp_path / ".out-000001.ndjson.part").open("ab") as file:
        file.write(b"lost\n")
    assert writing(url, outputs((b"2\n", "b"))) == "b"
    assert (tmp_path / "out-000001.ndjson").read_bytes() == b"1\n2\n"


def test_a_file_that_was_moved_away_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    writing(sink_of(path), outputs((b"1\n", "a")))
    path.rename(tmp_path / "out.ndjson.1")
    assert writing(sink_of(path), outputs((b"2\n", "b"))) == "b"
    assert path.read_bytes() == b"2\n"


def test_what_others_did_to_the_files_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    writing(sink_of(path), outputs((b"1\n2\n", "a")))
    path.write_bytes(b"1\n")
    with pytest.raises(SinkError, match=r"out.ndjson has 2 bytes, but 4 were confirmed; remove"):
        writing(sink_of(path), outputs())
    with pytest.raises(SinkError, match="was written without rotation before: use another name"):
        writing(sink_of(path, max_size=10), outputs())
    other = tmp_path / "other.ndjson"
    other.write_bytes(b"half")
    with pytest.raises(SinkError, match="ends in the middle of a line"):
        writing(sink_of(other), outputs())
    for text in ("", "[]", '{"version":2}', '{"version":1,"number":"x"}'):
        path.with_name(".out.ndjson.manifest").write_text(text)
        with pytest.raises(SinkError, match="is not a manifest that this release reads"):
            writing(sink_of(path), outputs())


def test_a_lost_part_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    writing(sink_of(path, max_size=100), outputs((b"1\n", "a")))
    change_manifest(path, number=1, size=2)
    with pytest.raises(SinkError, match=r"\.out-000001\.ndjson\.part is gone, whose results"):
        writing(sink_of(path, max_size=100), outputs())


@pytest.mark.skipif(sys.platform == "win32", reason="has no flock")
def test_two_writers_of_one_file_are_an_error(tmp_path: Path) -> None:
    url = sink_of(tmp_path / "out.ndjson")

    async def run(writer: Writer) -> None:
        sink = open_sink("second", url)
        with pytest.raises(SinkError, match=r"another pipeline writes .*out\.ndjson"):
            await sink.open(open_source("in", "memory:").open(NOW))
        await (await writer.write(Output(b"1\n", "a")))

    writing(url, run)
    assert (tmp_path / "out.ndjson").read_bytes() == b"1\n"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:", "names no file"),
        ("file:out/", "names no file"),
        ("file://host/out", "names no file"),
        ("file:out.parquet", "writes Parquet, which cannot be appended to: give max_size="),
        ("file:out.gz?format=parquet&max_age=1", "which is compressed inside"),
        ("file:out.csv.gz", "writes NDJSON or Parquet, not the format of out.csv.gz"),
        ("file:out.dat", r"has no known format: out.dat: the format .* or add format=ndjson"),
        ("file:out?format=csv", "has format=csv, which must be one of"),
        ("file:out?max_size=0", "has max_size=0, which must be a size"),
        ("file:out?max_age=-1", "has max_age=-1, which must be seconds above 0"),
        ("file:out?follow=no", "has options that file: does not know: follow"),
    ],
)
def test_urls_are_checked(url: str, reason: str) -> None:
    with pytest.raises(SinkError, match=reason):
        open_sink("out", url)


def test_a_format_that_the_name_does_not_say(tmp_path: Path) -> None:
    writing(sink_of(tmp_path / "out.dat", format="ndjson"), outputs((b"1\n", "a")))
    assert (tmp_path / "out.dat").read_bytes() == b"1\n"


def test_a_directory_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot be written: .*No such file or directory"):
        writing(sink_of(tmp_path / "missing" / "out.ndjson"), outputs())


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of file sizes")
def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    pairs = [(b"%09d\n" % number * 10, str(number)) for number in range(100)]
    usual, highest = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def run(writer: Writer) -> None:
        # Writing beyond this fails, as on a disk that is full.
        resource.setrlimit(resource.RLIMIT_FSIZE, (5050, highest))
        try:
            waiting = [await writer.write(Output(results, offset)) for results, offset in pairs]
            while writer.trouble is None:  # type: ignore[attr-defined]  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (usual, highest))
        for each in waiting:
            await each
        assert writer.trouble is None  # type: ignore[attr-defined]

    assert writing(sink_of(path), run) == "99"
    assert path.read_bytes() == b"".join(results for results, _ in pairs)


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of file sizes")
def test_the_last_file_ends_although_the_disk_was_full(tmp_path: Path) -> None:
    usual, highest = resource.getrlimit(resource.RLIMIT_FSIZE)

    busy: list[asyncio.Task[None]] = []

    async def slow_down(writer: Writer) -> None:
        executor = writer._executor  # type: ignore[attr-defined]
        while True:
            await asyncio.get_running_loop().run_in_executor(executor, time.sleep, 0.05)

    async def run(writer: Writer) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, highest))
        try:
            confirmed = await writer.write(Output(b"1\n", "a"))
            while writer.trouble is None:  # type: ignore[attr-defined]  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (usual, highest))
        # On a slow disk, the writer is closed before it knows that there is room again.
        busy.append(asyncio.create_task(slow_down(writer)))
        await confirmed

    writing(sink_of(tmp_path / "out.ndjson", max_size="1kB"), run)
    assert (tmp_path / "out-000001.ndjson").read_bytes() == b"1\n"


def test_a_full_buffer_holds_the_pipeline_back(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"

    async def run(writer: Writer) -> None:
        waiting = []
        for number in range(200):
            waiting.append(await writer.write(Output(b"x" * 999 + b"\n", str(number))))
            # At most the buffer and one output are unconfirmed.
            assert sum(not each.done() for each in waiting) <= 8  # type: ignore[attr-defined]
        await waiting[-1]

    assert writing(sink_of(path), run, buffer_size=10_000) == "199"
    assert path.stat().st_size == 200_000
