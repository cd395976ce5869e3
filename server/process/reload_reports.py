"""What the workers of a server report after a reload, so that their supervisor logs it once."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from server.live.feed_registry import worker_number

__all__ = [
    "RELOADS_VARIABLE",
    "Message",
    "ReloadReports",
    "Report",
    "change_reporter",
    "log_messages",
    "merge_messages",
]

_LOGGER = logging.getLogger("forstcore")

RELOADS_VARIABLE = "FORSTCORE_RELOADS_FD"
"""Environment variable with the file descriptor of the shared memory."""

_SIZE = 1 << 16  # Bytes of the report of a worker. Only those that are used take memory.
_MOST = 2000  # Characters of a message, of which each takes at most 12 bytes as JSON.


class Message(NamedTuple):
    """A message for the log, and its level as in `logging`."""

    level: int
    text: str


class Report(NamedTuple):
    """A report of a worker: its process, the number of the reload, and messages for the log."""

    pid: int
    number: int
    messages: list[Message]


class ReloadReports:
    """The last reports of each worker, in shared memory.

    Args:
        descriptor: of the shared memory, initially empty.

    Thread-safety: one thread in each process.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, index: int, number: int, messages: Sequence[Message]) -> None:
        """Replace a report of this process.

        Args:
            index: the place of the report.
            number: the number of the reload, counted by this process.
            messages: for the log; at most two.
        """
        shortened = [(level, text[:_MOST]) for level, text in messages]
        data = json.dumps([os.getpid(), number, shortened]).encode() + b"\n"
        os.pwrite(self._descriptor, data, index * _SIZE)

    def read(self, index: int) -> Report | None:
        """Return the report at a place; None if there is none."""
        line, end, _ = os.pread(self._descriptor, _SIZE, index * _SIZE).partition(b"\n")
        if not end:
            return None
        pid, number, messages = json.loads(line)
        return Report(pid, number, [Message(level, text) for level, text in messages])


def change_reporter(processes: int) -> Callable[[int, Sequence[Message]], object]:
    """Return how this process reports a reload of changed files: to its supervisor, or to the log.

    These reports of workers are stored behind those of reloads by SIGHUP.

    Args:
        processes: number of workers.
    """
    if RELOADS_VARIABLE not in os.environ:
        return lambda _number, messages: log_messages(messages)
    index = processes + worker_number() - 1
    return partial(ReloadReports(int(os.environ[RELOADS_VARIABLE])).write, index)


def merge_messages(reports: Mapping[int, Sequence[Message]], workers: int) -> list[Message]:
    """Merge the messages of workers into those that the supervisor logs.

    A message that not all workers have sent names those that have.

    Args:
        reports: the messages, by process.
        workers: the number of all workers.
    """
    senders: dict[Message, list[int]] = {}
    for pid, messages in reports.items():
        for message in messages:
            senders.setdefault(message, []).append(pid)
    merged = []
    for message, pids in senders.items():
        text = message.text
        if len(pids) < workers:
            named = ", ".join(map(str, pids))
            text = f"{'worker' if len(pids) == 1 else 'workers'} {named}: {text}"
        merged.append(Message(message.level, text))
    return merged


def log_messages(messages: Sequence[Message]) -> None:
    """Write the messages of a reload to the log."""
    for message in messages:
        _LOGGER.log(message.level, "%s", message.text)
