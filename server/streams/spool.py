"""A temporary file for the results of a half-duplex client."""

from __future__ import annotations

import tempfile
from typing import IO

__all__ = ["Spool"]


class Spool:
    """A queue of bytes in an unnamed file, which the system deletes with the process.

    Args:
        directory: where to create the file; the system's default if None.
        limit: maximum size of the file.

    Attributes:
        written: bytes written in total.

    Thread-safety: one call at a time; calls may come from different threads.
    """

    def __init__(self, directory: str | None, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._file: IO[bytes] | None = None
        self._start = 0
        self._end = 0
        self.written = 0

    def __len__(self) -> int:
        return self._end - self._start

    def fits(self, size: int) -> bool:
        """Return whether `size` more bytes are within the limit."""
        return self._end + size <= self._limit

    def put(self, data: bytes) -> None:
        """Add bytes at the end.

        Raises:
            OSError: the file cannot be written, for example on a full disk.
        """
        if self._file is None:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 (closed by close)
                dir=self._directory, buffering=0
            )
        self._file.seek(self._end)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._end += len(data)
        self.written += len(data)

    def get(self, size: int) -> bytes:
        """Remove and return up to `size` bytes; truncate the file when the queue is empty."""
        if self._file is None:
            return b""
        self._file.seek(self._start)
        data = self._file.read(min(size, len(self)))
        self._start += len(data)
        if self._start == self._end:
            self._file.truncate(0)
            self._start = self._end = 0
        return data

    def close(self) -> None:
        """Close and delete the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._start = self._end = 0
