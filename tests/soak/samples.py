"""The resources of a server process, sampled every second."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.servers import Server

__all__ = ["Sample", "Sampler", "take"]

_FIGURES = {
    "forstcore_tasks": "tasks",
    "forstcore_streams_open": "streams",
    "forstcore_queue_bytes": "queued",
    "forstcore_bytes_in_total": "bytes_in",
}


@dataclass(frozen=True)
class Sample:
    """One look.

    Attributes:
        seconds: since the start of the load.
        rss: resident memory in bytes.
        descriptors: open files and sockets.
        threads: threads of the process.
        tasks: tasks of its event loop.
        streams: open streams.
        queued: bytes of results that wait in memory.
        bytes_in: bytes that streams have sent.
        spooled: bytes on the disk in files without a name.
    """

    seconds: float
    rss: int
    descriptors: int
    threads: int
    tasks: int
    streams: int
    queued: int
    bytes_in: int
    spooled: int


def take(server: Server, started: float) -> Sample:
    """Look at a server now; `started` is the time of `seconds` 0."""
    figures = _figures(server)
    descriptors, spooled = _files(server.process.pid)
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    threads = int(status.partition("Threads:")[2].split()[0])
    return Sample(
        seconds=round(time.monotonic() - started, 2),
        rss=server.rss(),
        descriptors=descriptors,
        threads=threads,
        spooled=spooled,
        **figures,
    )


class Sampler:
    """Look at a server regularly while the block runs.

    Args:
        server: the server.
        interval: seconds between looks.

    Attributes:
        samples: oldest first.
        started: time of their `seconds` 0.
        error: why it ended early, None if it did not.
    """

    def __init__(self, server: Server, interval: float) -> None:
        self._server = server
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[Sample] = []
        self.started = time.monotonic()
        self.error: Exception | None = None

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self.samples.append(take(self._server, self.started))
            except Exception as error:
                self.error = error
                return


def _figures(server: Server) -> dict[str, int]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request("GET", "/metrics", headers={"Connection": "close"})
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return {
        _FIGURES[sample.name]: int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in _FIGURES
    }


def _files(pid: int) -> tuple[int, int]:
    """Count descriptors, and the bytes that files without a name take on the disk."""
    count = spooled = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(entry.readlink())
            count += 1
            # Shared memory and the like have no place on a disk.
            if target.endswith(" (deleted)") and not target.startswith(("/memfd:", "/dev/")):
                spooled += entry.stat().st_blocks * 512
    return count, spooled
