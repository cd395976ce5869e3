"""`forstcore process` on a cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import children
from tests.cli.conftest import RECORDS, RESULTS, command, environment
from tests.cluster.conftest import hidden

if TYPE_CHECKING:
    from distributed import Client

BAD = b'{"id":"1"}\n{"id":2}\n'


def run(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return children.run(
        command("process", *arguments),
        cwd=directory,
        env=environment(),
    )


def parts(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.glob("part-*.ndjson")))


@pytest.mark.long
def test_a_local_cluster(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    (tmp_path / "good.ndjson").write_bytes(RECORDS)
    (tmp_path / "bad.ndjson").write_bytes(BAD)
    (tmp_path / "helper.py").write_text("def name(): return 'helped'\n")
    (tmp_path / "routes.py").write_text(
        "import forstcore, helper, time\n"
        "@forstcore.processor('mine')\n"
        "def mine(record: forstcore.StreamingRecord):\n"
        # Progress is drawn every 0.1 s, so shorter runs show none.
        "    time.sleep(0.2 if record['id'] == '999' else 0)\n"
        "    return {'id': record['id'], 'by': helper.name()}\n"
    )
    done = run(
        tmp_path,
        *("good.ndjson", "bad.ndjson", "--local-cluster", "2", "--blocksize", "30 kB"),
        *("-o", "out", "--errors", "errors.ndjson", "--progress"),
        *("--processors", "routes.py", "--processor", "mine"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    first = b"".join(b'{"id":"%d","by":"helped"}\n' % n for n in range(1000))
    assert parts(tmp_path / "out") == first + b'{"id":"1","by":"helped"}\n'
    assert " errors  0:" in done.stderr.decode()
    assert b"1,001 results of " in done.stderr
    assert done.stderr.endswith(b"forstcore: 1 line was rejected: wrong_type 1\n")
    errors = (tmp_path / "errors.ndjson").read_bytes()
    assert errors.startswith(f'{{"file":"{tmp_path}/bad.ndjson","line":2,"offset":6,'.encode())
    again = run(tmp_path, "good.ndjson", "--scheduler", "tcp://127.0.0.1:9", "-o", "out")
    assert again.returncode == 3
    assert again.stderr.startswith(b"forstcore: no scheduler answers at tcp://127.0.0.1:9: ")


def test_a_scheduler(client: Client, tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(RECORDS)
    assert client.scheduler is not None
    address = str(client.scheduler.address)
    options = ("--scheduler", address, "-o", "out", "--blocksize", "20000")
    done = run(tmp_path, "in.ndjson", *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert parts(tmp_path / "out") == RESULTS
    done = run(tmp_path, "in.ndjson", *options)
    assert done.returncode == 3
    assert done.stderr.startswith(f"forstcore: {tmp_path}/out: holds manifest.json".encode())
    assert run(tmp_path, "in.ndjson", *options, "--resume").returncode == 0
    (tmp_path / "in.ndjson").write_bytes(BAD)
    done = run(tmp_path, "in.ndjson", *options, "--overwrite", "--on-error", "fail")
    assert done.returncode == 1
    assert done.stderr.startswith(f"forstcore: line 2, byte 6: {tmp_path}/in.ndjson".encode())


def wait_for_end(group: int) -> None:
    """Wait until a process group is empty; Python's resource tracker takes a moment to end."""
    deadline = time.monotonic() + 30
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        pytest.fail("processes are left")


def test_ctrl_c_leaves_nothing_half(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    (tmp_path / "in.ndjson").write_bytes(RECORDS)
    (tmp_path / "slow.py").write_text(
        "import forstcore, time\n"
        "@forstcore.processor('slow')\n"
        "def slow(record: dict):\n"
        "    time.sleep(0.05)\n"
        "    return record\n"
    )
    process = children.start(
        command(
            *("process", "in.ndjson", "--local-cluster", "2", "-o", "out"),
            *("--processors", "slow.py", "--processor", "slow", "--blocksize", "10000"),
        ),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
    )
    out = tmp_path / "out"
    deadline = time.monotonic() + 60
    while not (out.exists() and hidden(out)):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    # Like a terminal, signal all processes of the group.
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (-signal.SIGINT, b"")
    wait_for_end(process.pid)
    assert [path.name for path in out.iterdir() if not path.name.startswith("part-")] == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "--blocksize", "1"], "need --local-cluster or --scheduler"),
        (["s3://a/b"], "URLs need --local-cluster or --scheduler"),
        (["in", "-o", "."], "is a directory"),
        (["in", "--local-cluster", "1"], "name it with --output"),
        (["--local-cluster", "1", "-o", "out"], "cannot read standard input"),
        (["in", "--local-cluster", "1", "-o", "in"], "in is a file"),
        (["in", "--local-cluster", "1", "--scheduler", "x", "-o", "out"], "exclude each other"),
        (["in", "--local-cluster", "1", "--overwrite", "--resume", "-o", "o"], "exclude each"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "in").write_bytes(RECORDS)
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.decode().split())


def test_help_teaches(tmp_path: Path) -> None:
    text = run(tmp_path, "--help").stdout.decode()
    assert "--local-cluster 4 -o results" in text
    assert "manifest.json" in text
