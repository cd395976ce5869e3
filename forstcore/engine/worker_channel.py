"""Messages between a process and its worker processes, and the memory that they share."""

from __future__ import annotations

import mmap
import os
import pickle
import select
import socket
import struct
import threading
from typing import Any

__all__ = ["Channel", "SharedMemory", "new_memory"]

_SIZE = struct.Struct("=Q")
_MIN_MEMORY = 1 << 19  # Bytes; only those that are used take memory.


class Channel:
    """Send and receive objects over a socket, pickled.

    Args:
        connection: a stream socket.

    Thread-safety: `send` may be called from many threads, `receive` from one.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        # `select` fails for descriptors from 1024 on.
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def send(self, message: object) -> None:
        """Send an object.

        Raises:
            OSError: the other process has ended.
        """
        data = pickle.dumps(message)
        with self._lock:
            self._socket.sendall(_SIZE.pack(len(data)) + data)

    def has_message(self, seconds: float | None) -> bool:
        """Wait for a message, or for the end of the other process."""
        return bool(self._poll.poll(None if seconds is None else seconds * 1000))

    def receive(self) -> Any:
        """Wait for an object, and return it.

        Raises:
            EOFError, OSError: the other process has ended.
        """
        (size,) = _SIZE.unpack(self._read(_SIZE.size))
        return pickle.loads(self._read(size))

    def close(self) -> None:
        """Close the socket: the other process receives EOFError."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._socket.recv(min(size - len(data), 1 << 20))
            if not part:
                raise EOFError("the other process has ended")
            data += part
        return bytes(data)


def new_memory(label: str = "forstcore") -> int:
    """Return the descriptor of new memory that processes can share.

    It has no path, so it is freed when the last of them closes it or is killed.

    Args:
        label: what tools show for it.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create(label)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class SharedMemory:
    """Pass bytes from one process to another, one piece at a time.

    The writer makes the memory as large as the piece. It must not write before the other process
    has read the previous piece.

    Args:
        descriptor: as from `new_memory`; closed by `close`.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Store bytes."""
        size = max(len(data), _MIN_MEMORY)
        if size > self._size or size < self._size // 4:
            os.ftruncate(self._descriptor, size)
            self._open(size)
        assert self._map is not None
        self._map[: len(data)] = data

    def read(self, size: int) -> bytes:
        """Return the first bytes that the other process has stored."""
        if size == 0:
            return b""
        if size > self._size:
            self._open(size)
        assert self._map is not None
        return self._map[:size]

    def numbers(self) -> memoryview:
        """Return the first numbers in the memory, of 64 bits each, to read and change."""
        self._open(_MIN_MEMORY)
        assert self._map is not None
        return memoryview(self._map).cast("q")[:2]

    def close(self) -> None:
        """Free the memory in this process."""
        if self._map is not None:
            self._map.close()
            self._map = None
        os.close(self._descriptor)

    def _open(self, size: int) -> None:
        if self._map is not None:
            self._map.close()
        self._map = mmap.mmap(self._descriptor, size)
        self._size = size
