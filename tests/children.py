"""Child processes of tests: each has a time limit, and ends with all that it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import pytest

from tests import preloaded

__all__ = [
    "LIMIT",
    "default_signals",
    "end",
    "is_stopped",
    "lives",
    "of",
    "run",
    "start",
    "started",
]

LIMIT = 120.0
"""Seconds that a child may take, by default."""

Command = str | Sequence[str | Path]


def default_signals() -> None:
    """Give children the default action for signals that this process ignores.

    `nohup` and the `&` of a script ignore SIGHUP, SIGINT and SIGQUIT, and children would inherit
    that. A handler is not inherited; one that does nothing ignores the signal here as before.
    """
    for name in ("SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP.
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@overload
def start(command: Command, *, text: Literal[True], **options: Any) -> subprocess.Popen[str]: ...
@overload
def start(
    command: Command, *, text: Literal[False] = ..., **options: Any
) -> subprocess.Popen[bytes]: ...
def start(command: Command, *, text: bool = False, **options: Any) -> subprocess.Popen[Any]:
    """Start a child in its own process group; call `end` afterwards."""
    if preloaded.suits(command, options):
        return preloaded.PreloadedProcess(command, text=text, **options)
    return subprocess.Popen(command, text=text, start_new_session=True, **options)


def end(child: subprocess.Popen[Any]) -> None:
    """Kill a child and its group, and close its pipes."""
    if os.name == "posix":
        # macOS does not let a group be killed whose members have all ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def of(pid: int) -> list[int]:
    """List the processes that a process has started; empty if it has ended."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    with contextlib.suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def lives(pid: int) -> bool:
    """Return whether a process runs, or is stopped."""
    return _state(pid) not in ("Z", None)


def is_stopped(pid: int) -> bool:
    """Return whether a signal has stopped a process, with all of its threads."""
    threads = [*Path(f"/proc/{pid}/task").glob("*")]
    return bool(threads) and all(_state(int(thread.name)) == "T" for thread in threads)


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


@overload
def started(
    command: Command, *, text: Literal[True], **options: Any
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]: ...
@overload
def started(
    command: Command, *, text: Literal[False] = ..., **options: Any
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]: ...
@contextlib.contextmanager
def started(command: Command, **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a child, and end it with the block."""
    child = start(command, **options)
    try:
        yield child
    finally:
        end(child)


@overload
def run(
    command: Command, *, text: Literal[True], **options: Any
) -> subprocess.CompletedProcess[str]: ...
@overload
def run(
    command: Command, *, text: Literal[False] = ..., **options: Any
) -> subprocess.CompletedProcess[bytes]: ...
def run(
    command: Command,
    *,
    text: bool = False,
    input: bytes | str | None = None,
    timeout: float = LIMIT,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a child to its end, as `subprocess.run` does with captured output.

    Raises:
        subprocess.TimeoutExpired: it has not ended after `timeout` seconds, and was killed.
        subprocess.CalledProcessError: `check`, and its status is not 0.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    if input is not None:
        options["stdin"] = subprocess.PIPE
    child = start(command, text=text, **options)  # type: ignore[call-overload]
    try:
        out, error = child.communicate(input, timeout=timeout)
    finally:
        end(child)
    if check and child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command, out, error)
    return subprocess.CompletedProcess(command, child.returncode, out, error)
