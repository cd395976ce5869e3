"""`forstcore process`, and what it shares with other commands: files, errors, signals."""

from __future__ import annotations

import base64
import gzip
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from forstcore import process_block
from forstcore._io.compressed import zstd
from tests.cli.conftest import RECORDS, RESULTS, Run, Start, answers_each_at_once

BAD = b'{"id":"1"}\n{"id":2}\n\n{"id":"3","data":"\xff"}\nnope\n'


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name.startswith(".")]


def test_a_file_to_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(RECORDS)
    done = run("process", "in.ndjson", "-o", "out.ndjson")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "out.ndjson").read_bytes() == RESULTS == process_block(RECORDS)
    assert leftovers(tmp_path) == []


def test_standard_input_to_standard_output(run: Run) -> None:
    for names in ((), ("-",)):
        done = run("process", *names, stdin=RECORDS)
        assert (done.returncode, done.stdout, done.stderr) == (0, RESULTS, b"")


def test_standard_input_that_does_not_block(start: Start) -> None:
    """Like a pipe opened by Node, which does not block: no data yet is not the end."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    process = start("process", stdin=read)
    os.close(read)
    assert process.stdout
    for number in range(3):
        os.write(write, b'{"id":"%d"}\n' % number)
        assert process.stdout.readline().startswith(b'{"id":"%d","result"' % number)
    os.close(write)
    assert process.wait(30) == 0


def test_nothing_gives_nothing(run: Run, tmp_path: Path) -> None:
    assert run("process", "-o", "out", stdin=b"").returncode == 0
    assert (tmp_path / "out").read_bytes() == b""


def test_a_lone_record_goes_at_once(start: Start) -> None:
    answers_each_at_once(start("process"))


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_suffixes_decompress_and_compress(run: Run, tmp_path: Path, suffix: str) -> None:
    if suffix == "zst" and zstd is None:
        pytest.skip("needs zstd")
    code = gzip if suffix == "gz" else zstd
    (tmp_path / f"in.{suffix}").write_bytes(code.compress(RECORDS) + code.compress(RECORDS))
    assert run("process", f"in.{suffix}", "-o", f"out.{suffix}").returncode == 0
    assert code.decompress((tmp_path / f"out.{suffix}").read_bytes()) == RESULTS * 2


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_damaged_file_is_named(run: Run, tmp_path: Path, suffix: str, damage: str) -> None:
    if suffix == "zst" and zstd is None:
        pytest.skip("needs zstd")
    code = gzip if suffix == "gz" else zstd
    data = code.compress(RECORDS)[:-20] if damage == "cut" else RECORDS
    (tmp_path / f"in.{suffix}").write_bytes(data)
    done = run("process", f"in.{suffix}", "-o", "out")
    assert done.returncode == 3
    assert re.fullmatch(rb"forstcore: in\.\w+: cannot be decompressed: .+\n", done.stderr)
    assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []


def test_several_files_are_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'\xef\xbb\xbf{"id":"1"}')
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "c").write_bytes(b'\xef\xbb\xbf{"id":"2"}\n{"id":"3"}')
    done = run("process", "a", "b", "c", "-", stdin=b'{"id":"4"}')
    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["1", "2", "3", "4"]


def test_rejected_lines_are_counted_and_written_down(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(RECORDS)
    (tmp_path / "bad").write_bytes(BAD)
    done = run("process", "good", "bad", "good", "--errors", "errors.ndjson", "-o", "out")
    assert done.returncode == 0
    assert done.stderr == (
        b"forstcore: 3 lines were rejected: invalid_json 1, invalid_utf8 1, wrong_type 1\n"
    )
    one = b'{"id":"1","result":"processed_","status":"success"}\n'
    assert (tmp_path / "out").read_bytes() == RESULTS + one + RESULTS
    errors = [json.loads(line) for line in (tmp_path / "errors.ndjson").read_text().splitlines()]
    assert [(each["file"], each["line"], each["offset"], each["code"]) for each in errors] == [
        ("bad", 2, 6, "wrong_type"),
        ("bad", 4, 18, "invalid_utf8"),
        ("bad", 5, 0, "invalid_json"),
    ]
    raw = [each.get("raw") or base64.b64decode(each["raw_base64"]) for each in errors]
    assert raw == ['{"id":2}', b'{"id":"3","data":"\xff"}', "nope"]
    assert all(each["message"] for each in errors)


def test_a_line_that_is_too_long_is_cut(run: Run, tmp_path: Path) -> None:
    data = b'{"id":"1"}\n{"id":"' + b"x" * 3_000_000 + b'"}\n{"id":3}\n'
    done = run("process", "--max-line-size", "1000", "--errors", "errors.ndjson", stdin=data)
    assert done.returncode == 0
    first, second = map(json.loads, (tmp_path / "errors.ndjson").read_text().splitlines())
    assert (first["line"], first["code"], first["cut"]) == (2, "line_too_long", True)
    assert first["raw"] == '{"id":"' + "x" * 993
    assert (second["line"], second["raw"]) == (3, '{"id":3}')


def test_every_line_may_be_bad(run: Run, tmp_path: Path) -> None:
    data = b"".join(b'{"id":%d}\n' % number for number in range(100_000))
    done = run("process", "--errors", "errors.ndjson", stdin=data)
    assert (done.returncode, done.stdout) == (0, b"")
    errors = [json.loads(line) for line in (tmp_path / "errors.ndjson").read_text().splitlines()]
    assert [each["raw"] for each in errors] == data.decode().splitlines()


def test_error_lines_in_place(run: Run) -> None:
    done = run("process", "--on-error", "emit", stdin=BAD)
    assert done.returncode == 0
    assert done.stdout == process_block(BAD, on_error="emit")


def test_the_first_bad_line_can_end_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(BAD)
    done = run("process", "--on-error", "fail", "bad", "-o", "out")
    assert done.returncode == 1
    assert done.stderr == (
        b"forstcore: line 2, byte 6: bad: member 'id' must be a string or null (wrong_type)\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_processor_of_ones_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "routes.py").write_text(
        "import forstcore\n\n"
        "@forstcore.processor('halve')\n"
        "async def halve(record: dict) -> dict | None:\n"
        "    return {'half': record['n'] / 2} if record['n'] else None\n"
    )
    options = ("--processors", "routes.py", "--processor")
    done = run("process", *options, "halve", stdin=b'{"n":3}\n{"n":0}\n{"n":"x"}\n')
    assert (done.returncode, done.stdout) == (0, b'{"half":1.5}\n')
    assert b"processor_failed 1" in done.stderr
    done = run("process", *options, "double", stdin=b"")
    assert done.returncode == 2
    assert b"there is no processor 'double'; declared are: halve" in done.stderr
    done = run("process", "--processors", "nowhere.py", stdin=b"")
    assert done.returncode == 3
    assert b"nowhere.py" in done.stderr


def test_the_only_processor_of_a_module_is_used_and_several_are_named(
    run: Run, tmp_path: Path
) -> None:
    source = "import forstcore\n\n@forstcore.processor('one')\ndef one(record):\n    return 1\n"
    (tmp_path / "routes.py").write_text(source)
    done = run("process", "--processors", "routes.py", stdin=b"{}\n")
    assert (done.returncode, done.stdout) == (0, b"1\n")
    done = run("process", "--processors", "routes.py", "--local-cluster", "1", "-o", "out", "in")
    assert done.returncode == 2
    (tmp_path / "routes.py").write_text(source + source.replace("one", "two"))
    done = run("process", "--processors", "routes.py", stdin=b"{}\n")
    assert done.returncode == 2
    assert b"choose one of these with --processor NAME: one, two" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["process", "missing.ndjson"], b"missing.ndjson"),
        (["process", "--on-error", "ask"], b"'ask' is not one of"),
        (["process", "--workers", "0"], b"--workers"),
        (["process", "."], b"is a directory"),
        (["proces"], b"No such command 'proces'"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], said: bytes) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == b""


def test_what_cannot_be_written_is_named(run: Run) -> None:
    done = run("process", "-o", "nowhere/out", stdin=RECORDS)
    assert done.returncode == 3
    assert re.fullmatch(rb"forstcore: .*nowhere.*: No such file or directory\n", done.stderr)
    done = run("--debug", "process", "-o", "nowhere/out", stdin=RECORDS)
    assert b"Traceback" in done.stderr


def test_whoever_reads_may_stop(start: Start, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(RECORDS * 200)
    process = start("process", "in")
    assert process.stdout
    assert process.stdout.readline() == RESULTS[: RESULTS.index(b"\n") + 1]
    process.stdout.close()
    assert process.wait(60) == -signal.SIGPIPE
    assert process.stderr
    assert process.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_output_is_none(start: Start, tmp_path: Path, number: int) -> None:
    (tmp_path / "out").write_bytes(b"what was there before\n")
    process = start("process", "-", "-o", "out")
    assert process.stdin
    process.stdin.write(RECORDS)
    process.stdin.flush()
    while not leftovers(tmp_path):
        assert process.poll() is None
    process.send_signal(number)
    assert process.wait(60) == -number
    assert process.stderr
    assert process.stderr.read() == b""
    assert (tmp_path / "out").read_bytes() == b"what was there before\n"
    assert leftovers(tmp_path) == []


def test_a_reader_that_stands_still_can_be_interrupted(start: Start, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(RECORDS * 200)
    process = start("process", "in")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT


def test_a_processor_that_takes_its_time_can_be_interrupted(start: Start, tmp_path: Path) -> None:
    (tmp_path / "routes.py").write_text(
        "import time\n"
        "from pathlib import Path\n\n"
        "import forstcore\n\n"
        "@forstcore.processor('sleep')\n"
        "def sleep(record: dict) -> None:\n"
        "    Path('asleep').touch()\n"
        "    time.sleep(600)\n"
    )
    process = start("process", "--processors", "routes.py", "--processor", "sleep", "-o", "out")
    assert process.stdin
    process.stdin.write(b"{}\n")
    process.stdin.flush()
    while not (tmp_path / "asleep").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
    assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []


def test_progress_is_for_terminals(start: Start, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(RECORDS + BAD)
    ours, theirs = pty.openpty()
    process = start("process", "in", "-o", "out", stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 1000):
            shown += data
    except OSError:
        pass  # The other end is closed.
    os.close(ours)
    assert process.wait(60) == 0
    assert re.search(rb"1,001 results of 0\.\d MB processed in [\d.]+ s \([\d,]+ MB/s\)", shown)
    assert b"3 lines were rejected" in shown


def test_progress_can_be_asked_for(start: Start) -> None:
    process = start("process", "--progress", stdout=subprocess.DEVNULL)
    assert process.stdin
    assert process.stderr
    # It is redrawn a few times a second, while input arrives.
    shown = b""
    while b"records/s" not in shown:
        process.stdin.write(RECORDS)
        process.stdin.flush()
        os.set_blocking(process.stderr.fileno(), False)
        shown += process.stderr.read() or b""
    assert re.search(rb"MB/s  [\d,]+ records/s  0 errors", shown)


def test_the_summary_has_the_records_given_back(run: Run) -> None:
    lines = b'{"n":1}\n' * 3 + b'{"n":99999999999999999999}\n' + b'{"n":2}\n' * 3
    done = run("process", "--map", 'r["n"] + 1', "--progress", "--workers", "1", stdin=lines)
    assert done.stdout == b"2\n" * 3 + b"100000000000000000000\n" + b"3\n" * 3
    assert re.search(rb"7 results of .* MB/s\), 1 record given back to Python\n$", done.stderr)
    done = run("process", "--map", 'r["n"] + 1', "--progress", stdin=b'{"n":1}\n')
    assert re.search(rb"1 result of .* MB/s\)\n$", done.stderr)


@pytest.mark.parametrize(
    "given", [["kind=a"], ['{"kind":{"prefix":"a"}}'], ["kind=a", 'n={"exists":false}']]
)
def test_a_filter(run: Run, given: list[str]) -> None:
    lines = b'{"id":"1","kind":"a"}\n{"id":"2","kind":"b"}\nnope\n{"id":"3","kind":"a"}\n'
    options = [each for text in given for each in ("--filter", text)]
    done = run("process", "--on-error", "emit", *options, stdin=lines)
    first, error, last = map(json.loads, done.stdout.splitlines())
    assert (first["id"], error["line"], last["id"]) == ("1", 3, "3")


@pytest.mark.parametrize("given", ["kind", '{"kind"', '{"a":{"near":1}}', '{"kind":"a"}'])
def test_a_filter_that_is_none(run: Run, given: str) -> None:
    done = run("process", "--filter", "kind=b", "--filter", given)
    assert (done.returncode, b"--filter" in done.stderr) == (2, True), done.stderr
