"""Server processes for the tests to talk to."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import children

ROOT = Path(__file__).parent.parent
WAYS = {"takeover": {"FORSTCORE_TAKEOVER": "on"}, "aiohttp": {"FORSTCORE_TAKEOVER": "off"}}
"""The environment of a server for each way to read bodies."""
_LISTENS = re.compile(r"listens on (https?)://([^\s:]+):(\d+)")


@dataclass
class Server:
    """A running server process."""

    process: subprocess.Popen[str]
    host: str
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def rss(self) -> int:
        """Resident memory in bytes."""
        statm = Path(f"/proc/{self.process.pid}/statm")
        if not statm.exists():
            pytest.skip("needs /proc")
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def figure(self, name: str, **labels: str) -> float:
        """Add up the samples of a metric, of those labels; 0 if there is none.

        Args:
            name: without ``forstcore_``.
            labels: those that a sample must have.
        """
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request("GET", "/metrics", headers={"Connection": "close"})
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"forstcore_{name}" and labels.items() <= sample.labels.items()
        )

    def open_streams(self) -> int:
        """Count the streams that are open."""
        return int(self.figure("streams_open"))

    def workers(self) -> list[int]:
        """List the processes that it has started."""
        return children.of(self.process.pid)

    def await_both(self, look: Callable[[], object]) -> list[int]:
        """Wait until both of its two workers serve, and return them.

        Args:
            look: ask the server for something; it returns what is true when it was served.
        """
        wait_until(lambda: len(self.workers()) == 2)
        workers = self.workers()
        for worker in workers:
            self.without(worker, look)
        return workers

    def without(self, worker: int, look: Callable[[], object]) -> None:
        """Ask the server for something while a worker is stopped, so that another must answer."""
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: children.is_stopped(worker))
        try:
            assert look()
        finally:
            os.kill(worker, signal.SIGCONT)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """End the process, its workers and its pipes, whatever state they are in."""
        children.end(self.process)


StartServer = Callable[..., Server]


def wait_until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something that happens in another process or thread."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def free_port() -> int:
    """Return a port that nobody listens on.

    It is outside the range from which the system assigns ports, so no other process takes it
    while a server is restarted on it.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def launch(
    *options: str,
    env: dict[str, str] | None = None,
    python: str | Path = sys.executable,
    cwd: Path = ROOT,
    log: Path | None = None,
) -> Server:
    """Start a server on a free port and wait until it listens.

    Args:
        options: its command line.
        env: environment variables beside those of this process.
        python: the interpreter that runs it.
        cwd: its directory.
        log: the file for its standard error; a pipe if None.
    """
    with contextlib.ExitStack() as stack:
        process = children.start(
            [python, "-m", "server", "--port", "0", *options],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=stack.enter_context(log.open("wb")) if log else subprocess.PIPE,
            text=True,
        )
    return await_server(process)


def await_server(process: subprocess.Popen[str]) -> Server:
    """Wait until a server that was just started listens."""
    assert process.stdout is not None
    line = process.stdout.readline()
    match = _LISTENS.search(line)
    if match is None:
        process.kill()
        said = process.communicate()[1]
        children.end(process)
        pytest.fail(f"the server did not start: {line}{said}")
    return Server(process, match[2], int(match[3]), match[1])


@contextlib.contextmanager
def on_unix_socket(path: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server on a Unix socket."""
    process = children.start(
        [sys.executable, "-m", "server", "--unix-socket", str(path), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert str(path) in process.stdout.readline()
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        children.end(process)
