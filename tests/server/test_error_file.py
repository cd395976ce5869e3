"""`--errors`: the file of rejected lines with their content."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import children, look_alikes
from tests.server.raw import RawStream, content
from tests.servers import ROOT, Server, StartServer

BODY = b'{"id":"1"}\n{"id":2}\n\n{"id":"3","data":"\xff"}\n{"id":"4"}'
RESULT = b'{"id":"%d","result":"processed_","status":"success"}\n'


def process(
    server: Server,
    body: bytes,
    headers: dict[str, str] | None = None,
    path: str = "/streaming-process",
) -> bytes:
    """Send a body in small HTTP chunks, and return the response."""
    with RawStream((server.host, server.port), path, headers) as stream:
        for start in range(0, len(body), 7):
            stream.send(body[start : start + 7])
        stream.end()
        return stream.read_rest()


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("path", ["/streaming-process", "/large-dataset-stream"])
def test_rejected_lines_are_written_down(
    start_server: StartServer, tmp_path: Path, path: str
) -> None:
    file = tmp_path / "bad.ndjson"
    server = start_server("--errors", str(file))
    assert process(server, BODY, path=path) == RESULT % 1 + RESULT % 4
    found = entries(file)
    assert [(each["file"], each["line"], each["offset"], each["code"]) for each in found] == [
        (path, 2, 6, "wrong_type"),
        (path, 4, 18, "invalid_utf8"),
    ]
    assert found[0]["raw"] == '{"id":2}'
    assert found[1]["raw_base64"] == "eyJpZCI6IjMiLCJkYXRhIjoi/yJ9"
    assert found[0]["client"] == "127.0.0.1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_clients_see_no_difference(start_server: StartServer, tmp_path: Path) -> None:
    plain = start_server()
    writing = start_server("--errors", str(tmp_path / "bad.ndjson"))
    for mode in ("skip", "emit"):
        headers = {"Forst-On-Error": mode, "Forst-Frames": "1"}
        expected, found = (process(server, BODY, headers) for server in (plain, writing))
        assert content(found) == content(expected)
        assert found.splitlines()[-1] == expected.splitlines()[-1]
    assert len(entries(tmp_path / "bad.ndjson")) == 4


def test_lines_are_numbered_on(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--errors", str(tmp_path / "bad.ndjson"))
    process(server, BODY * 3, {"Forst-First-Line": "1000"})
    found = entries(tmp_path / "bad.ndjson")
    assert [each["line"] for each in found][:2] == [1001, 1003]
    assert next(each["raw"] for each in found if "raw" in each) == '{"id":2}'


def test_what_is_written_can_be_replayed(start_server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "bad.ndjson"
    process(start_server("--errors", str(file)), BODY)
    file.write_text(file.read_text().splitlines()[0].replace('\\"id\\":2', '\\"id\\":\\"2\\"'))
    done = children.run(
        [sys.executable, "-m", "forstcore", "replay", str(file)],
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, RESULT % 2)


def test_filters_go_with_it(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--errors", str(tmp_path / "bad.ndjson"))
    assert process(server, BODY, {"Forst-Filter": '{"id":"1"}'}) == RESULT % 1
    assert [each["line"] for each in entries(tmp_path / "bad.ndjson")] == [4]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("path", ["/echo", "/later"])
@pytest.mark.parametrize("mode", ["skip", "emit", "fail"])
def test_results_that_look_like_errors_are_results(
    start_server: StartServer, tmp_path: Path, path: str, mode: str
) -> None:
    (tmp_path / "look_alikes.py").write_text(look_alikes.PROCESSORS)
    file = tmp_path / "bad.ndjson"
    processors = str(tmp_path / "look_alikes.py")
    server = start_server("--errors", str(file), "--processors", processors)
    headers = {"Forst-On-Error": mode, "Forst-Frames": "1"}
    cut = b'{"status":"error","line":'
    body = b"".join(line + b"\n" for line in [*look_alikes.LOOK_ALIKES, cut])
    lines = content(process(server, body, headers, path))
    assert lines[:3] == [(line, False) for line in look_alikes.LOOK_ALIKES]
    assert [is_error for _, is_error in lines[3:]] == ([] if mode == "skip" else [True])
    assert [(each["line"], each["raw"]) for each in entries(file)] == [(4, cut.decode())]


def test_what_is_published_and_no_record_is_written_down(
    start_server: StartServer, tmp_path: Path
) -> None:
    file = tmp_path / "bad.ndjson"
    server = start_server("--errors", str(file))
    for _ in range(2):
        process(server, b'{"id":2}\nnope\n', path="/sources/events")
    assert [(e["file"], e["line"]) for e in entries(file)] == [("/sources/events", 2)] * 2


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_each_is_written_once(start_server: StartServer, tmp_path: Path, size: int) -> None:
    """However the stream is read: past the event loop, in its callback, or by its task."""
    file = tmp_path / "bad.ndjson"
    server = start_server("--errors", str(file))
    lines = [b'{"id":%d}\n' % number for number in range(1000)]
    body = b"".join(line + b'{"id":"1"}\n' for line in lines)
    with RawStream((server.host, server.port)) as stream:
        for start in range(0, min(size * 200, len(body)), size):
            stream.send(body[start : start + size])
        stream.send(body[size * 200 :])
        stream.end()
        assert stream.read_rest().count(b"\n") == 1000
    assert [each["raw"].encode() + b"\n" for each in entries(file)] == lines


def test_the_file_is_bounded(start_server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "bad.ndjson"
    server = start_server("--no-access-log", "--errors", str(file), "--max-errors-size", "2000")
    for _ in range(20):
        assert process(server, BODY) == RESULT % 1 + RESULT % 4
    assert 0 < file.stat().st_size <= 2000
    assert entries(file)
    assert server.stop() == 0
    assert server.process.stderr
    first, last = server.process.stderr.read().splitlines()
    assert "max_errors_size" in first
    assert last.endswith(f" rejected lines were not written to {file}")
    counted = int(first.split("; ")[1].split()[0]) + int(last.split()[0])
    assert counted + len(entries(file)) == 40


def test_several_processes_write_to_one_file(start_server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "bad.ndjson"
    server = start_server("--errors", str(file), "--processes", "2", "--source", "e=file:/nowhere")
    for _ in range(10):
        process(server, BODY)
    assert len(entries(file)) == 20


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    done = children.run(
        [sys.executable, "-m", "server", "--port", "0", "--errors", str(tmp_path / "no" / "file")],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 2
    assert "errors: cannot write" in done.stderr


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("errors", "options", "said"),
    [
        ("log.ndjson", ["--source", "s=file:log.ndjson"], "source s"),
        ("link", ["--source", "s=file:log.ndjson"], "source s"),
        ("hard", ["--source", "s=file:log.ndjson"], "source s"),
        ("sub/../log.ndjson", ["--source", "s=file:./*.ndjson"], "source s"),
        ("new.ndjson", ["--source", "s=file:*.ndjson"], "source s"),
        ("sub/new.ndjson", ["--source", "s=file:**/*.ndjson"], "source s"),
        ("server.toml", ["--config", "server.toml"], "config"),
        ("token", ["--token-file", "token"], "token_file"),
        ("routes.py", ["--processors", "routes.py"], "processors routes.py"),
    ],
)
def test_it_is_no_file_that_is_read(
    tmp_path: Path, errors: str, options: list[str], said: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "server.toml").write_text("port = 0\n")
    (tmp_path / "token").write_text("a secret of 20 bytes\n")
    (tmp_path / "routes.py").write_text("import forstcore\n")
    (tmp_path / "log.ndjson").write_bytes(BODY)
    (tmp_path / "link").symlink_to("log.ndjson")
    (tmp_path / "hard").hardlink_to(tmp_path / "log.ndjson")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = children.run(
        [sys.executable, "-m", "server", "--port", "0", "--errors", errors, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert done.returncode == 2
    assert f"errors: {errors} is also read by the server: {said}\n" in done.stderr
    found = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: data for path, data in found.items() if path.suffix != ".pyc"} == before


def test_it_is_not_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        done = children.run(
            [sys.executable, "-m", "server", "--port", "0", "--errors", str(log)],
            cwd=ROOT,
            stdout=file,
        )
    assert done.returncode == 2
    assert b"is also standard output" in done.stderr
    assert log.read_bytes() == b""


# Disks that fill up, files that are rotated.

BAD = b'{"id":2}\n'


def rejected(server: Server, outcome: str) -> float:
    return server.figure("rejected_lines_total", outcome=outcome)


def test_writing_goes_on_when_there_is_room_again(start_one: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "bad.ndjson"
    server = start_one("--no-access-log", "--errors", str(file))
    pid = server.process.pid
    process(server, BAD * 3)
    size = file.stat().st_size
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 1000, hard))
    process(server, BAD * 5000)
    full = len(entries(file))
    assert 3 < full < 13
    process(server, BAD * 5)
    assert len(entries(file)) == full
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    process(server, BAD * 5)
    assert len(entries(file)) == full + 5
    assert (
        rejected(server, "written"),
        rejected(server, "dropped"),
    ) == (full + 5, 5008 - full)
    assert server.stop() == 0
    assert server.process.stderr
    first, last = server.process.stderr.read().splitlines()
    assert first.startswith(f"rejected lines cannot be written to {file}: File too large; ")
    assert last.endswith(f" rejected lines were not written to {file}")
    assert int(first.split("; ")[1].split()[0]) + int(last.split()[0]) == 5008 - full


def test_a_file_that_is_rotated(start_one: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "errors" / "bad.ndjson"
    file.parent.mkdir()
    server = start_one("--errors", str(file), "--max-errors-size", "2000", "--processes", "2")
    process(server, BAD * 100)
    assert file.stat().st_size <= 2000
    for number in range(3):
        file.rename(file.with_suffix(f".{number}"))
        process(server, BAD * 5)
        assert len(entries(file)) == 5
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    os.truncate(file, 0)
    process(server, BAD * 5)
    assert len(entries(file)) == 5
    shutil.rmtree(file.parent)
    assert process(server, BAD + RECORD) == RESULT % 1
    file.parent.mkdir()
    process(server, BAD * 5)
    assert len(entries(file)) == 5


RECORD = b'{"id":"1"}\n'


@pytest.mark.long
def test_a_disk_that_stands_still_holds_up_nobody(start_one: StartServer, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        server = start_one("--no-access-log", "--errors", str(pipe))
        long = b'{"id":2,"data":"' + b"x" * 50_000 + b'"}\n'
        for _ in range(2):
            with RawStream((server.host, server.port)) as stream:
                for _ in range(300):
                    stream.send(long)
                with RawStream((server.host, server.port)) as other:
                    other.send(RECORD)
                    assert other.read_line() == RESULT % 1
                stream.end()
                stream.read_rest()
        assert rejected(server, "dropped") > 100
        assert server.stop() == 0
        assert server.process.stderr
        logged = server.process.stderr.read()
        assert "they come faster than they can be written" in logged
        assert "rejected lines were not written" in logged
    finally:
        os.close(reader)


def test_what_a_crash_has_torn_can_be_read_past(start_one: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "bad.ndjson"
    server = start_one("--errors", str(file))
    process(server, BAD * 3)
    server.kill()
    os.truncate(file, file.stat().st_size - 20)
    server = start_one("--errors", str(file))
    process(server, BAD * 2)
    lines = file.read_bytes().splitlines()
    assert len(lines) == 5
    assert [line.endswith(b"}") for line in lines] == [True, True, False, True, True]
    done = children.run(
        [sys.executable, "-m", "forstcore", "replay", str(file), "-o", str(tmp_path / "out")],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 1
    assert f"left out: {file}, line 3: " in done.stderr
    assert "1 damaged line was left out of" in done.stderr
    assert "4 lines were rejected" in done.stderr
