"""One growing file, read line by line."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from contextlib import suppress
from io import FileIO

from forstcore.sources._file_offset import (
    BEFORE_SIZE,
    HEAD_SIZE,
    START_SIZE,
    FileId,
    FilePosition,
    fingerprint,
    start_mark,
)

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["CompressedError", "FollowedFile", "NotRegularFileError", "can_open"]

_READ_SIZE = 1 << 18  # Bytes per read, unless lines are longer.
_MAX_HOLE_READS = 256  # Reads of one hole in one check.
_MTIME_GRANULARITY = 2.0  # Seconds within which a file may change but keep its mtime.
_NON_BLOCKING: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_BOM = b"\xef\xbb\xbf"
# First bytes of gzip, zstd, xz, bzip2, lz4 and compress; no JSON starts with these.
_COMPRESSED_MAGIC = (
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ\0",
    b"BZh",
    b"\x04\x22\x4d\x18",
    b"\x1f\x9d",
)
_DESCRIPTOR_SHARE = 4  # One in this many of the process's file descriptors may be a followed file.
_DEFAULT_DESCRIPTORS = 1024  # Assumed limit of file descriptors where there is no other.
_HOLE = re.compile(rb"^\0+|\0{2,}", re.MULTILINE)

_lock = threading.Lock()
_open_files = 0


class CompressedError(Exception):
    """The file is compressed, most likely after it was read and rotated."""


class NotRegularFileError(OSError):
    """The path is not that of a regular file, but of a pipe or a device, for instance."""


class FollowedFile:
    """A file, and how far it has been read.

    Args:
        path: its path.
        max_line_size: maximum bytes of a line; of a longer one, just enough is kept to detect it.

    Attributes:
        path: where it was last seen.
        base: the path at which it is written, before it is rotated.
        file_id: which file it is.
        size: its size at the last check.
        modified_at: its modification time at the last check, in nanoseconds.
        position: start of the next line.
        has_gap: whether unread content was skipped; reset by the user.
        is_rotated: whether `base` no longer leads to it.
        is_listed: whether it has a name that matches the pattern.
        is_broken: whether it could not be read at the last check.
        is_complete: whether nothing more will be written, so that the rest counts as a line.
        active_at: when it last had its name, or grew.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, max_line_size: int) -> None:
        self.path = self.base = path
        self.position = 0
        self.has_gap = False
        self.is_rotated = False
        self.is_listed = True
        self.is_broken = False
        self.is_complete = False
        self.active_at = time.monotonic()
        self._file, status = _open(path)
        _count(1)
        self.file_id = FileId.of(status)
        self.modified_at = status.st_mtime_ns
        self.size = status.st_size
        self._limit = max_line_size
        self._read_size = max(_READ_SIZE, max_line_size + 2)
        self._head = b""  # The first bytes of what was read.
        self._before = b""  # The last bytes of what was read.
        self._returns_to = (0, b"", b"")  # Position, head and before, prior to the last read.
        self._skipped = 0  # Bytes read of a line that is too long.
        self._long_line = b""  # The part of that line that is kept.
        self._hole = 0  # End of the zeros at the position, as far as it is known.
        self._examined = 0  # End of the range that contains no whole line.
        self._idle: tuple[int, int, int] | None = (
            None  # Size and times at which nothing was left to read.
        )
        self._entry = ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        _count(-1)

    def reopen(self) -> None:
        """Open the file again, if its path still leads to it.

        Raises:
            OSError: it cannot be opened.
        """
        file, status = _open(self.path)
        if FileId.of(status) != self.file_id:
            file.close()
            return
        self._file.close()
        self._file = file
        self.size = status.st_size
        self._idle = None

    def set_rotated(self, base: str) -> None:
        """Note that the file was written at `base`, and was renamed since."""
        self.base = base
        self.is_rotated = True

    def file_position(self) -> FilePosition:
        """Return the current position, with its fingerprint."""
        if self.position:
            mark = fingerprint(self._head, self._before)
        else:
            start = b""
            with suppress(OSError):
                start = self._read_at(0, START_SIZE)
            mark = start_mark(start, self.modified_at)
        return FilePosition(*self.file_id, self.position, mark)

    def entry(self) -> str:
        """Return the current position as an entry of an offset."""
        if not self._entry:
            self._entry = str(self.file_position())
        return self._entry

    def has_start(self) -> bool:
        """Return whether the entry identifies the file by its content: it is not empty."""
        if not self.position and self.unread():
            self._entry = ""  # That of the empty file.
        return self.position > 0 or self.unread() > 0

    def is_deleted(self) -> bool:
        """Return whether the file has no name any more."""
        try:
            return os.fstat(self._file.fileno()).st_nlink == 0
        except OSError:
            return True

    def written_at(self) -> int:
        """Return when the file was last modified, in nanoseconds."""
        try:
            return os.fstat(self._file.fileno()).st_mtime_ns
        except OSError:
            return self.modified_at

    def is_read(self) -> bool:
        """Return whether the whole file has been read, including an unfinished line."""
        try:
            return os.fstat(self._file.fileno()).st_size <= self.position
        except OSError:
            return False

    def unread(self) -> int:
        """Return how many bytes were not read, those of an unfinished line included."""
        try:
            return max(0, os.fstat(self._file.fileno()).st_size - self.position)
        except (OSError, ValueError):
            # Another thread may have closed it.
            return 0

    def has_grown(self) -> bool:
        """Return whether the file was written to since the last check."""
        try:
            return os.fstat(self._file.fileno()).st_size > self.size
        except (OSError, ValueError):
            # It may have been closed as there is nothing to read in it.
            return False

    def is_at_end(self) -> bool:
        """Return whether there was no further whole line at the last check."""
        return self.size <= max(self.position, self._examined)

    def go_to_start(self) -> None:
        """Go to the start of the file."""
        self._go_to(0)

    def go_to_end(self, limit: int | None = None) -> None:
        """Go to the end of the last whole line, within `limit` bytes if given."""
        end = self.size if limit is None else min(limit, self.size)
        lowest = max(0, end - self._read_size)
        found = self._read_at(lowest, end - lowest).rfind(b"\n")
        if found >= 0 or lowest == 0:
            self._go_to(lowest + found + 1 if found >= 0 else 0)
            return
        # The end is within a line that is too long.
        start = end - self._limit - 1
        self._go_to(start)
        self._long_line = self._read_at(start, self._limit + 1)
        self._skipped = len(self._long_line)

    def go_to(self, target: FilePosition) -> bool:
        """Go to a position; return whether the file still has the same content before it."""
        position = target.position
        if position > self.size or not target.matches_start(self._read_at(0, START_SIZE)):
            return False
        if position and target.fingerprint:
            head = self._read_at(0, min(position, HEAD_SIZE))
            before = self._read_at(max(0, position - BEFORE_SIZE), min(position, BEFORE_SIZE))
            if fingerprint(head, before) != target.fingerprint:
                return False
        elif position and self._read_at(position - 1, 1) != b"\n" and position != self.size:
            # The last line of a file that does not grow may lack its LF.
            return False
        self._go_to(position)
        return True

    def is_copy_of(self, other: FollowedFile) -> bool:
        """Return whether this file equals the start of another, by its first and last bytes."""
        if self.size > os.fstat(other._file.fileno()).st_size:
            return False
        edges = (
            (0, min(self.size, HEAD_SIZE)),
            (max(0, self.size - BEFORE_SIZE), min(self.size, BEFORE_SIZE)),
        )
        return all(self._read_at(*edge) == other._read_at(*edge) for edge in edges)

    def continue_from(self, other: FollowedFile) -> bool:
        """Go to the position of another file, if this is a copy of what that contained before.

        Files whose writer keeps them open are rotated by copying and truncating them.
        """
        size = min(self.size, other.position)
        head = other._head[:size]
        if not head or self._read_at(0, len(head)) != head:
            return False
        if size == other.position:
            before = self._read_at(size - len(other._before), len(other._before))
            if before != other._before:
                return False
        self._go_to(size)
        return True

    def is_intact(self) -> bool:
        """Return whether the file still contains what was read."""
        if os.fstat(self._file.fileno()).st_size < self.position:
            return False
        before = self._read_at(self.position - len(self._before), len(self._before))
        return before == self._before and self._read_at(0, len(self._head)) == self._head

    def read(self, *, is_whole: bool) -> bytes | None:
        """Return the next lines, each with its LF; empty if there are none yet.

        Args:
            is_whole: whether a last line without LF counts as a line.

        Returns:
            None if the file no longer contains what was read: it was truncated, and may have been
            rewritten.

        Raises:
            OSError: the file cannot be read.
            CompressedError: the file is compressed.
        """
        status = os.fstat(self._file.fileno())
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if status.st_size < self.size:
            # Unread lines are lost; an unfinished line does not count.
            self.has_gap = self.has_gap or not self.is_at_end()
            self._forget_rest()
        self.size = status.st_size
        if state == self._idle and not is_whole:
            return b""
        self._idle = None
        if not self.is_intact():
            return None
        self._returns_to = (self.position, self._head, self._before)
        if self.modified_at != status.st_mtime_ns:
            self.modified_at = status.st_mtime_ns
            self._entry = ""
        lines = self._next(is_whole)
        if (
            not lines
            and self.is_at_end()
            and abs(time.time() - status.st_mtime) > _MTIME_GRANULARITY
        ):
            self._idle = state
        return lines

    def undo_read(self) -> None:
        """Go back to where the last read began, so that the next one returns its lines again."""
        self.position, self._head, self._before = self._returns_to
        self._moved()

    def _next(self, is_whole: bool) -> bytes | None:
        while True:
            # The same read covers the bytes before the position, so that the file cannot be
            # rewritten between the check and the read.
            kept = len(self._before)
            size = kept if self._skipped else kept + self._read_size
            window = self._read_at(self.position - kept, size)
            if window[:kept] != self._before:
                return None
            if self._skipped:
                return self._skip_long_line(is_whole)
            start = kept
            if not self.position:
                if window.startswith(_COMPRESSED_MAGIC):
                    raise CompressedError
                start = len(_BOM) if window.startswith(_BOM) else 0
            end = window.rfind(b"\n", start) + 1
            if end:
                return self._advance(window, start, end)
            zeros = window.find(b"\0\0" if window[start : start + 1] != b"\0" else b"\0", start)
            if zeros >= 0:
                found = self._end_of_hole(self.position - kept + zeros)
                if found is not None:
                    self.has_gap = True
                    line = window[start:zeros]
                    self._go_to(found)
                    if line:
                        return line + b"\n"
                    continue
                if not is_whole or self._examined < self.size:
                    return b""
                window = window[:zeros]
            elif len(window) - start > self._limit:
                self._long_line = window[start : start + self._limit + 1]
                self._skipped = len(window) - kept
                continue
            self._examined = self.size
            if not is_whole:
                return b""
            line = window[start:]
            self._go_to(max(self.size, self.position - kept + len(window)))
            return line + b"\n" if line else b""

    def _skip_long_line(self, is_whole: bool) -> bytes:
        """Search for the end of a line that is too long."""
        end = 0
        while not end and (data := self._read_at(self.position + self._skipped, self._read_size)):
            end = data.find(b"\n") + 1
            self._skipped += end or len(data)
        if not end and not is_whole:
            self._examined = self.size
            return b""
        line = self._long_line + b"\n"
        self._go_to(self.position + self._skipped)
        return line

    def _end_of_hole(self, start: int) -> int | None:
        """Return where zeros end; None if they do not, or if that is not known yet.

        Zeros at the end of a file are no hole: a writer may have reserved the space.
        """
        at = max(self._hole, start)
        for _ in range(_MAX_HOLE_READS):
            at = self._next_data(at)
            data = self._read_at(at, self._read_size)
            if rest := data.lstrip(b"\0"):
                return at + len(data) - len(rest)
            at += len(data)
            self._hole = at
            if not data:
                self._examined = self.size
                break
        return None

    def _next_data(self, position: int) -> int:
        """Return the end of a sparse range at `position`, which reads as zeros."""
        if not hasattr(os, "SEEK_DATA"):
            return position
        try:
            return os.lseek(self._file.fileno(), position, os.SEEK_DATA)
        except OSError as error:
            # ENXIO: there is no more data. Other errors: the file system cannot tell.
            return max(position, self.size) if error.errno == errno.ENXIO else position

    def _advance(self, window: bytes, start: int, end: int) -> bytes:
        """Move past some lines, and return them without the zeros of holes."""
        kept = len(self._before)
        self.position += end - kept
        self._before = window[max(0, end - BEFORE_SIZE) : end]
        self._moved()
        lines = window[start:end]
        if b"\0" in lines and (without := _HOLE.sub(_lf_within_line, lines)) != lines:
            self.has_gap = True
            return without
        return lines

    def _go_to(self, position: int) -> None:
        self.position = position
        start = max(0, position - BEFORE_SIZE)
        self._head = b""
        self._before = self._read_at(start, position - start)
        self._moved()

    def _moved(self) -> None:
        self._forget_rest()
        self._idle = None
        self._entry = ""
        if len(self._head) < min(self.position, HEAD_SIZE):
            self._head = self._read_at(0, min(self.position, HEAD_SIZE))

    def _forget_rest(self) -> None:
        self._skipped = self._hole = self._examined = 0

    def _read_at(self, position: int, size: int) -> bytes:
        self._file.seek(position)
        return self._file.read(size)


def can_open() -> bool:
    """Return whether the process has file descriptors left for one more followed file."""
    limit = _DEFAULT_DESCRIPTORS
    if resource is not None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit < 0 or _open_files < limit // _DESCRIPTOR_SHARE


def _count(more: int) -> None:
    global _open_files
    with _lock:
        _open_files += more


def _open(path: str) -> tuple[FileIO, os.stat_result]:
    # A pipe may have replaced the file: opening it must not block until there is a writer.
    file = FileIO(path, opener=lambda name, flags: os.open(name, flags | _NON_BLOCKING))
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise NotRegularFileError(errno.EINVAL, "is not a regular file", path)
    return file, status


def _lf_within_line(zeros: re.Match[bytes]) -> bytes:
    start = zeros.start()
    return b"" if not start or zeros.string[start - 1] == 10 else b"\n"
