"""Processes of the server and of commands, forked from a process that has loaded their modules.

Loading modules is nearly all that a start costs: a quarter of a second of CPU for a server, 0.1 s
for a command, and the tests start thousands. What a fork cannot show is shown by the tests that are
marked `real_start` or `long`: their processes run in an interpreter of their own.
"""

from __future__ import annotations

import atexit
import multiprocessing
import multiprocessing.connection
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NoReturn

__all__ = ["PreloadedProcess", "is_on", "suits", "turn"]

_ROOT = Path(__file__).parent.parent
_PACKAGES = ("forstcore", "server")
_MODULES = [
    *("server.cli", "server.app", "server.supervisor", "server.worker", "tests.preloaded"),
    *(f"forstcore.cli.{name}" for name in ("process", "run", "send", "publish", "watch")),
    *(f"forstcore.cli.{name}" for name in ("validate", "check", "replay", "pipelines", "serve")),
]
_OPTIONS = {"cwd", "env", "stdin", "stdout", "stderr"}
_VARIABLES = ("FORSTCORE_", "OTEL_", "PYTHONPATH")  # These are read after the start only.
_is_on = False


def turn(*, on: bool) -> None:
    """Choose how processes are started from now on, where the system can fork."""
    global _is_on
    # That process finds this module in the directory that pytest was started in.
    can_fork = "forkserver" in multiprocessing.get_all_start_methods() and Path.cwd() == _ROOT
    _is_on = on and can_fork


def is_on() -> bool:
    """Return whether processes are to be forked."""
    return _is_on


def suits(command: str | Sequence[str | Path], options: Mapping[str, Any]) -> bool:
    """Return whether a command is to be forked, and would do the same then.

    Args:
        command: the command line.
        options: those of `subprocess.Popen`.
    """
    if not _is_on or isinstance(command, str) or not _OPTIONS.issuperset(options):
        return False
    if [*command[:2]] != [sys.executable, "-m"] or command[2] not in _PACKAGES:
        return False
    own, env = os.environ, options.get("env") or os.environ
    changed = {name for name in own.keys() | env.keys() if own.get(name) != env.get(name)}
    # Other variables are for the interpreter or for modules, and those are loaded already.
    return all(name.startswith(_VARIABLES) for name in changed)


class PreloadedProcess(subprocess.Popen[Any]):
    """A process that was forked; its parent is the process that all of them are forked from.

    Args:
        command: its command line, which `suits`.
        text: whether its pipes are for text.
        options: those of `subprocess.Popen`.
    """

    def __init__(self, command: Sequence[str | Path], *, text: bool, **options: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_MODULES)
        self.args = [str(each) for each in command]
        self.returncode: int | None = None
        cwd, env = options.get("cwd") or _ROOT, options.get("env") or os.environ
        with ExitStack() as stack:

            def stream(number: int, given: IO[Any] | int | None) -> IO[Any] | None:
                """Add a standard stream of the process; return the other end, if it is a pipe."""
                pipe = None
                if given == subprocess.PIPE:
                    ends = os.pipe()
                    own, descriptor = ends if number else ends[::-1]
                    pipe = os.fdopen(own, ("r" if number else "w") + ("" if text else "b"))
                elif given == subprocess.DEVNULL:
                    descriptor = os.open(os.devnull, os.O_RDWR)
                elif given == subprocess.STDOUT:
                    descriptor = os.dup(streams[1].fileno())
                elif given is None:
                    descriptor = os.dup(number)
                else:
                    descriptor = os.dup(given if isinstance(given, int) else given.fileno())
                # multiprocessing passes these on, and no mere descriptors.
                carrier = multiprocessing.connection.Connection(descriptor)
                streams.append(stack.enter_context(carrier))
                return pipe

            streams: list[multiprocessing.connection.Connection[Any, Any]] = []
            self.stdin = stream(0, options.get("stdin"))
            self.stdout = stream(1, options.get("stdout"))
            self.stderr = stream(2, options.get("stderr"))
            self._forked = context.Process(
                target=_run, args=(self.args[2:], os.fspath(cwd), dict(env), streams)
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

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Write the input, wait for the end of the process, and return what it has written."""
        texts: list[Any] = [None, None]

        def write(pipe: IO[Any]) -> None:
            try:
                with pipe:
                    if input:
                        pipe.write(input)
            except BrokenPipeError:
                pass  # It has ended before.

        def read(number: int, pipe: IO[Any]) -> None:
            with pipe:
                texts[number] = pipe.read()

        threads = []
        if self.stdin is not None and not self.stdin.closed:
            threads.append(threading.Thread(target=write, args=(self.stdin,), daemon=True))
        for number, pipe in enumerate((self.stdout, self.stderr)):
            if pipe is not None and not pipe.closed:
                threads.append(threading.Thread(target=read, args=(number, pipe), daemon=True))
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join(timeout)
            if thread.is_alive():  # Another process has the pipe.
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
        return texts[0], texts[1]


def _run(
    arguments: list[str],
    cwd: str,
    environment: dict[str, str],
    streams: list[multiprocessing.connection.Connection[Any, Any]],
) -> NoReturn:
    """Do what an interpreter does from its start to its end."""
    os.setsid()
    for number, carrier in enumerate(streams):
        with carrier:
            os.dup2(carrier.fileno(), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for name in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin = os.fdopen(0, encoding=sys.stdout.encoding, closefd=False)
    path = environment.get("PYTHONPATH")
    searched = [str(Path(each).absolute()) for each in path.split(os.pathsep)] if path else []
    installed = [each for each in sys.path if each.startswith((sys.prefix, sys.base_prefix))]
    sys.path[:] = [cwd, *searched, *installed]
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError:
        status = 120
    os._exit(status)
