"""Files that are complete, compressed or CSV: read one after the other, in the order of names.

An offset has the name of a file, and the position in its decompressed content, or `end`. All files
before it, by name, have been read. In CSV, the position is the start of a row, and a fingerprint of
the names in the first row follows.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import quote, unquote_to_bytes

from forstcore._io.compressed import decompressed, read_some
from forstcore.errors import SourceError
from forstcore.formats import Format
from forstcore.sources import NOW, START, Batch, Lag
from forstcore.sources._file_content import content_of
from forstcore.sources._file_finder import FileFinder

__all__ = ["WholeFilesReader", "is_offset"]

T = TypeVar("T")

_FIRST_PIECE = 1 << 8  # Bytes that are decompressed first,
_PIECE = 1 << 18  # and later at once.
_OFFSET = re.compile(r"([^:]*):([0-9]{1,18}|end)(?::([A-Za-z0-9_-]{8}))?")


def is_offset(text: str) -> bool:
    """Return whether this is an offset."""
    return _OFFSET.fullmatch(text) is not None


class WholeFilesReader:
    """Reads files that are complete, in threads.

    Args:
        name: name of the source, for errors.
        pattern: path of a file, or a pattern of paths.
        start: an offset, `START` or `NOW`; checked.
        kind: the format of the files: NDJSON, CSV or TSV.
        max_line_size: maximum bytes of a line; of a longer one, just enough is kept to detect it.
        on_trouble: called with a path and what is wrong with it.
    """

    def __init__(
        self,
        name: str,
        pattern: str,
        start: str,
        kind: Format,
        max_line_size: int,
        on_trouble: Callable[[str, str], None],
    ) -> None:
        self._name = name
        self._finder = FileFinder(pattern, on_trouble)
        self._start = start
        self._format: Format = kind
        self._max_line_size = max_line_size
        self._is_new = True
        self._raw: IO[bytes] | None = None
        self._file: IO[bytes] | None = None
        self._piece = _FIRST_PIECE
        self._path = ""
        self._content = content_of("", kind, max_line_size)
        self._has_ended = True  # Whether the file of the path has been read.
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
            lines = self._read_lines()
            if lines or self._has_ended:
                # The end of a file is an offset of its own: the file need not be there any more.
                is_last = self._has_ended and not self._left()
                bad_rows = self._content.bad_rows
                return Batch(lines, self._offset(), is_last=is_last, bad_rows=bad_rows)
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
        self._go_to(int(match[2]), match[3] or "")
        return False

    def _go_to(self, position: int, mark: str) -> None:
        """Continue at a position of the open file."""
        at = 0
        needs_content = True
        while at < position:
            if not needs_content and self._file is self._raw and self._file is not None:
                if os.fstat(self._file.fileno()).st_size >= position:
                    at = self._file.seek(position)
                break
            piece = self._read_some(min(_PIECE, position - at))
            if not piece:
                break
            at += len(piece)
            needs_content = self._converted(self._content.pass_over, piece)
        if at < position:
            raise SourceError(self._name, f"has an offset behind the end of {self._path}")
        self._content.go_to(position)
        if self._content.mark != mark:
            raise SourceError(
                self._name,
                f"cannot continue in {self._path}: its first row is not the one it had before",
            )

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
        self._path, self._has_ended = path, False
        self._content = content_of(path, self._format, self._max_line_size)

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
        data = self._read_some(self._piece)
        # Small at first, so that clients progress over connections that are cut early.
        self._piece = min(2 * self._piece, _PIECE)
        if data:
            return self._converted(self._content.feed, data)
        self._has_ended = True
        self._close()
        return self._converted(lambda _: self._content.finish(), data)

    def _converted(self, convert: Callable[[bytes], T], data: bytes) -> T:
        try:
            return convert(data)
        except ValueError as error:
            raise SourceError(self._name, f"cannot be read: {error}") from None

    def _offset(self) -> str:
        if not self._path:
            return START
        place = "end" if self._has_ended else str(self._content.position)
        if not self._has_ended and self._content.mark:
            place = f"{place}:{self._content.mark}"
        return f"{quote(os.fsencode(self._path))}:{place}"

    def _unread(self) -> int:
        """Return the number of unread bytes on the disk."""
        total = sum(
            found.status.st_size for path, found in self._finder.find().items() if path > self._path
        )
        raw = self._raw
        try:
            return total + (os.fstat(raw.fileno()).st_size - raw.tell() if raw is not None else 0)
        except (OSError, ValueError):
            # Another thread may have closed it.
            return total
