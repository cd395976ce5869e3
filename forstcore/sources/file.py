"""Files that grow, followed through rotation and truncation: `file:/var/log/app/*.ndjson`.

An offset says of each file how far it has been read; files are told apart by their inodes, so a
file that was renamed, as from `app.ndjson` to `app.ndjson.1` or `app-1.ndjson`, is gone on with.
An offset is a client's to make up: it can name no other file. With `follow=no` the source ends
where the files do.
"""

from __future__ import annotations

import asyncio
import fnmatch
import glob
import os
import re
import stat
import time
from itertools import islice
from pathlib import Path

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, START, Batch, Keeps, SourceLimits
from forstcore.sources._tail import Tail
from forstcore.sources._url import SourceUrl

__all__ = ["FileReader", "FileSource"]

_LOOK = 0.2  # Seconds between two looks at files that do not grow.
_MOST_FILES = 100  # Files that are followed at once.
_MOST_NAMES = 10_000  # Names in a directory among which renamed files are looked for.
_GRACE = 10.0  # Seconds in which a file that was renamed may still be written to.
_NOTHING = "-"  # The offset where no file has been read.
_OFFSET = re.compile(r"-|[0-9a-f]{1,16}:[0-9]{1,18}(,[0-9a-f]{1,16}:[0-9]{1,18})*")


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
        self.pattern = url.path
        self.max_line_size = limits.max_line_size
        follow = url.take("follow", "yes")
        if follow not in ("yes", "no"):
            raise SourceError(url.name, f"has follow={follow}, which must be yes or no")
        self.follows = follow == "yes"
        if url.address or not self.pattern:
            raise SourceError(url.name, "names no path: file:/path or file:path")

    def check(self, start: str) -> None:
        if start in (NOW, START):
            return
        if not _OFFSET.fullmatch(start) or start.count(",") >= _MOST_FILES:
            raise OffsetError(self.name, f"has no offset {start!r}")

    def open(self, start: str, session: str = "") -> FileReader:
        return FileReader(self, start)

    async def close(self) -> None:
        """Do nothing: files belong to readers."""


class FileReader:
    """One reading of the files, in threads: a disk may take its time.

    Args:
        source: says which.
        start: an offset, `START` or `NOW`.
    """

    def __init__(self, source: FileSource, start: str) -> None:
        self._source = source
        self._start = start
        self._is_new = True
        self._tails: dict[str, Tail] = {}
        self._seen_at: dict[str, float] = {}  # When a file last had its name, or grew.
        self._turn = 0
        self._thread: asyncio.Task[Batch | None] | None = None

    async def read(self) -> Batch | None:
        while True:
            self._thread = asyncio.create_task(asyncio.to_thread(self._look))
            try:
                # A thread cannot be interrupted: `close` waits for it.
                batch = await asyncio.shield(self._thread)
            except OSError as error:
                raise SourceError(
                    self._source.name, f"cannot be read: {error.filename}: {error.strerror}"
                ) from None
            if batch is not None:
                return batch
            if not self._source.follows:
                return None
            await asyncio.sleep(_LOOK)

    async def acknowledge(self, receipt: object) -> None:
        """Do nothing: files stay where they are."""

    async def close(self) -> None:
        if self._thread is not None:
            await asyncio.wait([self._thread])
        for tail in self._tails.values():
            tail.close()

    def _look(self) -> Batch | None:
        """Return the next lines of any file, None if there are none."""
        missed = self._begin() if self._is_new else 0
        if self._is_new:
            self._is_new = False
            return Batch(b"", self._offset(), missed, self._is_at_end())
        self._find()
        tails = list(self._tails.values())
        for step in range(len(tails)):
            # Each in turn, so that one that grows fast does not keep the others waiting.
            tail = tails[(self._turn + step) % len(tails)]
            if lines := tail.read(is_whole=not self._source.follows):
                self._turn += step + 1
                self._seen_at[tail.key] = time.monotonic()
                return Batch(lines, self._offset(), 0, self._is_at_end())
        return None

    def _begin(self) -> int | None:
        """Open the files where the reading starts; return what is missed."""
        missed: int | None = 0
        if self._start in (NOW, START):
            self._find()
            if self._start == NOW:
                for tail in self._tails.values():
                    tail.to_end()
            return missed
        known = dict(part.split(":") for part in self._start.split(",") if part != _NOTHING)
        self._find()
        self._find_renamed(known.keys() - self._tails.keys())
        for key, position in known.items():
            if key not in self._tails or not self._tails[key].to(int(position)):
                missed = None
        return missed

    def _find(self) -> None:
        """Open files that are new, and let go of those that are gone and read."""
        now = time.monotonic()
        for path in self._paths():
            try:
                key = _key(path.stat())
            except FileNotFoundError:
                continue
            self._open(key, path)
            self._seen_at[key] = now
        for key, tail in list(self._tails.items()):
            if now - self._seen_at[key] > _GRACE and tail.is_at_end():
                tail.close()
                del self._tails[key], self._seen_at[key]

    def _find_renamed(self, keys: set[str]) -> None:
        """Look beside the files for some that have other names now."""
        if not keys:
            return
        pattern = Path(self._source.pattern)
        names = f"{pattern.stem}*{pattern.suffix}*"
        for directory in {path.parent for path in self._paths()} | {pattern.parent}:
            if not directory.is_dir():
                continue
            for path in islice(directory.iterdir(), _MOST_NAMES):
                status = path.lstat()
                is_one = _key(status) in keys and fnmatch.fnmatchcase(path.name, names)
                # No link, which leads anywhere, and nothing that opening could wait for.
                if is_one and stat.S_ISREG(status.st_mode):
                    self._open(_key(status), path)
                    self._seen_at[_key(status)] = time.monotonic()

    def _paths(self) -> list[Path]:
        names = glob.iglob(self._source.pattern, recursive=True)  # noqa: PTH207 (any pattern)
        return [path for path in map(Path, sorted(names)) if path.is_file()]

    def _open(self, key: str, path: Path) -> None:
        if key in self._tails:
            return
        if len(self._tails) >= _MOST_FILES:
            raise SourceError(
                self._source.name, f"has more than {_MOST_FILES} files: {self._source.pattern}"
            )
        self._tails[key] = Tail(key, path, self._source.max_line_size)

    def _offset(self) -> str:
        return (
            ",".join(f"{key}:{tail.position}" for key, tail in sorted(self._tails.items()))
            or _NOTHING
        )

    def _is_at_end(self) -> bool:
        return all(tail.is_at_end() for tail in self._tails.values())


def _key(status: os.stat_result) -> str:
    return f"{status.st_ino:x}"
