"""A directory with pipelines, and the processes that run them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests import children
from tests.cli.conftest import command, environment

__all__ = ["PROCESSORS", "Workspace", "records", "results"]

PROCESSORS = """
from forstcore import processor

@processor("double")
def double(record: dict) -> dict:
    return {"id": record["id"], "twice": record["n"] * 2}

@processor("python", compiled=False)
def python(record: dict) -> dict:
    return {"id": record["id"], "twice": record["n"] * 2}

@processor("async")
async def asynchronous(record: dict) -> dict:
    return {"id": record["id"], "twice": record["n"] * 2}
"""


def records(first: int, end: int) -> bytes:
    """Return records as lines."""
    return b"".join(b'{"id":"%d","n":%d}\n' % (number, number) for number in range(first, end))


def results(first: int, end: int) -> bytes:
    """Return the results of any of the processors for them."""
    return b"".join(
        b'{"id":"%d","twice":%d}\n' % (number, number * 2) for number in range(first, end)
    )


class Workspace:
    """A directory with pipelines.

    Args:
        path: the directory, which is created.
        variables: environment variables of the processes.

    Attributes:
        path: as above.
    """

    def __init__(self, path: Path, variables: Mapping[str, str] | None = None) -> None:
        path.mkdir()
        self.path = path
        self._environment = environment(dict(variables or {}))
        (path / "processors.py").write_text(PROCESSORS)
        self._running: list[subprocess.Popen[bytes]] = []

    def declare(self, **pipelines: Mapping[str, object]) -> None:
        """Write the TOML file."""
        text = 'processors = ["processors.py"]\n'
        for name, options in pipelines.items():
            text += f"[pipelines.{name}]\n"
            # JSON values of these types are TOML, too.
            text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())
        (self.path / "pipelines.toml").write_text(text)

    def read(self, name: str) -> bytes:
        """Return the content of a file; empty if it does not exist."""
        path = self.path / name
        return path.read_bytes() if path.exists() else b""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run the pipelines to their end."""
        return self.command("run", "pipelines.toml", *arguments)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command of `forstcore` in the directory."""
        return children.run(command(*arguments), cwd=self.path, env=self._environment)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the pipelines."""
        process = children.start(
            command("run", "pipelines.toml", *arguments),
            cwd=self.path,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._running.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> bytes:
        """Send a signal, wait for the end, and return what was written to standard error."""
        process.send_signal(number)
        _, errors = process.communicate(timeout=children.LIMIT)
        return errors

    def read_until(self, text: bytes, process: subprocess.Popen[bytes]) -> bytes:
        """Read standard error until a line contains a text, and return that line."""
        assert process.stderr is not None
        lines = []
        while text not in (line := process.stderr.readline()):
            lines.append(line)
            assert line, b"".join(lines).decode()
        return line

    def wait_until(self, is_so: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        """Wait for a condition while a process runs."""
        deadline = time.monotonic() + children.LIMIT
        while not is_so():
            if process.poll() is not None:
                assert is_so(), process.communicate()[1].decode()
                return
            assert time.monotonic() < deadline, "it takes too long"
            time.sleep(0.005)

    def end(self) -> None:
        """End all running processes."""
        for process in self._running:
            children.end(process)
