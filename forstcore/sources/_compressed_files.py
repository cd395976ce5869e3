"""Compressed files, which are complete: read one after the other, in the order of their names.

An offset has the name of a file, and the position in its decompressed content, or `end`. All files
before it, by name, have been read.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote_to_bytes

from forstcore._io.compressed import decompressed, read_some
from forstcore.errors import SourceError
from forstcore.sources import NOW, START, Batch, Lag
from forstcore.sources._file_finder import FileFinder

__all__ = ["CompressedReader", "is_offset"]

_PIECE = 1 << 18  # Bytes that are decompressed at once.
_OFFSET = re.compile(r"([^:]*):([0-9]{1,18}|end)")
_BOM = b"\xef\xbb\xbf"


def is_offset(text: str) -> bool:
    """Return whether this is an offset."""
    return _OFFSET.fullmatch(text) is not None


class CompressedReader:
    """Reads compressed files, in threads.

    Args:
        name: name of the source, for errors.
        pattern: path of a file, or a pattern of paths.
        start: an offset, `START` or `NOW`; checked.
        max_line_size: maximum bytes of a line; of a longer one, just enough is kept to detect it.
        on_trouble: called with a path and what is wrong with it.
    """

    def __init__(
        self,
        name: str,
        pattern: str,
        start: str,
        max_line_size: int,
        on_trouble: Callable[[str, str], None],
    ) -> None:
        self._name = name
        self._finder = FileFinder(pattern, on_trouble)
        self._start = start
        self._limit = max_line_size + 1
        self._is_new = True
        self._raw: IO[bytes] | None = None
        self._file: IO[bytes] | None = None
        self._path = ""
        self._position = 0  # Position of the next line in the decompressed content.
        self._has_ended = True  # Whether the file of the path has been read.
        self._tail = b""  # The unfinished line.
        self._dropped = 0  # Bytes of that line, or before it, that were dropped.
        self._reading: asyncio.Task[Batch | None] | None = None

    async def read(self) -> Batch | None:
        self._reading = asyncio.create_task(asyncio.to_thread(self._read_next))
        # A thread cannot be cancelled: `close` waits for it.
        return await asyncio.shield(self._reading)

    async def acknowledge(self, receipt: object) -> None:
        """Do nothing: files stay as they are."""

    async def lag(self) -> Lag:
        return Lag(await asyncio.to_thread(self._unread), "bytes")

    async def close(self) -> None:
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._close()

    def _read_next(self) -> Batch | None:
        if self._is_new:
            self._is_new = False
            missed = None if self._begin() else 0
            return Batch(b"", self._offset(), missed)
        while self._file is not None or self._open_next():
            if lines := self._read_lines():
                return Batch(lines, self._offset(), is_last=self._has_ended and not self._left())
        return None

    def _begin(self) -> bool:
        """Seek to where reading starts; return whether a file with unread content is gone."""
        if self._start == START:
            return False
        if self._start == NOW:
            self._path = max(self._finder.find(), default="")
            return False
        match = _OFFSET.fullmatch(self._start)
        assert match is not None
        self._path = os.fsdecode(unquote_to_bytes(match[1]))
        if match[2] == "end":
            return False
        if self._path not in self._finder.find():
            return True
        self._open(self._path)
        while self._position < int(match[2]):
            piece = self._read_some(min(_PIECE, int(match[2]) - self._position))
            if not piece:
                raise SourceError(self._name, f"has an offset behind the end of {self._path}")
            self._position += len(piece)
        return False

    def _left(self) -> list[str]:
        """Return the files that have not been started."""
        return [path for path in self._finder.find() if path > self._path]

    def _open_next(self) -> bool:
        left = self._left()
        if left:
            self._open(left[0])
        return bool(left)

    def _open(self, path: str) -> None:
        try:
            self._raw = Path(path).open("rb")  # noqa: SIM115 (closed by `_close`)
            self._file = decompressed(self._raw, path)
        except (OSError, ValueError) as error:
            raise SourceError(self._name, f"cannot be read: {error}") from None
        self._path, self._position, self._has_ended = path, 0, False
        self._tail, self._dropped = b"", 0

    def _close(self) -> None:
        for file in (self._file, self._raw):
            if file is not None:
                file.close()
        self._file = self._raw = None

    def _read_some(self, size: int) -> bytes:
        try:
            return read_some(self._file, self._path, size)
        except OSError as error:
            raise SourceError(
                self._name, f"cannot be read: {self._path}: {error.strerror or error}"
            ) from None

    def _read_lines(self) -> bytes:
        """Return the next whole lines; empty if there are none in the next piece."""
        data = self._read_some(_PIECE)
        if not data:
            lines = self._tail + b"\n" if self._tail else b""
            self._has_ended = True
            self._close()
            return lines
        if not self._position and not self._tail and data.startswith(_BOM):
            data = data[len(_BOM) :]
            self._dropped = len(_BOM)
        if len(self._tail) >= self._limit:
            # The rest of a line that is too long is not needed.
            end = data.find(b"\n")
            rest = len(data) if end < 0 else end
            self._dropped += rest
            data = data[rest:]
        lines = self._tail + data
        end = lines.rfind(b"\n") + 1
        lines, self._tail = lines[:end], lines[end:]
        if lines:
            self._position += len(lines) + self._dropped
            self._dropped = 0
        if len(self._tail) > self._limit:
            self._dropped += len(self._tail) - self._limit
            self._tail = self._tail[: self._limit]
        return lines

    def _offset(self) -> str:
        if not self._path:
            return START
        place = "end" if self._has_ended else str(self._position)
        return f"{quote(os.fsencode(self._path))}:{place}"

    def _unread(self) -> int:
        """Return the number of unread compressed bytes."""
        total = sum(
            found.status.st_size for path, found in self._finder.find().items() if path > self._path
        )
        raw = self._raw
        try:
            return total + (os.fstat(raw.fileno()).st_size - raw.tell() if raw is not None else 0)
        except (OSError, ValueError):
            # Another thread may have closed it.
            return total
