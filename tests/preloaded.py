"""Server processes that are forked from one that has loaded all modules.

Loading aiohttp and the server is nearly all that a start costs, a quarter of a second of CPU, and
the tests start some 800 servers. What a fork cannot show is shown by the tests that are marked
`real_start` or `long`: their servers run in an interpreter of their own.
"""

from __future__ import annotations

import atexit
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

__all__ = ["PreloadedServer", "is_on", "turn"]

_ROOT = Path(__file__).parent.parent
_MODULES = ["server.cli", "server.app", "server.supervisor", "server.worker", "tests.preloaded"]
_is_on = False


def turn(*, on: bool) -> None:
    """Choose how servers are started from now on, where the system can fork."""
    global _is_on
    # That process finds this module in the directory that pytest was started in.
    can_fork = "forkserver" in multiprocessing.get_all_start_methods() and Path.cwd() == _ROOT
    _is_on = on and can_fork


def is_on() -> bool:
    """Return whether servers are to be forked."""
    return _is_on


class PreloadedServer(subprocess.Popen[str]):
    """A server that was forked; its parent is the process that all servers are forked from.

    Args:
        options: its command line.
        environment: its environment variables.
        errors: the file for its standard error; a pipe if None.
    """

    def __init__(
        self, options: Sequence[str], environment: dict[str, str], errors: Path | None
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_MODULES)
        self.args = ["server", *options]
        self.stdin = None
        self.returncode: int | None = None
        self.stdout, output = _pipe()
        if errors is None:
            self.stderr, error = _pipe()
        else:
            self.stderr = None
            error = multiprocessing.connection.Connection(
                os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), readable=False
            )
        with output, error:
            self._forked = context.Process(
                target=_serve, args=(self.args, environment, output, error)
            )
            self._forked.start()
        assert self._forked.pid is not None
        self.pid = self._forked.pid

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        self.returncode = self._forked.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process, and return its exit status."""
        self._forked.join(timeout)
        status = self.poll()
        if status is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return status

    def communicate(
        self, input: str | None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        """Wait for the end of the process, and return what it has written."""
        assert input is None
        texts = ["", ""]

        def read(number: int, pipe: IO[str]) -> None:
            with pipe:
                texts[number] = pipe.read()

        readers = [
            threading.Thread(target=read, args=(number, pipe), daemon=True)
            for number, pipe in enumerate((self.stdout, self.stderr))
            if pipe is not None and not pipe.closed
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():  # Another process has the pipe.
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
        return texts[0], texts[1]


def _pipe() -> tuple[IO[str], multiprocessing.connection.Connection]:
    """Return the end of a pipe to read from, and that to pass on."""
    reading, writing = os.pipe()
    return os.fdopen(reading), multiprocessing.connection.Connection(writing, readable=False)


def _serve(
    arguments: list[str],
    environment: dict[str, str],
    output: multiprocessing.connection.Connection,
    errors: multiprocessing.connection.Connection,
) -> None:
    from server.cli import main

    os.setsid()
    os.chdir(_ROOT)  # A test may have changed it.
    os.environ.clear()
    os.environ.update(environment)
    with output, errors:
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
    for name in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = arguments
    status = main()
    # multiprocessing does that since Python 3.13 only.
    atexit._run_exitfuncs()
    raise SystemExit(status)
