"""Append whole lines to a file that may be rotated or truncated at any time."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no flock: only one process should write the file.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Appender"]

_NOT_BLOCKING = getattr(os, "O_NONBLOCK", 0)  # Windows does not have it.


class Appender:
    """Append whole lines to a file, which others may rename, remove or truncate.

    Each write checks that the path still names the open file, and otherwise opens a new one.
    Several processes may share the file; a lock keeps their writes apart. A partially written
    line is removed, and an incomplete last line from elsewhere is ended with LF before the next
    write.

    Args:
        path: the path of the file.
        most: maximum size of the file in bytes.

    Raises:
        OSError: the file cannot be opened.

    Thread-safety: one owner. Calls block on the disk.
    """

    def __init__(self, path: str, most: int) -> None:
        self._path = path
        self._most = most
        self._file: int | None = self._opened()

    def append(self, lines: Sequence[bytes]) -> tuple[int, str]:
        """Append the lines that fit.

        Args:
            lines: whole lines, each with its LF.

        Returns:
            How many lines were written, and the reason if not all of them.
        """
        try:
            file = self._current()
            with _locked(file):
                written, why = self._write(file, lines)
        except OSError as error:
            written, why = 0, _text(error)
        if why:
            # After an error the descriptor may be unusable.
            self.close()
        return written, why

    def close(self) -> None:
        """Close the file; `append` opens it again."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        # Regular files are opened for reading too, since the last byte shows whether the last line
        # is complete. Opening a pipe must not block.
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
        """Return a descriptor of the file that the path names now."""
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
            # The file was renamed and no new one can be created: keep writing to the old one.
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
                why = f"the file has reached its maximum of {self._most} bytes (max_errors_size)"
        if not fitting:
            return 0, why
        data = b"\n" * is_torn + b"".join(fitting)
        try:
            _write_all(file, data)
        except _ShortWriteError as error:
            whole = data.rfind(b"\n", 0, error.done) + 1
            with contextlib.suppress(OSError):
                # Without a lock another process may have appended meanwhile.
                if os.fstat(file).st_size == size + error.done:
                    os.ftruncate(file, size + whole)
            return max(0, data.count(b"\n", 0, whole) - is_torn), _text(error)
        return len(fitting), why


def _last_byte(file: int) -> bytes:
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1)


class _ShortWriteError(OSError):
    """Only `done` bytes were written."""

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
    """Hold the advisory lock of the file."""
    if fcntl is not None:
        # Some network file systems do not support locks.
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
