"""The kernel's state of the socket of a connection."""

from __future__ import annotations

import asyncio
import struct

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["bytes_in_flight"]


def bytes_in_flight(transport: asyncio.Transport | None) -> int:
    """Count the written bytes that the other side has not acknowledged.

    Those in asyncio's buffer and, where the system reports them, in the kernel's. Without the
    latter, a slow reader would look like one that does not read at all: the kernel accepts more
    only when a third of a buffer of several megabytes is free.
    """
    if transport is None:
        return 0
    queued = transport.get_write_buffer_size()
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0 or fcntl is None:
        return queued
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"0000"))
    except OSError:
        return queued
    return queued + int(count)
