"""What the workers of a server report after a reload, so that their supervisor logs it once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["RELOADS_VARIABLE", "Message", "ReloadReports", "merge_messages"]

RELOADS_VARIABLE = "FORSTCORE_RELOADS_FD"
"""Environment variable with the file descriptor of the shared memory."""

_SIZE = 1 << 16  # Bytes of the report of a worker. Only those that are used take memory.
_MOST = 2000  # Characters of a message, of which each takes at most 12 bytes as JSON.


class Message(NamedTuple):
    """A message for the log, and its level as in `logging`."""

    level: int
    text: str


class ReloadReports:
    """The last report of each worker, in shared memory.

    Args:
        descriptor: of the shared memory, initially empty.

    Thread-safety: one thread in each process.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, index: int, count: int, messages: Sequence[Message]) -> None:
        """Replace the report of a worker, which this process is.

        Args:
            index: of the worker.
            count: how many reloads it was told to do when it began this one.
            messages: for the log; at most two.
        """
        shortened = [(level, text[:_MOST]) for level, text in messages]
        data = json.dumps([os.getpid(), count, shortened]).encode() + b"\n"
        os.pwrite(self._descriptor, data, index * _SIZE)

    def read(self, index: int, pid: int, count: int) -> list[Message] | None:
        """Return the messages of a worker.

        Args:
            index: of the worker.
            pid: its process; reports of one that it has replaced do not count.
            count: how many reloads it was told to do.

        Returns:
            None if it has not done all of them.
        """
        line, end, _ = os.pread(self._descriptor, _SIZE, index * _SIZE).partition(b"\n")
        if not end:
            return None
        reporter, done, messages = json.loads(line)
        if reporter != pid or done < count:
            return None
        return [Message(level, text) for level, text in messages]


def merge_messages(reports: dict[int, list[Message]]) -> list[Message]:
    """Merge the messages of workers, by process, into those that the supervisor logs.

    A message that not all workers have sent names those that have.
    """
    senders: dict[Message, list[int]] = {}
    for pid, messages in reports.items():
        for message in messages:
            senders.setdefault(message, []).append(pid)
    merged = []
    for message, pids in senders.items():
        text = message.text
        if len(pids) < len(reports):
            named = ", ".join(map(str, pids))
            text = f"{'worker' if len(pids) == 1 else 'workers'} {named}: {text}"
        merged.append(Message(message.level, text))
    return merged
