"""Requests between the processes of a server, for state that only one of them has."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Message", "Peers"]

_LOGGER = logging.getLogger("forstcore")

_TIMEOUT = 2.0  # Seconds for another process to answer.
_MAX_MESSAGE = 16 << 20  # Bytes.
_MAX_PATH = 80  # Bytes of a directory; the system allows little more than 100 for a socket.

Message: TypeAlias = dict[str, Any]


class Peers:
    """Send requests to the other processes, and answer theirs, over Unix sockets.

    Args:
        directory: contains the sockets of all processes; only their user may access it.
        worker: the number of this process.
        answer: answers a request of another process.
    """

    def __init__(
        self, directory: Path, worker: int, answer: Callable[[Message], Awaitable[Message]]
    ) -> None:
        self._directory = _short(directory)
        self._path = self._directory / f"{worker}.sock"
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Start answering; if that is impossible, others do not see this process."""
        # The socket of a process that was killed.
        self._path.unlink(missing_ok=True)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, self._path, limit=_MAX_MESSAGE
            )
        except OSError as error:
            _LOGGER.error("processes cannot ask each other for their pipelines: %s", error)

    async def close(self) -> None:
        """Answer nothing more."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def ask(self, request: Message) -> list[Message]:
        """Ask all other processes; return the answers of those that answer in time."""
        others = [path for path in self._directory.glob("*.sock") if path != self._path]
        answers = await asyncio.gather(*(_ask(path, request) for path in others))
        return [answer for answer in answers if answer is not None]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT):
                request = json.loads(await reader.readline())
                writer.write(json.dumps(await self._answer(request)).encode() + b"\n")
                await writer.drain()
        writer.close()


def _short(directory: Path) -> Path:
    """Return a path to a directory that is short enough for the sockets in it."""
    if len(os.fsencode(directory)) <= _MAX_PATH or not Path("/proc/self/fd").exists():
        return directory
    # Open until the process ends.
    return Path("/proc/self/fd", str(os.open(directory, os.O_RDONLY | os.O_DIRECTORY)))


async def _ask(path: Path, request: Message) -> Message | None:
    """Ask one process; return None if it is gone, or does not answer in time."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_MESSAGE)
            writer.write(json.dumps(request).encode() + b"\n")
            answer: Message = json.loads(await reader.readline())
            return answer
    except (OSError, ValueError, TimeoutError):
        return None
    finally:
        if writer is not None:
            writer.close()
