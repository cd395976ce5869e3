"""The engine without a server: inputs, and atomic output files."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import forstcore
from tests import children
from tests.processors import routes as _routes  # noqa: F401 (declares them)
from tests.servers import ROOT

DATA = b'{"id":"1","data":"a"}\n{"id":"2","data":"\xc3\xbc"}\n{"id":"3"}'
RESULTS = (
    b'{"id":"1","result":"processed_a","status":"success"}\n'
    b'{"id":"2","result":"processed_\xc3\xbc","status":"success"}\n'
    b'{"id":"3","result":"processed_","status":"success"}\n'
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with an input in it."""
    (tmp_path / "in.ndjson").write_bytes(DATA)
    return tmp_path


def whole(source: Any, processor: object = None, **options: Any) -> bytes:
    return b"".join(forstcore.process(source, processor, **options))


def test_whatever_holds_the_input(place: Path) -> None:
    path = place / "in.ndjson"
    assert whole(path) == RESULTS
    assert whole(str(path)) == RESULTS
    assert whole(DATA) == RESULTS
    assert whole(io.BytesIO(DATA)) == RESULTS
    with path.open("rb") as file:
        assert whole(file) == RESULTS
    assert whole([DATA[:9], DATA[9:]]) == RESULTS
    assert whole(DATA.decode().splitlines(keepends=True)) == RESULTS
    assert whole({"id": each[0], "data": each[1:]} for each in ["1a", "2ü", "3"]) == RESULTS
    assert whole([]) == whole(b"") == b""


def test_a_pipe_is_read_as_it_fills() -> None:
    read, write = os.pipe()
    with open(read, "rb") as file, open(write, "wb") as feeder:  # noqa: PTH123 (descriptors)
        outputs = forstcore.process(file)
        feeder.write(DATA[:22])
        feeder.flush()
        assert next(outputs) == RESULTS[:53]
        feeder.write(DATA[22:])
        feeder.close()
        assert b"".join(outputs) == RESULTS[53:]


def test_an_error_of_the_source_is_raised_as_it_is() -> None:
    error = OSError("gone")

    def broken() -> Iterator[bytes]:
        yield b'{"id":"1","data":"a"}\n{"id"'
        raise error

    outputs = forstcore.process(broken())
    assert next(outputs) == RESULTS[:53]
    with pytest.raises(OSError, match="gone") as caught:
        next(outputs)
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [
        GeneratorExit("mine"),
        asyncio.CancelledError("mine"),
        KeyboardInterrupt("mine"),
        SystemExit("mine"),
        BaseException("mine"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_of_the_source_passes_for_its_end(tmp_path: Path, error: BaseException) -> None:
    def broken() -> Iterator[bytes]:
        yield b'{"id":"1","data":"a"}\n'
        raise error

    target = tmp_path / "out.ndjson"
    target.write_bytes(b"before\n")
    with pytest.raises(type(error)) as caught:
        forstcore.process_file(broken(), target)
    assert caught.value is error
    assert target.read_bytes() == b"before\n"
    with pytest.raises(type(error)) as caught:
        b"".join(forstcore.process(broken()))
    assert caught.value is error


def test_a_source_that_is_none() -> None:
    with pytest.raises(TypeError):
        whole(7)
    with pytest.raises(FileNotFoundError):
        whole("no/such/file")


def test_fail_raises_behind_the_results() -> None:
    outputs = forstcore.process(b"{}\n{}\njunk\n{}\n", "same", on_error="fail")
    seen: list[bytes] = []
    with pytest.raises(forstcore.RecordError, match="line 3, byte 0") as caught:
        seen.extend(outputs)
    assert caught.value.line == 3
    assert b"".join(seen).startswith(b'{}\n{}\n{"status":"error","line":3,')


def test_closing_ends_the_source_and_the_threads() -> None:
    ended = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"{}\n" * 1000
        finally:
            ended.set()

    before = threading.active_count()
    for processor in (None, "same", "same-async"):
        outputs = forstcore.process(endless(), processor)
        next(outputs)
        outputs.close()
        assert ended.is_set()
        ended.clear()
        assert threading.active_count() == before


def test_nothing_happens_before_it_is_asked_for() -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError
        yield b""

    forstcore.process(never()).close()


def test_in_an_event_loop_it_says_what_to_do(place: Path) -> None:
    async def run() -> None:
        with pytest.raises(TypeError, match="an event loop runs in this thread"):
            whole(DATA)
        with pytest.raises(TypeError, match="an event loop runs in this thread"):
            forstcore.process_file(DATA, place / "out")
        assert await asyncio.to_thread(whole, DATA) == RESULTS

    asyncio.run(run())


# Files.


def test_compressed_files_are_decompressed(place: Path) -> None:
    (place / "in.ndjson.gz").write_bytes(gzip.compress(DATA))
    assert whole(place / "in.ndjson.gz") == RESULTS
    assert whole(str(place / "in.ndjson.gz")) == RESULTS


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.tsv.gz"])
def test_files_of_another_format_are_not_read(place: Path, name: str) -> None:
    (place / name).write_bytes(DATA)
    with pytest.raises(ValueError, match=f"{name}: is not NDJSON"):
        whole(place / name)


def test_the_name_of_a_file_says_its_format(place: Path) -> None:
    rows = b'{"a":1,"b":"x"}\n{"a":null,"b":"y z"}\n'
    for name, content in (
        ("x.csv", b"a,b\n1,x\n,y z\n"),
        ("x.tsv.gz", b"a\tb\n1\tx\n\ty z\n"),
        ("x.ndjson.gz", rows),
        ("x.other", rows),
    ):
        counts = forstcore.process_file(rows, place / name, "same")
        assert (counts["results"], counts["bytes_out"]) == (2, len(rows))
        written = (place / name).read_bytes()
        assert (gzip.decompress(written) if name.endswith(".gz") else written) == content, name
    pyarrow = pytest.importorskip("pyarrow.parquet")
    forstcore.process_file(rows, str(place / "x.parquet"), "same")
    assert pyarrow.read_table(place / "x.parquet").to_pylist() == [
        {"a": 1, "b": "x"},
        {"a": None, "b": "y z"},
    ]


def test_rows_have_no_error_lines(place: Path) -> None:
    target = place / "x.csv"
    with pytest.raises(ValueError, match=r"x\.csv: error lines .* are for NDJSON only"):
        forstcore.process_file(b"{}", target, "same", on_error="emit")
    with pytest.raises(forstcore.RecordError):
        forstcore.process_file(b'{"a":1}\njunk', target, "same", on_error="fail")
    assert not target.exists()
    pipe = place / "pipe.csv"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with pytest.raises(forstcore.RecordError):
        forstcore.process_file(b'{"a":1}\njunk', pipe, "same", on_error="fail")
    reader.join()
    assert got == [b"a\n1\n"]


def test_a_file_and_its_counts(place: Path) -> None:
    counts = forstcore.process_file(place / "in.ndjson", place / "out.ndjson")
    assert (place / "out.ndjson").read_bytes() == RESULTS
    assert counts == {
        "lines": 3,
        "records": 3,
        "errors": 0,
        "results": 3,
        "filtered": 0,
        "given_back": 0,
        "bytes_in": len(DATA),
        "bytes_out": len(RESULTS),
        "errors_by_code": {},
    }
    counts = forstcore.process_file(b"[]\n\n{}\n1", place / "out.ndjson", "same", on_error="skip")
    assert (place / "out.ndjson").read_bytes() == b"{}\n"
    assert (counts["lines"], counts["errors_by_code"]) == (4, {"not_an_object": 2})


def test_a_file_that_fails_leaves_what_was_there(place: Path) -> None:
    target = place / "out.ndjson"
    with pytest.raises(forstcore.RecordError):
        forstcore.process_file(b"{}\njunk", target, on_error="fail")
    assert not target.exists()
    target.write_bytes(b"before")

    def broken() -> Iterator[bytes]:
        yield b"{}\n"
        assert target.read_bytes() == b"before"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        forstcore.process_file(broken(), target)
    assert target.read_bytes() == b"before"
    assert sorted(each.name for each in place.iterdir()) == ["in.ndjson", "out.ndjson"]


def test_a_file_may_replace_its_own_source(place: Path) -> None:
    path = place / "in.ndjson"
    forstcore.process_file(path, path)
    assert path.read_bytes() == RESULTS


def test_a_link_stays_a_link_and_a_pipe_a_pipe(place: Path) -> None:
    real = place / "real"
    link = place / "link"
    link.symlink_to(real)
    forstcore.process_file(DATA, link)
    assert link.is_symlink()
    assert real.read_bytes() == RESULTS

    pipe = place / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    forstcore.process_file(DATA, pipe)
    reader.join()
    assert got == [RESULTS]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_place_that_is_not_there(place: Path) -> None:
    with pytest.raises(FileNotFoundError):
        forstcore.process_file(DATA, place / "nowhere" / "out.ndjson")


def test_a_file_has_the_mode_that_files_have(place: Path) -> None:
    (place / "other").write_bytes(b"")
    forstcore.process_file(DATA, place / "out")
    assert (place / "out").stat().st_mode == (place / "other").stat().st_mode


@pytest.mark.parametrize("processor", ["None", "'nap'", "'nap-async'"])
def test_ctrl_c(place: Path, processor: str) -> None:
    code = f"""
import itertools, forstcore
from tests.processors import routes as _routes  # noqa: F401 (declares them)
print("begun", flush=True)
lines = itertools.repeat(b'{{"seconds":0.01}}\\n')
forstcore.process_file(lines, {str(place / "out")!r}, {processor})
"""
    with children.started(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert "Exception ignored" not in errors
    assert [each.name for each in place.iterdir()] == ["in.ndjson"]
