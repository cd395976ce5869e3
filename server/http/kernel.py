"""What the kernel knows of a connection and asyncio does not."""

from __future__ import annotations

import asyncio
import struct

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["in_flight"]


def in_flight(transport: asyncio.Transport | None) -> int:
    """Count the bytes that were written, and that the other side has not taken.

    Those that the kernel has not got an acknowledgement for are included, where it tells: it
    takes more only when a third of a buffer of megabytes is free. Without this, a slow reader
    would look like one that does not read.
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
