"""Pipelines of a server with several processes: each runs in one of them.

Each pipeline has a process that takes it immediately. If that one is gone for a while, any other
process takes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from server.pipelines.leases import Leases
from server.pipelines.peers import Message, Peers

__all__ = ["SharedPipelines"]

_LOGGER = logging.getLogger("forstcore")

_INTERVAL = 0.5  # Seconds between two checks for pipelines that no process runs.
_PATIENCE = 2.0  # Seconds for a dead process to be replaced before another one takes its pipelines.


class SharedPipelines:
    """Decide which pipelines this process runs, and ask the other processes about theirs.

    Args:
        directory: shared by the processes.
        worker: the number of this process, counted from 1.
        processes: the number of processes.
        names: the pipelines.
        answer: answers a request of another process.
    """

    def __init__(
        self,
        directory: Path,
        worker: int,
        processes: int,
        names: Sequence[str],
        answer: Callable[[Message], Awaitable[Message]],
    ) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self._leases = Leases(directory)
        self._peers = Peers(directory, worker, answer)
        self._left = {
            name: 0.0 if place % processes + 1 == worker else _PATIENCE
            for place, name in enumerate(sorted(names))
        }

    async def start(self) -> None:
        """Start answering other processes."""
        await self._peers.start()

    async def close(self) -> None:
        """Release the pipelines to other processes."""
        await self._peers.close()
        self._leases.release()

    async def take(
        self, on_taken: Callable[[str, str], None], is_leaving: Callable[[], bool]
    ) -> None:
        """Take over pipelines that no process runs, until this one ends.

        Args:
            on_taken: called with the name of a pipeline that this process has taken over, and with
                the last requested action, empty for none.
            is_leaving: whether this process is ending, and takes over nothing more.
        """
        while not is_leaving():
            for name, patience in list(self._left.items()):
                try:
                    if not self._leases.try_take(name, patience):
                        continue
                except OSError as error:
                    _LOGGER.error("pipeline %s cannot be taken: %s", name, error)
                    continue
                del self._left[name]
                on_taken(name, self._leases.wanted(name))
            await asyncio.sleep(_INTERVAL)

    def want(self, name: str, action: str) -> None:
        """Record an action for a pipeline of this process, for one that may take it over."""
        self._leases.want(name, action)

    async def ask(self, request: Message) -> list[Message]:
        """Ask the other processes; return the answers of those that answer in time."""
        return await self._peers.ask(request)
