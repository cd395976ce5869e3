"""CPU time and memory of processes and of the machine."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """Resources that a process and its children have used so far."""

    cpu_seconds: float
    rss_bytes: int


def _linux_tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield from _linux_tree(int(child))


def _linux_usage(pid: int) -> Usage:
    cpu, rss = 0.0, 0
    for each in _linux_tree(pid):
        with contextlib.suppress(OSError):
            # The name in parentheses may contain spaces, so count the fields after it.
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            rss += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return Usage(cpu, rss)


def _ps_usage(pid: int) -> Usage:
    done = subprocess.run(
        ["ps", "-o", "rss=,time=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    rss, _, clock = done.stdout.strip().partition(" ")
    if not clock:
        return Usage(0.0, 0)
    seconds = 0.0
    for part in clock.strip().replace("-", ":").split(":"):
        seconds = seconds * 60 + float(part)
    return Usage(seconds, int(rss) * 1024)


def usage(pid: int) -> Usage:
    """Return the resources that a process has used."""
    return _linux_usage(pid) if sys.platform == "linux" else _ps_usage(pid)


def busy_seconds() -> float | None:
    """Return the CPU time of the whole machine, None if unknown."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    times = list(map(int, fields))
    return (sum(times) - times[3] - times[4]) / os.sysconf("SC_CLK_TCK")


class PeakMemory:
    """Sample the memory of a process while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.rss_bytes = 0

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.rss_bytes = max(self.rss_bytes, usage(self._pid).rss_bytes)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
