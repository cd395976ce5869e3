"""Commands do not damage their inputs, and outputs are complete or unchanged."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import forstcore
from tests import children
from tests.cli.conftest import RECORDS, RESULTS, Run, Start, command, environment
from tests.cli.files import INPUT, OLD, OUTPUT, drafts, is_root, mode_of, shell
from tests.servers import Server

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs files as on Unix")


def lay_names(directory: Path) -> None:
    """Create an input with every kind of name that it can have."""
    (directory / "in").write_bytes(INPUT)
    (directory / "other").write_bytes(INPUT)
    (directory / "sub").mkdir()
    (directory / "link").symlink_to("in")
    (directory / "chain").symlink_to("sub/../link")
    (directory / "folder").symlink_to(".")
    os.link(directory / "in", directory / "hard")


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "line",
    [
        "F process in --errors in",
        "F process other in --errors in",
        "F process ./in --errors sub/../in",
        "F process in --errors $PWD/in",
        "F process in --errors link",
        "F process link --errors in",
        "F process in --errors chain",
        "F process folder/in --errors in",
        "F process in --errors hard",
        "F process --errors in < in",
        "F process - --errors link < hard",
        "F process /dev/stdin --errors in < in",
        "F process /proc/self/fd/0 --errors in < in",
        "F process in --errors /dev/fd/3 3>> in",
        "F process in --errors /dev/stdout >> in",
        "F process in -o /dev/stdout >> in",
        "F process in -o /dev/fd/3 3<> in",
        "F process in >> in",
        "F process in 1<> in",
        "F process other in >> hard",
        "F process < in >> in",
        "F process in -o out 2>> in",
        "F validate in --errors in",
        "F validate in >> in",
        "F validate in --errors out >> in",
        "F validate --errors in < in",
        "F send http://127.0.0.1:9 in --errors in",
        "F send http://127.0.0.1:9 in --ca in -o in",
        "F send http://127.0.0.1:9 in >> in",
        "F publish events in --server http://127.0.0.1:9 2>> in",
        "F replay in --errors hard",
        "F replay in >> in",
        "F watch events --ca in --server http://127.0.0.1:9 >> in",
        "mkfifo pipe; F process pipe -o pipe",
        "mkfifo pipe; F process pipe --errors pipe",
        "F process other --processors ./in --errors in",
        "F process other --processors ./in -o in",
    ],
)
def test_no_output_is_an_input(tmp_path: Path, line: str) -> None:
    lay_names(tmp_path)
    done = shell(tmp_path, line)
    assert done.returncode == 2
    said = b" ".join((done.stdout if "2>>" in line else done.stderr).split())
    assert b"are the same file; nothing has been written" in said
    for name in ("in", "other"):
        assert (tmp_path / name).read_bytes() == INPUT
    assert drafts(tmp_path) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "line",
    [
        "F process in -o x --errors x",
        "F process in -o x --errors sub/../x",
        "F process in -o x --errors X",
        "F process in -o x --errors pointer",
        "F process in --errors x > x",
        "F process in --errors /dev/stdout | cat",
        "F process in -o /dev/stdout --errors /dev/fd/1 | cat",
        "F process in --errors x 2> x",
        "F process in -o x 2> x",
        "F validate in --errors x > x",
        "F send http://127.0.0.1:9 in -o x --errors x",
        "F replay in -o x --errors x",
    ],
)
def test_no_output_is_another(tmp_path: Path, line: str) -> None:
    lay_names(tmp_path)
    (tmp_path / "pointer").symlink_to("x")
    done = shell(tmp_path, f"set -o pipefail; {line}")
    assert done.returncode == 2
    assert (tmp_path / "in").read_bytes() == INPUT
    assert drafts(tmp_path) == []


def test_a_socket_may_be_both(tmp_path: Path) -> None:
    """As inetd, systemd and socat start a command for each connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = children.start(
            command("process"),
            cwd=tmp_path,
            env=environment(),
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
        )
        theirs.close()
        ours.sendall(RECORDS)
        ours.shutdown(socket.SHUT_WR)
        with ours.makefile("rb") as results:
            assert results.read() == RESULTS
        assert process.wait(60) == 0


def test_the_message_names_both(run: Run, tmp_path: Path) -> None:
    lay_names(tmp_path)
    done = run("process", "in", "--errors", "hard")
    said = " ".join(done.stderr.decode().split())
    assert "--errors hard and the input in are the same file; nothing has been written" in said


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("F process in -o /dev/null --errors /dev/null < /dev/null", b""),
        ("F process /dev/null > /dev/null 2>&1", b""),
        ("F process in -o /dev/stdout --errors /dev/stderr 2> /dev/null", OUTPUT),
        ("F process in -o /dev/stdout | cat", OUTPUT),
        ("F process in 2>&1 > out | cat; cat out", b"forstcore: 1 line was rejected"),
        ("echo kept > out; F process in -o /dev/stdout >> out; cat out", b"kept\n" + OUTPUT),
        ("echo kept > out; F process in -o /dev/fd/3 3>> out; cat out", b"kept\n" + OUTPUT),
        ("mkfifo pipe; cat pipe & F process in -o pipe; wait", OUTPUT),
        ("mkfifo pipe; cat pipe & F process in -o out --errors pipe; wait", b'{"file":"in"'),
        ("F process in -o out --errors /dev/stdout | cat", b'{"file":"in","line":2'),
        ("F process in -o >(cat); sleep 0.2", OUTPUT),
        ("F process in -o out --errors >(cat); sleep 0.2", b'{"file":"in"'),
        ("F process in -o out <&- >&- 2>&- && cat out", OUTPUT),
        ("F process in -o out --errors errors <&- >&- && cat out", OUTPUT),
        ("F process in -o in && cat in", OUTPUT),
        ("F process in -o hard && cat hard; cmp in other", OUTPUT),
        ("F process -o in < in && cat in", OUTPUT),
        ("F process other in -o link && cat in", OUTPUT * 2),
    ],
)
def test_what_does_no_harm_is_done(tmp_path: Path, line: str, written: bytes) -> None:
    lay_names(tmp_path)
    done = shell(tmp_path, line)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(written)
    assert drafts(tmp_path) == []
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("F process <&-", b"-: Bad file descriptor"),
        ("F process in >&-", b"Bad file descriptor"),
        ("F validate in >&-", b"Bad file descriptor"),
        ("F process in > /dev/full", b"No space left on device"),
        ("F validate in > /dev/full", b"No space left on device"),
        ("F process in -o /dev/full", b"/dev/full: No space left on device"),
    ],
)
def test_what_cannot_be_written_is_reported(tmp_path: Path, line: str, said: bytes) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    done = shell(tmp_path, line)
    assert (done.returncode, done.stderr) == (3, b"forstcore: " + said + b"\n")


FAILING: list[tuple[str, Callable[[Path], object]]] = [
    ("send http://127.0.0.1:9 in --attempts 1", lambda _: None),
    ("process broken.gz", lambda at: (at / "broken.gz").write_bytes(b"\x1f\x8bnothing")),
    ("process in --processors nowhere.py", lambda _: None),
    ("process in -o nowhere/out", lambda _: None),
    ("process in in.gz", lambda at: (at / "in.gz").write_bytes(b"\x1f\x8bnothing")),
    ("replay in", lambda _: None),
]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("line", "prepare"), FAILING)
def test_a_run_that_fails_leaves_the_errors_of_the_one_before(
    run: Run, tmp_path: Path, line: str, prepare: Callable[[Path], object]
) -> None:
    (tmp_path / "in").write_bytes(RECORDS)
    prepare(tmp_path)
    (tmp_path / "old").write_bytes(OLD)
    for name in ("old", "new"):
        done = run(*line.split(), "--errors", name)
        assert done.returncode == 3, done.stderr
    assert (tmp_path / "old").read_bytes() == OLD
    assert not (tmp_path / "new").exists()


def test_errors_are_replaced_by_those_of_a_run_that_goes_well(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    (tmp_path / "good").write_bytes(RECORDS)
    (tmp_path / "errors").write_bytes(OLD * 100)
    before = (tmp_path / "errors").stat()
    assert run("process", "in", "--errors", "errors").returncode == 0
    (line,) = (tmp_path / "errors").read_text().splitlines()
    assert json.loads(line)["raw"] == '{"id":2}'
    # Written in place, so that programs that follow the file continue.
    assert (tmp_path / "errors").stat().st_ino == before.st_ino
    assert run("process", "good", "--errors", "errors").returncode == 0
    assert (tmp_path / "errors").read_bytes() == b""


def test_errors_of_a_stream_that_is_interrupted_are_kept(start: Start, tmp_path: Path) -> None:
    (tmp_path / "errors").write_bytes(OLD)
    process = start("process", "--errors", "errors")
    assert process.stdin
    assert process.stdout
    process.stdin.write(b'{"id":1}\n{"id":"2"}\n')
    process.stdin.flush()
    assert process.stdout.readline()
    # A program that follows the file has seen the line by now.
    assert (tmp_path / "errors").read_bytes().startswith(b'{"file":"-"')
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
    (line,) = (tmp_path / "errors").read_text().splitlines()
    assert json.loads(line)["raw"] == '{"id":1}'


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_signals_leave_no_draft(start: Start, tmp_path: Path, number: int) -> None:
    # Under nohup, SIGHUP is ignored, and so it would be in the new process.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        process = start("process", "-", "-o", "out")
    finally:
        signal.signal(number, before)
    while not drafts(tmp_path):
        assert process.poll() is None
    process.send_signal(number)
    assert process.wait(60) == -number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "name",
    [
        "n" * 255,
        "ü" * 127,
        "[a]*?.ndjson",
        "a::b{c}#d%e.ndjson",
        " spaces ",
        "new\nline",
        "~root",
        "$(date)",
        *([os.fsdecode(b"\xff\xfe.ndjson")] if sys.platform == "linux" else []),
    ],
)
def test_names_are_taken_as_they_are(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(INPUT)
    done = run("process", name, "-o", "out", "--errors", "errors")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "errors").read_text())["file"] == name
    assert run("process", "out", "-o", name).returncode == 0
    (tmp_path / "errors").unlink()
    assert run("process", name, "--errors", name).returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out"])
    (tmp_path / name).write_bytes(INPUT)
    done = run("validate", name)
    assert done.stdout.startswith(os.fsencode(name) + b":2:6: "), done.stderr


def test_a_name_that_begins_with_a_dash(run: Run, tmp_path: Path) -> None:
    (tmp_path / "-in").write_bytes(RECORDS)
    (tmp_path / "-").write_bytes(RECORDS)
    assert run("process", "-o", "-out", "--", "-in", "./-").returncode == 0
    assert (tmp_path / "-out").read_bytes() == RESULTS * 2


def test_directories_are_no_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("dir")
    for name in ("dir", "dir/", "dir/.", "link", "new/", ".."):
        for option in ("-o", "--errors"):
            assert run("process", "in", option, name).returncode in (2, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dir", "in", "link"]


def test_links_that_lead_nowhere(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    (tmp_path / "round").symlink_to("round")
    done = run("process", "in", "-o", "round")
    assert (done.returncode, done.stderr[:17]) == (3, b"forstcore: round:")
    (tmp_path / "sub").mkdir()
    (tmp_path / "dangling").symlink_to("sub/new")
    assert run("process", "in", "-o", "dangling").returncode == 0
    assert (tmp_path / "sub/new").read_bytes() == OUTPUT


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """A limit on the size of files simulates a full disk."""
    (tmp_path / "in").write_bytes(RECORDS * 100)
    (tmp_path / "out").write_bytes(OLD)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = children.run(
        command("process", "in", "-o", "out"),
        cwd=tmp_path,
        env=environment(),
        preexec_fn=limit,
    )
    assert (done.returncode, done.stderr) == (3, b"forstcore: out: File too large\n")
    assert (tmp_path / "out").read_bytes() == OLD
    assert drafts(tmp_path) == []


@is_root
def test_read_only_and_full_file_systems(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(RECORDS * 20)
    (tmp_path / "bad").write_bytes(b'{"id":1}\n' * 20_000)
    (tmp_path / "disk").mkdir()
    line = (
        "mount -t tmpfs -o size=256k none disk || exit 77; cd disk; echo old > out; "
        "F process ../in -o out; echo $?; cat out; F process ../in -o new; echo $?; "
        "dd if=/dev/zero of=filler 2> /dev/null; F process ../bad -o /dev/null --errors new; "
        "echo $?; rm filler; mount -o remount,ro .; "
        "for name in out new; do F process ../in -o $name; F process ../in --errors $name; done; "
        "ls -A"
    )
    code = f'F() {{ {sys.executable} -m forstcore "$@"; }}; {line}'
    done = children.run(
        ["unshare", "-m", "bash", "-c", code],
        cwd=tmp_path,
        env=environment(),
    )
    if done.returncode == 77 or b"unshare" in done.stderr:
        pytest.skip("needs mount namespaces")
    assert done.stdout.split() == b"3 old 3 3 out".split()
    assert done.stderr.decode().splitlines() == [
        *[f"forstcore: {name}: No space left on device" for name in ("out", "new", "new")],
        *[f"forstcore: {name}: Read-only file system" for name in ("out", "out", "new", "new")],
    ]


@is_root
def test_what_is_mounted_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    (tmp_path / "source").write_bytes(OLD)
    (tmp_path / "a b").write_bytes(b"")
    line = 'mount --bind source "a b" && F process in -o "a b"'
    done = children.run(
        ["unshare", "-m", "bash", "-c", f'F() {{ {sys.executable} -m forstcore "$@"; }}; {line}'],
        cwd=tmp_path,
        env=environment(),
    )
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip("needs mount namespaces")
    assert done.returncode == 3
    assert b"something is mounted here" in done.stderr
    assert (tmp_path / "source").read_bytes() == OLD


def test_a_file_can_be_processed_into_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(RECORDS * 100)
    (tmp_path / "link").symlink_to("file")
    forstcore.process_file(tmp_path / "file", tmp_path / "link", workers=1)
    assert (tmp_path / "file").read_bytes() == RESULTS * 100
    (tmp_path / "file").write_bytes(INPUT)
    with pytest.raises(forstcore.RecordError):
        forstcore.process_file(tmp_path / "file", tmp_path / "file", on_error="fail", workers=1)
    assert (tmp_path / "file").read_bytes() == INPUT
    assert drafts(tmp_path) == []


def test_an_output_is_replaced_while_others_read_it(tmp_path: Path) -> None:
    """Each read of the file finds the output of one complete run."""
    (tmp_path / "in").write_bytes(RECORDS)
    (tmp_path / "out").write_bytes(RESULTS)
    done = threading.Event()
    seen = set()

    def look() -> None:
        while not done.is_set():
            seen.add((tmp_path / "out").read_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(20):
        forstcore.process_file(tmp_path / "in", tmp_path / "out", workers=1)
    done.set()
    looking.join()
    assert seen == {RESULTS}


def test_send_replaces_its_own_input(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(RECORDS)
    (tmp_path / "in").chmod(0o600)
    assert run("send", server.url, "in", "-o", "in").returncode == 0
    assert (tmp_path / "in").read_bytes() == RESULTS
    assert mode_of(tmp_path / "in") == 0o600
