"""Several processes: how connections are spread over them, and how failing ones are replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import children
from tests.server.raw import RawStream
from tests.servers import ROOT, Server, StartServer, wait_until

RECORD = b'{"id":"1","data":"x"}\n'
RESULT = b'{"id":"1","result":"processed_x","status":"success"}\n'

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


def sockets(process: int) -> int:
    """Count the sockets of a process."""
    count = 0
    for each in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(each.readlink()).startswith("socket:")
    return count


def open_streams(server: Server, count: int, stack: contextlib.ExitStack) -> list[RawStream]:
    """Open streams at once, and return them after each has had a result."""
    address = (server.host, server.port)
    streams = [stack.enter_context(RawStream(address)) for _ in range(count)]
    for stream in streams:
        stream.send(RECORD)
    assert [stream.read_line() for stream in streams] == [RESULT] * count
    return streams


@pytest.mark.parametrize("processes", [2, 3])
def test_streams_are_spread_evenly(start_one: StartServer, processes: int) -> None:
    server = start_one("--processes", str(processes), "--no-access-log")
    workers = server.workers()
    before = {worker: sockets(worker) for worker in workers}
    for _ in range(5):
        with contextlib.ExitStack() as stack:
            open_streams(server, 60, stack)
            shares = [sockets(worker) - before[worker] for worker in workers]
            assert sum(shares) == 60
        # Two processes may accept at the same moment.
        if max(shares) - min(shares) <= 4:
            return
        # A process that gets no time of a busy machine is passed over, as one that hangs.
        wait_until(lambda: all(sockets(worker) <= before[worker] for worker in workers))
    pytest.fail(f"the last shares are {shares}")


def test_no_stream_is_refused_while_another_process_has_room(start_one: StartServer) -> None:
    server = start_one("--processes", "2", "--max-streams", "20", "--no-access-log")
    with contextlib.ExitStack() as stack:
        open_streams(server, 20, stack)
        open_streams(server, 18, stack)


def test_a_process_that_hangs_gets_no_more_connections(start_one: StartServer) -> None:
    server = start_one("--processes", "2", "--no-access-log")
    one, two = server.workers()
    with contextlib.ExitStack() as stack:
        open_streams(server, 10, stack)
        os.kill(one, signal.SIGSTOP)
        wait_until(lambda: children.is_stopped(one))
        before = sockets(two)
        open_streams(server, 10, stack)
        assert sockets(two) - before == 10
        os.kill(one, signal.SIGCONT)
        wait_until(lambda: not children.is_stopped(one))
        # It has fewer of them, and so gets the next ones, but those that come before it runs again.
        before = sockets(one)
        for _ in range(30):
            open_streams(server, 1, stack)
            if sockets(one) - before == 7:
                break
        else:
            pytest.fail("it gets no streams")


FAILING = """
import os
from forstcore import processor

if os.path.exists({flag!r}) and "FORSTCORE_WORKER" in os.environ:
    os._exit(7)

@processor("fail")
def fail(record: dict) -> dict:
    return record
"""


def launched(module: Path) -> subprocess.Popen[str]:
    return children.start(
        [sys.executable, "-m", "server", "--port=0", "--processes=2", "--processors", str(module)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_server_whose_workers_cannot_start_ends(tmp_path: Path) -> None:
    flag, module = tmp_path / "flag", tmp_path / "failing.py"
    module.write_text(FAILING.format(flag=str(flag)))
    flag.touch()
    process = launched(module)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        children.end(process)
    assert process.returncode == 1
    assert out == ""
    lines = [line for line in err.splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert "exited with status 7 before it served" in lines[0]


@pytest.mark.long
def test_workers_that_fail_again_and_again_are_replaced_ever_later(tmp_path: Path) -> None:
    flag, module = tmp_path / "flag", tmp_path / "failing.py"
    module.write_text(FAILING.format(flag=str(flag)))
    process = launched(module)
    try:
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        workers = children.of(process.pid)
        flag.touch()
        started = time.monotonic()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    finally:
        children.end(process)
    assert process.returncode == 1
    # 0.5, 1, 2 and 4 seconds; the first replacement has no pause.
    assert time.monotonic() - started > 7.5
    lines = [line for line in err.splitlines() if line.startswith("forstcore:")]
    assert lines[-1] == "forstcore: 2 workers keep ending, and none serves"
    assert len(lines) < 16
    assert all(f"another one replaces it in {pause} seconds" in err for pause in ("0.5", "1", "4"))
    assert "was ended by SIGKILL; another one replaces it" in err


def test_a_read_only_root(tmp_path: Path) -> None:
    done = children.run(["unshare", "-rm", "true"], text=True)
    if done.returncode:
        pytest.skip(f"needs mount namespaces: {done.stderr}")
    program = f"""
set -e
mount -o remount,bind,ro / 2>/dev/null || mount --bind / /mnt
for each in /tmp /var/tmp /usr/tmp; do
  if [ -d $each ]; then mount --rbind $each $each && mount -o remount,bind,ro $each; fi
done
cd /proc
exec {sys.executable} -m server --port 0 --processes 2 --no-access-log
"""
    process = children.start(
        ["unshare", "-rm", "sh", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "listens on" in process.stdout.readline(), process.stderr.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        lines = process.stderr.read().splitlines()
        assert len(lines) == 1
        assert "set spool_dir or TMPDIR" in lines[0]
    finally:
        children.end(process)


def test_a_directory_for_spool_files_that_is_not_writable() -> None:
    done = children.run(
        [sys.executable, "-m", "server", "--port", "0", "--spool-dir", "/proc"], cwd=ROOT, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("forstcore: spool_dir: cannot create files in /proc: ")
    assert done.stderr.count("\n") == 1
