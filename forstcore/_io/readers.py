"""Files and streams of bytes as iterables of chunks."""

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
    """Iterate over what a file or a stream holds; neither is closed.

    Args:
        file: something with a `read` for bytes, sync or async. Of pipes, terminals and
            sockets what there is is read, without keeping the event loop waiting.
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
    """Tell whether reading may wait for somebody: pipes, terminals, sockets."""
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
            # Not a loop, or not a file, that can wait: it is read where nobody has to.
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
