"""The processes of an audit: starting, stopping, killing, starving and inspecting them."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests import children
from tests.servers import ROOT

__all__ = ["Child", "can_mount", "fake_clock_library", "in_own_mounts"]

_START = 30.0  # Seconds for a process to report that it is ready.
_LISTENING = "0A"  # in the kernel's table
_LIBRARIES = ("/usr/lib", "/usr/local/lib", "/lib")


class Child:
    """A process that can be restarted; its output goes to a file.

    Args:
        name: for the file and for messages.
        directory: where the file is.
        command: what to run behind `python -m`.
        ready: matches its output when it is ready; None if there is none.
        before: command that runs it, such as faketime.
        env: additional environment variables.

    Attributes:
        log: the file.
        peak: maximum memory of one of its processes, in bytes.
        found: the last match of `ready`.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        command: Sequence[str],
        ready: str | None = None,
        *,
        before: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.peak = 0
        self.found = ""
        self.command = list(command)
        self._before = list(before)
        self._ready = re.compile(ready) if ready else None
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def status(self) -> int | None:
        """Return the exit status, None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def start(self) -> None:
        """Start it, and wait until it is ready.

        Its port may still be held by remains of the last process, so this retries for a while.

        Raises:
            RuntimeError: it does not start.
        """
        deadline = time.monotonic() + _START
        while True:
            start = self.log.stat().st_size if self.log.exists() else 0
            with self.log.open("ab") as log:
                self._process = children.start(
                    [*self._before, sys.executable, "-m", *self.command],
                    cwd=ROOT,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            while self._process.poll() is None:
                if self._is_ready(start):
                    return
                if time.monotonic() > deadline:
                    self.kill()
                time.sleep(0.02)
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start; see {self.log}")
            time.sleep(0.2)

    def _is_ready(self, start: int) -> bool:
        if self._ready is None:
            return True
        with self.log.open("rb") as log:
            log.seek(start)
            found = self._ready.search(log.read().decode(errors="replace"))
        if found is None:
            return False
        self.found = found[1]
        return True

    def kill(self) -> None:
        """End it with SIGKILL; its children have to notice by themselves."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self, seconds: float) -> int:
        """End it with SIGTERM; return its exit status.

        Raises:
            subprocess.TimeoutExpired: it is still there after so many seconds.
        """
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(seconds)

    def kill_all(self) -> None:
        """End it and its children, whatever state they are in."""
        if self._process is None:
            return
        for pid in [*self.tree()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def workers(self) -> list[int]:
        """List its direct children."""
        return children.of(self.pid)

    def tree(self) -> list[int]:
        """List its process and the children; empty if it has ended."""
        return [self.pid, *self.workers()] if self.status() is None else []

    def signal_all(self, number: int) -> None:
        """Send a signal to it and its children."""
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def no_descriptors(self) -> Iterator[None]:
        """Prevent it from opening files and sockets for a while."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        for pid in self.tree():
            with contextlib.suppress(OSError):
                # Open descriptors stay open, and a new one would have the lowest free number.
                lowest = next(n for n in range(before[0]) if not _is_open(pid, n))
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
        try:
            yield
        finally:
            # A worker that was started meanwhile has the limit too.
            for pid in self.tree():
                with contextlib.suppress(OSError):
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    @contextlib.contextmanager
    def full_disk(self, directory: Path) -> Iterator[None]:
        """Fill a disk that only this process sees."""
        ballast = Path(f"/proc/{self.pid}/root{directory}/ballast")
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                ballast.unlink()

    def look(self) -> None:
        """Record its memory use."""
        for pid in self.tree():
            with contextlib.suppress(OSError):
                found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
                if found:
                    self.peak = max(self.peak, int(found[1]) << 10)

    def held(self) -> int:
        """Count what an ended stream must not leave behind: connections, unnamed files."""
        count = 0
        connections = _connections()
        for pid in self.tree():
            with contextlib.suppress(OSError):
                for each in Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        target = str(each.readlink())
                        is_nameless = target.endswith("(deleted)") and not _is_shared(target)
                        count += target in connections or is_nameless
        return count


def _is_shared(target: str) -> bool:
    """Return whether this is memory that the processes share as long as they run."""
    return any(name in target for name in ("forstcore-loads", "forstcore-reloads"))


def _connections() -> set[str]:
    """List the TCP connections of this machine, as links to their sockets read."""
    lines = (each.split() for each in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {f"socket:[{fields[9]}]" for fields in lines if fields[3] != _LISTENING}


def _is_open(pid: int, number: int) -> bool:
    return os.path.lexists(f"/proc/{pid}/fd/{number}")


def in_own_mounts(directory: Path, megabytes: int) -> list[str]:
    """Return a command that runs a process with a small disk of its own at a path."""
    script = f'mount -t tmpfs -o size={megabytes}m tmpfs "$0" && exec "$@"'
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "sh", "-c", script, str(directory)]


@functools.cache
def can_mount() -> bool:
    """Return whether this machine supports such a disk."""
    if shutil.which("unshare") is None:
        return False
    command = [*in_own_mounts(Path("/tmp"), 1), "true"]
    return children.run(command).returncode == 0


@functools.cache
def fake_clock_library() -> str | None:
    """Find libfaketime, for processes with threads."""
    for root in _LIBRARIES:
        for found in sorted(Path(root).glob("**/faketime/libfaketimeMT.so.1")):
            return str(found)
    return None
