"""Growing files, followed through rotation and truncation: `file:/var/log/app/*.ndjson`.

An offset identifies each file, and has its position and a fingerprint of what was read (see
`forstcore.sources._file_offset`). Clients may forge an offset, but it cannot select a file that
does not match the pattern and did not match it before a rotation. With `follow=no` the source ends
where the files end. CSV, and files whose names end in ``.gz`` or ``.zst``, can only be read in this
way, see `forstcore.sources._whole_files`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from urllib.parse import unquote_to_bytes

from forstcore._io.compressed import is_compressed
from forstcore.errors import OffsetError, SourceError
from forstcore.formats import FORMATS, Format, UnknownFormatError, format_of
from forstcore.sources import NOW, START, Batch, Keeps, Lag, SourceLimits
from forstcore.sources._file_offset import format_offset, parse_offset
from forstcore.sources._file_set import MAX_FILES, FileSet
from forstcore.sources._followed_file import CompressedError, FollowedFile
from forstcore.sources._url import SourceUrl
from forstcore.sources._whole_files import WholeFilesReader, is_offset

__all__ = ["FileReader", "FileSource"]

_LOGGER = logging.getLogger("forstcore")

_POLL_INTERVAL = 0.2  # Seconds between two checks of files that do not grow.
_MIN_SCAN_PAUSE = 0.1  # Seconds between two scans for files, at least.
_SCAN_PAUSE_RATIO = 9  # Pauses last this many times as long as a scan.
_MAX_LOGGED_PATHS = 1000  # Paths whose problems are logged, each once.


class FileSource:
    """A file, or all files whose paths match a pattern.

    Args:
        url: as above; the path may contain ``*``, ``?``, ``[…]`` and ``**``.
        limits: the maximum line size.

    Attributes:
        name: its name for clients.
        pattern: the path.
        follows: whether lines that are written later are read, too.
        format: the format of the files.
        is_whole: whether the files are complete, and read one after the other.
        max_line_size: as in the limits.
    """

    is_shared = True
    keeps: Keeps = "offsets"

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        # File names are bytes, which need not be UTF-8.
        self.pattern = os.fsdecode(unquote_to_bytes(os.fsencode(url.raw_path)))
        self.max_line_size = limits.max_line_size
        follow = url.take("follow", "yes")
        if follow not in ("yes", "no"):
            raise SourceError(url.name, f"has follow={follow}, which must be yes or no")
        self.follows = follow == "yes"
        if url.address or not self.pattern:
            raise SourceError(url.name, "names no path: file:/path or file:path")
        if "\0" in self.pattern:
            raise SourceError(
                url.name, "has a path with a zero byte, which file names cannot contain"
            )
        self.format = _format(url, self.pattern)
        self.is_whole = self.format != "ndjson" or is_compressed(self.pattern)
        if self.is_whole and self.follows:
            what = "compressed" if self.format == "ndjson" else self.format.upper()
            raise SourceError(
                url.name,
                f"names {what} files, which are not followed as they grow: add follow=no to read "
                "files that are complete",
            )
        self._logged: set[str] = set()
        self._lock = threading.Lock()

    def check(self, start: str) -> None:
        if start in (NOW, START) or (self.is_whole and is_offset(start)):
            return
        try:
            parse_offset(start, MAX_FILES)
        except ValueError:
            raise OffsetError(self.name, f"has no offset {start!r}") from None

    def open(self, start: str, session: str = "") -> FileReader | WholeFilesReader:
        if self.is_whole:
            return WholeFilesReader(
                self.name, self.pattern, start, self.format, self.max_line_size, self.log_trouble
            )
        return FileReader(self, start)

    async def close(self) -> None:
        """Do nothing: files belong to readers."""

    def log_trouble(self, path: str, trouble: str) -> None:
        """Log what is wrong with a path, once."""
        with self._lock:
            is_new = path not in self._logged and len(self._logged) < _MAX_LOGGED_PATHS
            self._logged.add(path) if is_new else None
        if is_new:
            _LOGGER.warning("source %s: %r %s", self.name, path, trouble)


def _format(url: SourceUrl, pattern: str) -> Format:
    """Return the format of the files, by an option or their suffix; logs have any suffix."""
    given = url.take("format", "")
    found: Format | None = next((each for each in FORMATS if each == given), None)
    if given and found is None:
        raise SourceError(url.name, f"has format={given}, which must be ndjson, csv or tsv")
    if found is None:
        try:
            found = format_of(pattern)
        except UnknownFormatError:
            found = "ndjson"
    if found == "parquet":
        raise SourceError(
            url.name,
            "names Parquet files; NDJSON and CSV are read here: `forstcore process FILE --map r "
            "-o x.ndjson` converts a file",
        )
    return found


class FileReader:
    """Reads the files, in threads, because disks may be slow.

    Args:
        source: the source.
        start: an offset, `START` or `NOW`.
    """

    def __init__(self, source: FileSource, start: str) -> None:
        self._source = source
        self._start = start
        self._offset = ""
        self._is_new = True
        self._is_incomplete = False
        self._files = FileSet(source.pattern, source.max_line_size, source.log_trouble)
        self._turn = 0
        self._scan_at = 0.0
        self._reading: asyncio.Task[Batch | None] | None = None

    async def read(self) -> Batch | None:
        while True:
            self._reading = asyncio.create_task(asyncio.to_thread(self._read_next))
            # A thread cannot be cancelled: `close` waits for it.
            batch = await asyncio.shield(self._reading)
            if batch is not None:
                return batch
            if not self._source.follows and self._files.is_at_end():
                return None
            await asyncio.sleep(_POLL_INTERVAL)

    async def acknowledge(self, receipt: object) -> None:
        """Do nothing: files stay as they are."""

    async def lag(self) -> Lag:
        files = tuple(self._files.files.values())
        return Lag(await asyncio.to_thread(lambda: sum(each.unread() for each in files)), "bytes")

    async def close(self) -> None:
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._files.close()

    def _read_next(self) -> Batch | None:
        """Return the next lines of any file, None if there are none."""
        if self._is_new:
            self._is_new = False
            self._begin()
            return self._batch(b"")
        offset = self._offset
        started = time.monotonic()
        if started >= self._scan_at:
            self._files.scan()
            self._check_number()
            ended = time.monotonic()
            # With thousands of files, scans cost more than reads.
            self._scan_at = ended + max(_MIN_SCAN_PAUSE, _SCAN_PAUSE_RATIO * (ended - started))
        groups = self._files.rotation_groups()
        for step in range(len(groups)):
            # Round-robin, so that a fast-growing file does not starve the others.
            if lines := self._read_group(groups[(self._turn + step) % len(groups)]):
                self._turn += step + 1
                return self._batch(lines)
        if not self._source.follows and self._files.is_blocked() and not self._is_incomplete:
            self._is_incomplete = self._files.has_gap = True
        batch = self._batch(b"")
        # A change of the offset without a line matters, too: clients resume from it.
        return batch if batch.missed is None or batch.offset != offset else None

    def _begin(self) -> None:
        if self._start in (NOW, START):
            self._files.begin(at_end=self._start == NOW)
        else:
            self._files.resume(parse_offset(self._start, MAX_FILES))
        self._check_number()

    def _check_number(self) -> None:
        if self._files.is_full() and not self._source.follows:
            # None of the files would ever be closed to make room for the others.
            raise SourceError(
                self._source.name, f"has more than {MAX_FILES} files: {self._source.pattern!r}"
            )

    def _read_group(self, group: list[FollowedFile]) -> bytes:
        """Return the next lines of the oldest file that has some."""
        for number, file in enumerate(group):
            if lines := self._read(file):
                # A writer that goes on in a rotated file may have written to it after it was read,
                # and then to the next one: its lines come first.
                grown = [older for older in group[:number] if older.has_grown()]
                if not grown:
                    return lines
                file.undo_read()
                return next(filter(None, map(self._read, grown)), b"")
        return b""

    def _read(self, file: FollowedFile) -> bytes:
        files = self._files
        is_whole = file.is_complete or not self._source.follows
        lines: bytes | None = b""
        try:
            lines = file.read(is_whole=is_whole)
            if lines is None:
                files.rewritten(file)
                lines = file.read(is_whole=is_whole)
            file.is_broken = False
        except CompressedError:
            self._source.log_trouble(file.path, "is compressed, so it is skipped")
            files.ignore(file)
        except OSError as error:
            files.failed(file, error)
        if file.has_gap:
            file.has_gap = False
            files.has_gap = True
        if lines and not file.is_complete:
            file.active_at = time.monotonic()
        return lines or b""

    def _batch(self, lines: bytes) -> Batch:
        missed = None if self._files.has_gap else 0
        self._files.has_gap = False
        self._offset = format_offset(self._files.positions())
        return Batch(lines, self._offset, missed, self._files.is_at_end())
