"""Workers that die, tasks that run twice, and workers that cannot do the work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import forstcore
from tests import children
from tests.cluster.conftest import Process, hidden, one_process
from tests.servers import ROOT

if TYPE_CHECKING:
    from distributed import Client

RECORDS = b"".join(b'{"id":"%d","data":"reading %d"}\n' % (n, n) for n in range(2000))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in.ndjson"
    path.write_bytes(RECORDS)
    return path


def test_a_worker_that_is_killed_changes_nothing(process: Process, file: Path) -> None:
    killed = file.with_name("killed")

    def deadly(record: dict[str, Any]) -> dict[str, Any]:
        if record["id"] == "1234" and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    made = process(file, processor=deadly, blocksize=10_000)
    assert killed.exists()
    assert made.bytes == one_process([file], deadly)
    # Its unfinished files are removed, too.
    assert hidden(made.directory) == []
    assert len(list(made.directory.iterdir())) == len(made.manifest["parts"]) + 1


@pytest.mark.long
def test_a_block_that_kills_every_worker_is_named(
    process: Process, client: Client, file: Path
) -> None:
    def deadly(record: dict[str, Any]) -> dict[str, Any]:
        if record["id"] == "1234":
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    assert client.cluster is not None
    scheduler = client.cluster.scheduler
    before, scheduler.allowed_failures = scheduler.allowed_failures, 0
    try:
        with pytest.raises(forstcore.ClusterError, match=r"block \d+ \(.*bytes.*KilledWorker"):
            process(file, processor=deadly, blocksize=30_000)
    finally:
        scheduler.allowed_failures = before
    client.wait_for_workers(2)
    assert not (file.parent / "out/manifest.json").exists()
    assert process(file).bytes == one_process([file])


def test_a_task_that_fails_is_tried_again(process: Process, file: Path) -> None:
    tries = file.with_name("tries")
    block = RECORDS.index(b'{"id":"700"') // 10_000

    def weak(record: dict[str, Any]) -> dict[str, Any]:
        if record["id"] == "700":
            with tries.open("a") as log:
                log.write("x")
            drafts = [*file.with_name("out").glob(f".part-{block:05}*.draft")]
            if drafts and tries.stat().st_size < 3:
                drafts[0].unlink()  # An exception would only reject the record.
        return record

    made = process(file, processor=weak, blocksize=10_000)
    assert tries.read_text() == "xxx"
    assert made.bytes == one_process([file], weak)
    assert hidden(made.directory) == []


def test_a_task_that_runs_twice_at_once_leaves_one_part(file: Path) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    from forstcore.cluster import _blocks
    from forstcore.cluster._output_directory import output_directory_at
    from forstcore.cluster._packed_processor import pack_processor
    from forstcore.cluster._part import RunConfig, make_part

    system, files = _blocks.files_at(file, {})
    (block,) = _blocks.blocks_of(files, 1 << 30)
    output = output_directory_at(file.parent / "out", {})
    output.prepare()
    config = RunConfig(
        system, output, pack_processor(None, ()), "plan", "skip", {}, 1 << 20, 1, 1, True, 5
    )
    reports: list[Any] = []
    threads = [
        threading.Thread(target=lambda: reports.append(make_part(block, config))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 4
    assert all(report == reports[0] for report in reports)
    names = {path.name for path in (file.parent / "out").iterdir()}
    assert names == {"part-00000.ndjson", ".part-00000.json"}
    assert (file.parent / "out/part-00000.ndjson").read_bytes() == one_process([file])


_MEASURE = """
import resource, sys
from forstcore.cluster import _blocks
from forstcore.cluster._part import RunConfig, make_part
from forstcore.cluster._packed_processor import pack_processor
from forstcore.cluster._output_directory import output_directory_at

system, files = _blocks.files_at(sys.argv[1], {})
(block,) = _blocks.blocks_of(files, 1 << 40)
output = output_directory_at(sys.argv[2], {})
output.prepare()
packed = pack_processor(None, ())
config = RunConfig(system, output, packed, "plan", "skip", {}, 1 << 20, 1, 1, True, 5)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
part = make_part(block, config)
print(part["lines"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
@pytest.mark.parametrize("line", [b'{"id":"1","data":"reading"}\n', b"x"])
def test_memory_does_not_depend_on_the_block(tmp_path: Path, line: bytes) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    path = tmp_path / "in.ndjson"
    several = (64 << 20) // len(line)
    path.write_bytes(line * several)
    done = children.run(
        [sys.executable, "-c", _MEASURE, path, tmp_path / "out"],
        cwd=ROOT,
        text=True,
        check=True,
    )
    lines, kibibytes = map(int, done.stdout.split())
    assert lines == (several if line.endswith(b"\n") else 1)
    assert kibibytes < 24 << 10


@pytest.fixture
def scheduler() -> Iterator[Any]:
    """A cluster without workers."""
    pytest.importorskip("distributed", reason="needs dask")
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("__version__ = '0.0.9'", r"worker tcp://\S+ has forstcore 0\.0\.9, and here it is"),
        ("import nothing_of_that_name", r"worker tcp://\S+ has no forstcore that can be imported"),
    ],
)
def test_a_worker_that_cannot_do_it_is_named(
    scheduler: Any, file: Path, init: str, message: str
) -> None:
    from distributed import Client

    from forstcore.cluster import process_dataset

    package = file.with_name("other") / "forstcore"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(init)
    worker = children.start(
        [
            *(sys.executable, "-m", "distributed.cli.dask_worker", scheduler.scheduler_address),
            *("--no-nanny", "--nthreads", "1", "--no-dashboard"),
        ],
        cwd=file.parent,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with Client(scheduler, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
            with pytest.raises(forstcore.ClusterError, match=message) as caught:
                process_dataset(file, file.parent / "out", client=client)
            assert forstcore.__version__ in str(caught.value)
    finally:
        worker.terminate()
        worker.wait()


def test_what_dask_lacks_is_said(file: Path) -> None:
    code = "import sys; sys.modules['distributed'] = None; import forstcore.cluster"
    done = children.run([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert "pip install 'forstcore[dask]'" in done.stderr.splitlines()[-1]
