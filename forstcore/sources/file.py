"""Files that grow, followed through rotation and truncation: `file:/var/log/app/*.ndjson`.

An offset says of each file which it is, how far it has been read, and by a fingerprint what
was read (`forstcore.sources._place`). It is a client's to make up, and can name no file that
does not fit the pattern, or did before it was rotated. With `follow=no` the source ends where
the files do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from urllib.parse import unquote_to_bytes

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, START, Batch, Keeps, SourceLimits
from forstcore.sources._following import MOST_FILES, Following
from forstcore.sources._place import format_places, parse
from forstcore.sources._tail import CompressedError, Tail
from forstcore.sources._url import SourceUrl

__all__ = ["FileReader", "FileSource"]

_LOGGER = logging.getLogger("forstcore")

_LOOK = 0.2  # Seconds between two looks at files that do not grow.
_LEAST_PAUSE = 0.1  # Seconds from one search for files to the next,
_PAUSES = 9  # and how many times as long as the search itself.
_MOST_TOLD = 1000  # Paths whose troubles are logged, each once.


class FileSource:
    """A file, or all files whose names fit a pattern.

    Args:
        url: as above; the path may have ``*``, ``?``, ``[…]`` and ``**``.
        limits: the longest line.

    Attributes:
        name: what clients call it.
        pattern: the path.
        follows: whether what is written later is read too.
        max_line_size: as in the limits.
    """

    is_shared = True
    keeps: Keeps = "offsets"

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        # Names of files are bytes, which need not be UTF-8.
        self.pattern = os.fsdecode(unquote_to_bytes(os.fsencode(url.raw_path)))
        self.max_line_size = limits.max_line_size
        follow = url.take("follow", "yes")
        if follow not in ("yes", "no"):
            raise SourceError(url.name, f"has follow={follow}, which must be yes or no")
        self.follows = follow == "yes"
        if url.address or not self.pattern:
            raise SourceError(url.name, "names no path: file:/path or file:path")
        if "\0" in self.pattern:
            raise SourceError(url.name, "has a path with a zero byte, which no file has")
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def check(self, start: str) -> None:
        if start in (NOW, START):
            return
        try:
            parse(start, MOST_FILES)
        except ValueError:
            raise OffsetError(self.name, f"has no offset {start!r}") from None

    def open(self, start: str, session: str = "") -> FileReader:
        return FileReader(self, start)

    async def close(self) -> None:
        """Do nothing: files belong to readers."""

    def tell(self, path: str, trouble: str) -> None:
        """Log what is wrong with a file, once."""
        with self._lock:
            is_new = path not in self._told and len(self._told) < _MOST_TOLD
            self._told.add(path) if is_new else None
        if is_new:
            _LOGGER.warning("source %s: %r %s; other files are read on", self.name, path, trouble)


class FileReader:
    """One reading of the files, in threads: a disk may take its time.

    Args:
        source: says which.
        start: an offset, `START` or `NOW`.
    """

    def __init__(self, source: FileSource, start: str) -> None:
        self._source = source
        self._start = start
        self._offset = ""
        self._is_new = True
        self._is_incomplete = False
        self._files = Following(source.pattern, source.max_line_size, source.tell)
        self._turn = 0
        self._find_at = 0.0
        self._thread: asyncio.Task[Batch | None] | None = None

    async def read(self) -> Batch | None:
        while True:
            self._thread = asyncio.create_task(asyncio.to_thread(self._look))
            # A thread cannot be interrupted: `close` waits for it.
            batch = await asyncio.shield(self._thread)
            if batch is not None:
                return batch
            if not self._source.follows and self._files.is_at_end():
                return None
            await asyncio.sleep(_LOOK)

    async def acknowledge(self, receipt: object) -> None:
        """Do nothing: files stay where they are."""

    async def close(self) -> None:
        if self._thread is not None:
            await asyncio.wait([self._thread])
        self._files.close()

    def _look(self) -> Batch | None:
        """Return the next lines of any file, None if there are none."""
        if self._is_new:
            self._is_new = False
            self._begin()
            return self._batch(b"")
        offset = self._offset
        started = time.monotonic()
        if started >= self._find_at:
            self._files.find()
            self._check_number()
            ended = time.monotonic()
            # Of thousands of files, finding them is what costs.
            self._find_at = ended + max(_LEAST_PAUSE, _PAUSES * (ended - started))
        queues = self._files.queues()
        for step in range(len(queues)):
            # Each in turn, so that one that grows fast does not keep the others waiting.
            for tail in queues[(self._turn + step) % len(queues)]:
                if lines := self._read(tail):
                    self._turn += step + 1
                    return self._batch(lines)
        if not self._source.follows and self._files.is_blocked() and not self._is_incomplete:
            self._is_incomplete = self._files.has_gap = True
        batch = self._batch(b"")
        # Files without a line are news, too: who goes on from here is to know of them.
        return batch if batch.missed is None or batch.offset != offset else None

    def _begin(self) -> None:
        if self._start in (NOW, START):
            self._files.begin(at_end=self._start == NOW)
        else:
            self._files.resume(parse(self._start, MOST_FILES))
        self._check_number()

    def _check_number(self) -> None:
        if self._files.is_full() and not self._source.follows:
            # None would ever be closed to make room for the rest.
            raise SourceError(
                self._source.name, f"has more than {MOST_FILES} files: {self._source.pattern!r}"
            )

    def _read(self, tail: Tail) -> bytes:
        files = self._files
        is_whole = tail.is_over or not self._source.follows
        lines: bytes | None = b""
        try:
            lines = tail.read(is_whole=is_whole)
            if lines is None:
                files.rewritten(tail)
                lines = tail.read(is_whole=is_whole)
            tail.is_broken = False
        except CompressedError:
            self._source.tell(tail.path, "is compressed, so it is not read")
            files.ignore(tail)
        except OSError as error:
            files.failed(tail, error)
        if tail.has_gap:
            tail.has_gap = False
            files.has_gap = True
        if lines and not tail.is_over:
            tail.active_at = time.monotonic()
        return lines or b""

    def _batch(self, lines: bytes) -> Batch:
        missed = None if self._files.has_gap else 0
        self._files.has_gap = False
        self._offset = format_places(self._files.places())
        return Batch(lines, self._offset, missed, self._files.is_at_end())
