"""One file that grows, read line by line."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from contextlib import suppress
from io import FileIO

from forstcore.sources._place import (
    BEFORE,
    HEAD,
    START_SIZE,
    FileId,
    Place,
    fingerprint,
    start_mark,
)

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["CompressedError", "NoFileError", "Tail", "may_open"]

_PIECE = 1 << 18  # Bytes that are read at once, if lines are not longer.
_MOST_PIECES = 256  # Pieces of a hole that are read in one look.
_RECENT = 2.0  # Seconds in which a file may change without another time of modification.
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_BOM = b"\xef\xbb\xbf"
# gzip, zstd, xz, bzip2, lz4, compress: no JSON starts so.
_COMPRESSED = (
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ\0",
    b"BZh",
    b"\x04\x22\x4d\x18",
    b"\x1f\x9d",
)
_SHARE = 4  # One of so many descriptors of the process may be a followed file.
_OTHER_FILES = 1024  # Descriptors where the system does not tell how many there may be.
_HOLE = re.compile(rb"^\0+|\0{2,}", re.MULTILINE)

_lock = threading.Lock()
_open_files = 0


class CompressedError(Exception):
    """The file is compressed: what was read before it was rotated, most likely."""


class NoFileError(OSError):
    """The name leads to something that has no end, such as a pipe or a device."""


class Tail:
    """A file, and how far it has been read.

    Args:
        path: where it is.
        max_line_size: bytes of the longest line; of a longer one just enough is kept to tell.

    Attributes:
        path: where it was last seen.
        base: where it is written to, before it is rotated.
        file_id: which file it is.
        size: bytes that it had at the last look.
        modified_at: when it was last changed before that, in nanoseconds of its file system.
        position: start of the next line.
        has_gap: whether something was passed over unread, until set to False.
        is_rotated: whether `base` does not lead to it any more.
        is_listed: whether it has a name that fits the pattern.
        is_broken: whether it could not be read at the last look.
        is_over: whether nothing more will be written, so that the rest is a line.
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
        self.is_over = False
        self.active_at = time.monotonic()
        self._file, status = _open(path)
        _count(1)
        self.file_id = FileId.of(status)
        self.modified_at = status.st_mtime_ns
        self.size = status.st_size
        self._limit = max_line_size
        self._piece = max(_PIECE, max_line_size + 2)
        self._head = b""  # The first bytes of what was read,
        self._before = b""  # and the last.
        self._passed = 0  # Bytes of a line that is too long,
        self._start = b""  # and what of it is kept.
        self._hole = 0  # End of the zeros that are known to stand at the position.
        self._examined = 0  # End of what holds no whole line.
        self._idle: tuple[int, int, int] | None = None  # Size and times where nothing was left.
        self._entry = ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        _count(-1)

    def reopen(self) -> None:
        """Open the file again by its path, if that still leads to it.

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

    def place(self) -> Place:
        """Return where this is."""
        if self.position:
            mark = fingerprint(self._head, self._before)
        else:
            start = b""
            with suppress(OSError):
                start = self._read_at(0, START_SIZE)
            mark = start_mark(start, self.modified_at)
        return Place(*self.file_id, self.position, mark)

    def entry(self) -> str:
        """Return where this is as an entry of an offset."""
        if not self._entry:
            self._entry = str(self.place())
        return self._entry

    def is_deleted(self) -> bool:
        """Tell whether the file has no name anywhere."""
        try:
            return os.fstat(self._file.fileno()).st_nlink == 0
        except OSError:
            return True

    def is_read(self) -> bool:
        """Tell whether the file holds nothing that has not been read, not even part of a line."""
        try:
            return os.fstat(self._file.fileno()).st_size <= self.position
        except OSError:
            return False

    def is_at_end(self) -> bool:
        """Tell whether there was no whole line more at the last look."""
        return self.size <= max(self.position, self._examined)

    def go_to_start(self) -> None:
        """Read the file anew."""
        self._go_to(0)

    def go_to_end(self, limit: int | None = None) -> None:
        """Go behind the last whole line, at most up to a position."""
        end = self.size if limit is None else min(limit, self.size)
        lowest = max(0, end - self._piece)
        found = self._read_at(lowest, end - lowest).rfind(b"\n")
        if found >= 0 or lowest == 0:
            self._go_to(lowest + found + 1 if found >= 0 else 0)
            return
        # Within a line that is too long.
        start = end - self._limit - 1
        self._go_to(start)
        self._start = self._read_at(start, self._limit + 1)
        self._passed = len(self._start)

    def go_to(self, place: Place) -> bool:
        """Go to a place; tell whether the file still holds what stood before it."""
        position = place.position
        if position > self.size or not place.fits_start(self._read_at(0, START_SIZE)):
            return False
        if position and place.fingerprint:
            head = self._read_at(0, min(position, HEAD))
            before = self._read_at(max(0, position - BEFORE), min(position, BEFORE))
            if fingerprint(head, before) != place.fingerprint:
                return False
        elif position and self._read_at(position - 1, 1) != b"\n" and position != self.size:
            # At the end of a file that will not grow, a line may lack its LF.
            return False
        self._go_to(position)
        return True

    def is_copy_of(self, other: Tail) -> bool:
        """Tell whether all of this file stands at the start of another."""
        if self.size > os.fstat(other._file.fileno()).st_size:
            return False
        edges = ((0, min(self.size, HEAD)), (max(0, self.size - BEFORE), min(self.size, BEFORE)))
        return all(self._read_at(*edge) == other._read_at(*edge) for edge in edges)

    def go_on_for(self, other: Tail) -> bool:
        """Go where another has read to, if this is a copy of what that was before.

        That is how files are rotated whose writer keeps them open.
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
        """Tell whether the file still holds what was read."""
        if os.fstat(self._file.fileno()).st_size < self.position:
            return False
        before = self._read_at(self.position - len(self._before), len(self._before))
        return before == self._before and self._read_at(0, len(self._head)) == self._head

    def read(self, *, is_whole: bool) -> bytes | None:
        """Return the next lines, each with its LF; nothing where there are none yet.

        Args:
            is_whole: whether a last line without LF is one.

        Returns:
            None where the file does not hold what was read any more: it was truncated, and
            may have been written anew.

        Raises:
            OSError: it cannot be read.
            CompressedError: there is no NDJSON in it.
        """
        status = os.fstat(self._file.fileno())
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if status.st_size < self.size:
            # What had not been read, but for an unfinished line, is lost.
            self.has_gap = self.has_gap or not self.is_at_end()
            self._forget_rest()
        self.size = status.st_size
        if state == self._idle and not is_whole:
            return b""
        self._idle = None
        if not self.is_intact():
            return None
        if self.modified_at != status.st_mtime_ns:
            self.modified_at = status.st_mtime_ns
            self._entry = ""
        lines = self._next(is_whole)
        if not lines and self.is_at_end() and abs(time.time() - status.st_mtime) > _RECENT:
            self._idle = state
        return lines

    def _next(self, is_whole: bool) -> bytes | None:
        while True:
            # What stands before the position is read again in the same call, so that nothing
            # can be written anew between a check and the reading.
            kept = len(self._before)
            size = kept if self._passed else kept + self._piece
            window = self._read_at(self.position - kept, size)
            if window[:kept] != self._before:
                return None
            if self._passed:
                return self._pass_on(is_whole)
            start = kept
            if not self.position:
                if window.startswith(_COMPRESSED):
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
                self._start = window[start : start + self._limit + 1]
                self._passed = len(window) - kept
                continue
            self._examined = self.size
            if not is_whole:
                return b""
            line = window[start:]
            self._go_to(max(self.size, self.position - kept + len(window)))
            return line + b"\n" if line else b""

    def _pass_on(self, is_whole: bool) -> bytes:
        """Look for the end of a line that is too long."""
        end = 0
        while not end and (data := self._read_at(self.position + self._passed, self._piece)):
            end = data.find(b"\n") + 1
            self._passed += end or len(data)
        if not end and not is_whole:
            self._examined = self.size
            return b""
        line = self._start + b"\n"
        self._go_to(self.position + self._passed)
        return line

    def _end_of_hole(self, start: int) -> int | None:
        """Return where zeros end; None if they do not, or if that is not known yet.

        Zeros at the end of a file are no hole: a writer may have reserved the room.
        """
        at = max(self._hole, start)
        for _ in range(_MOST_PIECES):
            at = self._next_data(at)
            data = self._read_at(at, self._piece)
            if rest := data.lstrip(b"\0"):
                return at + len(data) - len(rest)
            at += len(data)
            self._hole = at
            if not data:
                self._examined = self.size
                break
        return None

    def _next_data(self, position: int) -> int:
        """Skip what is stored nowhere, which reads as zeros."""
        if not hasattr(os, "SEEK_DATA"):
            return position
        try:
            return os.lseek(self._file.fileno(), position, os.SEEK_DATA)
        except OSError as error:
            # ENXIO: there is nothing more. Some file systems do not know where holes are.
            return max(position, self.size) if error.errno == errno.ENXIO else position

    def _advance(self, window: bytes, start: int, end: int) -> bytes:
        """Move behind lines, and return them without what is no part of them."""
        kept = len(self._before)
        self.position += end - kept
        self._before = window[max(0, end - BEFORE) : end]
        self._moved()
        lines = window[start:end]
        if b"\0" in lines and (without := _HOLE.sub(_lf_within_line, lines)) != lines:
            self.has_gap = True
            return without
        return lines

    def _go_to(self, position: int) -> None:
        self.position = position
        start = max(0, position - BEFORE)
        self._head = b""
        self._before = self._read_at(start, position - start)
        self._moved()

    def _moved(self) -> None:
        self._forget_rest()
        self._idle = None
        self._entry = ""
        if len(self._head) < min(self.position, HEAD):
            self._head = self._read_at(0, min(self.position, HEAD))

    def _forget_rest(self) -> None:
        self._passed = self._hole = self._examined = 0

    def _read_at(self, position: int, size: int) -> bytes:
        self._file.seek(position)
        return self._file.read(size)


def may_open() -> bool:
    """Tell whether the process has descriptors left for one more file that is followed."""
    limit = _OTHER_FILES
    if resource is not None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit < 0 or _open_files < limit // _SHARE


def _count(more: int) -> None:
    global _open_files
    with _lock:
        _open_files += more


def _open(path: str) -> tuple[FileIO, os.stat_result]:
    # A pipe may have come in the place of the file: opening it must not wait for a writer.
    file = FileIO(path, opener=lambda name, flags: os.open(name, flags | _NO_WAIT))
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise NoFileError(errno.EINVAL, "is no regular file", path)
    return file, status


def _lf_within_line(zeros: re.Match[bytes]) -> bytes:
    start = zeros.start()
    return b"" if not start or zeros.string[start - 1] == 10 else b"\n"
