"""A process that runs the pipeline of a chaos run: one of several, if these share a group."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

from tests import children
from tests.chaos.records import PROCESSORS
from tests.cli.conftest import command, environment

__all__ = ["Member"]

_DRAIN = 60.0  # Seconds in which a process has to end after SIGTERM.


class Member:
    """The processes that run the pipeline one after the other in a directory.

    Args:
        directory: their working directory.
        source: the source.
        sink: the sink.
        max_unconfirmed: bytes of results that may await confirmation.

    Attributes:
        memory: the most memory that a process had, in bytes.
        runs: number of processes.
    """

    def __init__(self, directory: Path, source: str, sink: str, max_unconfirmed: int) -> None:
        self.memory = 0
        self.runs = 0
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "processors.py").write_text(PROCESSORS)
        (directory / "pipelines.toml").write_text(
            'processors = ["processors.py"]\n'
            "[pipelines.chaos]\n"
            f'source = "{source}"\n'
            f'sink = "{sink}"\n'
            'errors = "file:errors.ndjson"\n'
            'processor = "double"\n'
            f"max_unconfirmed = {max_unconfirmed}\n"
        )

    @property
    def has_saved_offset(self) -> bool:
        """Whether the offset of the source is in the state directory."""
        return (self._directory / "state" / "chaos.json").exists()

    def start(self) -> None:
        """Start a process."""
        self.runs += 1
        with (self._directory / "log").open("ab") as log:
            self._process = children.start(
                command("run", "pipelines.toml"),
                cwd=self._directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End the process by SIGKILL."""
        self._look_at_memory()
        self._running.kill()
        self._running.wait()

    def end(self) -> None:
        """End the process in good order."""
        self.check_running()
        self._look_at_memory()
        self._running.send_signal(signal.SIGTERM)
        try:
            status = self._running.wait(_DRAIN)
        except subprocess.TimeoutExpired:
            raise AssertionError("the process does not end after SIGTERM") from None
        # A signal that comes before the process has set a handler ends it at once.
        assert status == -signal.SIGTERM, f"the process ended with status {status}"

    def suspend(self, seconds: float) -> None:
        """Suspend the process for a while."""
        self._running.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._running.send_signal(signal.SIGCONT)

    def check_running(self) -> None:
        """Check that the process has not ended by itself."""
        status = self._running.poll()
        log = (self._directory / "log").read_text()[-2000:]
        assert status is None, f"the process ended by itself with status {status}: {log}"

    def letters(self) -> bytes:
        """Return the dead letters so far."""
        path = self._directory / "errors.ndjson"
        # The last line may be half written.
        return b"".join(path.read_bytes().rpartition(b"\n")[:2]) if path.exists() else b""

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            children.end(self._process)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _look_at_memory(self) -> None:
        status = Path(f"/proc/{self._running.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
        if found:
            self.memory = max(self.memory, int(found[1]) << 10)
