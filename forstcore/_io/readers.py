"""Iterating over files and byte streams in chunks."""

from __future__ import annotations

import asyncio
import inspect
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

__all__ = ["chunks_of"]

_READ_SIZE = 1 << 18


def chunks_of(file: Any) -> Iterable[bytes] | AsyncIterable[bytes]:
    """Iterate over the content of a file or stream, without closing it.

    Args:
        file: an object with a sync or async `read` method that returns bytes. Pipes, terminals
            and sockets are read as data arrives, without blocking the event loop.
    """
    if inspect.iscoroutinefunction(file.read):
        return _read_stream(file)
    if _may_wait(file):
        return _read_pipe(file)
    return iter(lambda: file.read(_READ_SIZE), b"")


async def _read_stream(stream: Any) -> AsyncIterator[bytes]:
    while data := await stream.read(_READ_SIZE):
        yield data


def _may_wait(file: Any) -> bool:
    """Return whether reading may block: for pipes, terminals and sockets."""
    try:
        return not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (AttributeError, OSError):
        return False


async def _read_pipe(file: Any) -> AsyncIterator[bytes]:
    read = getattr(file, "read1", file.read)
    while True:
        try:
            await _readable(file)
        except (NotImplementedError, OSError):
            # This event loop or file does not support waiting: read in a thread.
            data = await asyncio.to_thread(read, _READ_SIZE)
        else:
            data = read(_READ_SIZE)
        if not data:
            return
        yield data


async def _readable(file: Any) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(file, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(file)
