"""Real brokers, which tests start, kill and restart."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests import children
from tests.servers import free_port

__all__ = ["Broker", "Flapping", "Mosquitto", "NatsServer", "RedisServer", "redis_client"]


class Broker:
    """A broker with its own directory, whose data survive restarts.

    Args:
        directory: the directory for its files.

    Attributes:
        port: its port on 127.0.0.1.
        process: its process, None if it does not run.
        more: additional lines of its configuration, from the next start on.
    """

    program = ""
    patience = 10.0  # Seconds for the start.
    more = ""

    def __init__(self, directory: Path) -> None:
        found = shutil.which(self.program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if found is None:
            pytest.skip(f"needs {self.program}")
        self.port = free_port()
        self._program = found
        self._directory = directory
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def arguments(self) -> list[str]:
        """Return the command that starts it."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self._directory / "log").open("ab") as log:
            self.process = children.start(
                [self._program, *self.arguments()],
                cwd=self._directory,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + self.patience
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, (self._directory / "log").read_text()
            assert time.monotonic() < deadline, f"{self.program} does not listen"
            time.sleep(0.02)

    def log(self) -> str:
        """Return its output."""
        return (self._directory / "log").read_text()

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it, by default with SIGKILL."""
        if self.process is not None:
            # Mosquitto forgets a signal that comes between its first connection and its loop.
            for _ in range(60):
                self.process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(timeout=1)
                    break
            self.process.wait(timeout=1)
            self.process = None


class RedisServer(Broker):
    """Redis, which writes to disk before it confirms."""

    program = "redis-server"

    def arguments(self) -> list[str]:
        return [
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        ]


class Mosquitto(Broker):
    """Mosquitto, which writes every change to disk."""

    program = "mosquitto"

    def arguments(self) -> list[str]:
        config = self._directory / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\n"
            "allow_anonymous true\n"
            "persistence true\n"
            f"persistence_location {self._directory}/\n"
            "autosave_on_changes true\n"
            "autosave_interval 1\n"
            "max_queued_messages 0\n" + ("user root\n" if os.geteuid() == 0 else "") + self.more
        )
        return ["-c", str(config)]

    def forget(self) -> None:
        """Delete its stored data, after it was stopped."""
        (self._directory / "mosquitto.db").unlink(missing_ok=True)


class NatsServer(Broker):
    """NATS with JetStream, which writes to files before it confirms."""

    program = "nats-server"

    def arguments(self) -> list[str]:
        config = self._directory / "nats.conf"
        config.write_text(
            f"listen: 127.0.0.1:{self.port}\n"
            f"jetstream {{ store_dir: {self._directory}, max_file: 4G }}\n" + self.more
        )
        return ["-c", str(config)]


def silent(_: bytes) -> bytes:
    return b""


class Flapping:
    """A broker that drops a connection as soon as it has no answer.

    Args:
        answer: returns the answer, empty for none.

    Attributes:
        connections: number of connections so far.
        port: its port.
    """

    def __init__(self, answer: Callable[[bytes], bytes] = silent) -> None:
        self.connections = 0
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Flapping:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(0.1)
            with connection, contextlib.suppress(OSError):
                while answer := self._answer(connection.recv(4096)):
                    connection.sendall(answer)


@contextlib.contextmanager
def redis_client(broker: RedisServer) -> Iterator[Redis]:
    """Connect to a Redis server."""
    connection = Redis(port=broker.port, decode_responses=True)
    try:
        yield connection
    finally:
        connection.close()
