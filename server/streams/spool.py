"""A bounded file for the results of a client that does not read before it has sent all."""

from __future__ import annotations

import tempfile
from typing import IO

__all__ = ["Spool"]


class Spool:
    """A queue of bytes in a file that has no name, so that it vanishes with the process.

    Args:
        directory: where to put the file; the system's place if None.
        limit: most bytes in the queue.

    Attributes:
        written: bytes ever put in.

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
        """Tell whether `size` more bytes are within the limit."""
        return self._end + size <= self._limit

    def put(self, data: bytes) -> None:
        """Add bytes at the end.

        Raises:
            OSError: the file cannot be written, as on a full disk.
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
        """Take up to `size` bytes from the start; the file is emptied with the last."""
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
        """Free the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._start = self._end = 0
