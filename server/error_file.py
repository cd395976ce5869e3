"""The file that rejected lines are appended to."""

from __future__ import annotations

import logging
import os
import time

from forstcore import RejectedLines
from forstcore._rejects import rejected_in, write_reject
from server.config import ServerConfig

__all__ = ["ErrorFile"]

_LOGGER = logging.getLogger("forstcore")


class ErrorFile:
    """The file that rejected lines are appended to, for `forstcore replay`.

    Several processes may have the same: what each writes stays in one piece.

    Args:
        config: its path, and how large it may become.

    Raises:
        ValueError: it cannot be opened.
    """

    def __init__(self, config: ServerConfig) -> None:
        assert config.errors is not None
        self._path = config.errors
        self._most = config.max_errors_size
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ValueError(f"errors: cannot write {self._path}: {error.strerror}") from None
        self._has_room = True

    def write(self, rejected: RejectedLines, path: str, client: str) -> None:
        """Append lines, if they fit; a file that is full, or fails, is told of once.

        Args:
            rejected: the lines.
            path: of the endpoint that rejected them.
            client: who sent them.
        """
        if not self._has_room:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = b"".join(
            write_reject(rejected_in(path, found.line, found), time=now, client=client)
            for found in rejected
        )
        try:
            if os.fstat(self._file).st_size + len(lines) <= self._most:
                os.write(self._file, lines)
                return
            why = f"it has {self._most} bytes (max_errors_size)"
        except OSError as error:
            why = str(error.strerror)
        self._has_room = False
        _LOGGER.error("rejected lines are not written to %s any more: %s", self._path, why)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
