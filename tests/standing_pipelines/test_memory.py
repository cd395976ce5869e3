"""The memory of a pipeline while its sink stops does not depend on how much there is to read."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import children
from tests.chaos.peers import MAKERS
from tests.chaos.sinks import SINKS
from tests.servers import wait_until
from tests.standing_pipelines.workspace import Workspace

pytestmark = pytest.mark.long

if not Path("/proc/self").exists():
    pytest.skip("needs /proc", allow_module_level=True)

_RECORDS = 50_000
_FEW = 100  # Records before the sink stops.
_TEXT = b"x" * 4000
_MAX_MEMORY = 150 << 20  # Bytes; the records have more, and a process that does nothing has 40 MB.
_READ = 1 << 20  # Bytes that a process reads at least while its sink is stopped.


def _bytes_read(process: subprocess.Popen[bytes]) -> int:
    """Return how many bytes a process has read, from anywhere."""
    return int(Path(f"/proc/{process.pid}/io").read_text().split()[1])


def _cpu_time(process: subprocess.Popen[bytes]) -> int:
    """Return the ticks of CPU time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _is_idle(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process does next to nothing for half a second."""
    before = _cpu_time(process)
    time.sleep(0.5)
    return _cpu_time(process) <= before + 5


def _add(path: Path, first: int, end: int) -> None:
    with path.open("ab") as file:
        for number in range(first, end):
            file.write(b'{"id":"%d","part":0,"text":"%b"}\n' % (number, _TEXT))


@pytest.mark.parametrize("kind", ["redis", "kafka", "nats", "mqtt", "http"])
def test_memory_is_bounded_while_a_sink_stops(
    tmp_path: Path, workspace: Workspace, kind: str
) -> None:
    home = tmp_path / kind
    home.mkdir()
    peer = MAKERS[kind](home)
    make_sink, _ = SINKS[kind]
    sink = make_sink(workspace.path, peer, 0)
    source = workspace.path / "in.ndjson"
    try:
        _add(source, 0, _FEW)
        url = sink.url.replace("batch=100kB", "batch=1MiB")
        workspace.declare(copy={"source": "file:in.ndjson", "sink": url})
        process = workspace.start()
        workspace.wait_until(lambda: bool(sink.size()), process)
        assert peer.broker.process is not None
        peer.broker.process.send_signal(signal.SIGSTOP)
        try:
            before = _bytes_read(process)
            _add(source, _FEW, _RECORDS)
            wait_until(lambda: _bytes_read(process) > before + _READ, children.LIMIT)
            wait_until(lambda: _is_idle(process), children.LIMIT)
            assert _bytes_read(process) < before + _RECORDS * len(_TEXT) // 2
        finally:
            peer.broker.process.send_signal(signal.SIGCONT)
        workspace.wait_until(lambda: len(set(sink.results())) == _RECORDS, process)
        status = Path(f"/proc/{process.pid}/status").read_text()
        workspace.stop(process)
    finally:
        sink.close()
        peer.close()
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    assert peak is not None
    assert int(peak[1]) << 10 < _MAX_MEMORY
