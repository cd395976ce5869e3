"""A file that whole lines are appended to, whatever happens to it meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks: there one process should have the file.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Appender"]

_NOT_BLOCKING = getattr(os, "O_NONBLOCK", 0)  # Windows has no such thing.


class Appender:
    """Append whole lines to a file, which others may rename, remove or empty meanwhile.

    Each time it is looked whether the file still has its name: if not, there is a new one.
    Several processes may have the same file; a lock keeps what each writes in one piece.
    What could be written of a line is taken back, and a torn line that somebody has left is
    ended, before anything follows it.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be opened.

    Thread-safety: one owner. Calls wait for the disk.
    """

    def __init__(self, path: str, most: int) -> None:
        self._path = path
        self._most = most
        self._file: int | None = self._opened()

    def append(self, lines: Sequence[bytes]) -> tuple[int, str]:
        """Append lines, as far as they fit.

        Args:
            lines: whole lines, each with its LF.

        Returns:
            How many were written, and why it was not all of them.
        """
        try:
            file = self._current()
            with _locked(file):
                written, why = self._write(file, lines)
        except OSError as error:
            written, why = 0, _text(error)
        if why:
            # After an error the descriptor may be of no more use.
            self.close()
        return written, why

    def close(self) -> None:
        """Close the file; `append` opens it again."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        # To be read where that is possible: its last byte says whether a line is torn. A pipe
        # is not waited for.
        mode = os.O_RDWR
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(Path(self._path).stat().st_mode):
                mode = os.O_WRONLY
        flags = os.O_APPEND | os.O_CREAT | _NOT_BLOCKING
        file = os.open(self._path, mode | flags, 0o600)
        if _NOT_BLOCKING:
            os.set_blocking(file, True)
        return file

    def _current(self) -> int:
        """Return the file that has the name now."""
        if self._file is None:
            self._file = self._opened()
            return self._file
        held = os.fstat(self._file)
        with contextlib.suppress(OSError):
            if os.path.samestat(Path(self._path).stat(), held):
                return self._file
        try:
            file = self._opened()
        except OSError:
            if not held.st_nlink:
                raise
            # It has another name, and no new one can be made: better there than nowhere.
            return self._file
        self.close()
        self._file = file
        return file

    def _write(self, file: int, lines: Sequence[bytes]) -> tuple[int, str]:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            _write_all(file, b"".join(lines))
            return len(lines), ""
        size = found.st_size
        is_torn = size > 0 and _last_byte(file) != b"\n"
        room = self._most - size - is_torn
        why = ""
        fitting = []
        for line in lines:
            if len(line) <= room:
                fitting.append(line)
                room -= len(line)
            else:
                why = f"it may have {self._most} bytes (max_errors_size)"
        if not fitting:
            return 0, why
        data = b"\n" * is_torn + b"".join(fitting)
        try:
            _write_all(file, data)
        except _ShortWriteError as error:
            whole = data.rfind(b"\n", 0, error.done) + 1
            with contextlib.suppress(OSError):
                # Without a lock somebody else may have written behind it.
                if os.fstat(file).st_size == size + error.done:
                    os.ftruncate(file, size + whole)
            return max(0, data.count(b"\n", 0, whole) - is_torn), _text(error)
        return len(fitting), why


def _last_byte(file: int) -> bytes:
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1)


class _ShortWriteError(OSError):
    """Not all could be written, but `done` bytes."""

    done = 0


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            written = os.write(file, rest)
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[written:]
    except OSError as error:
        short = _ShortWriteError(error.errno, error.strerror)
        short.done = len(data) - len(rest)
        raise short from None


@contextlib.contextmanager
def _locked(file: int) -> Iterator[None]:
    """Keep other processes that ask for the same from writing."""
    if fcntl is not None:
        # Some network file systems have no locks.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)


def _text(error: OSError) -> str:
    return error.strerror or str(error)
