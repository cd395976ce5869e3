"""Offsets of file sources: which files were read, how far, and a fingerprint of what was read.

An offset has an entry for each file: `DEVICE.INODE:POSITION:FINGERPRINT`, with device and inode in
hexadecimal. The fingerprint covers only bytes before the position, which do not change while the
file grows. At position 0 it covers the first bytes of the file or, if that is empty, its
modification time. Entries of earlier versions are `INODE:POSITION`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "BEFORE_SIZE",
    "EMPTY_OFFSET",
    "HEAD_SIZE",
    "START_SIZE",
    "FileId",
    "FilePosition",
    "fingerprint",
    "format_offset",
    "parse_offset",
    "start_mark",
]

HEAD_SIZE = 1024
"""Bytes at the start of a file that the fingerprint covers."""

BEFORE_SIZE = 256
"""Bytes before the position that the fingerprint covers."""

START_SIZE = 127
"""Bytes at the start of a file that the fingerprint covers if nothing has been read."""

_HAS_START = 1 << 47
_MILLISECOND = 1_000_000  # Nanoseconds.

EMPTY_OFFSET = "-"
"""The offset if there is no file."""

_ENTRY = re.compile(
    r"(?:([0-9a-f]{1,16})\.)?([0-9a-f]{1,16}):([0-9]{1,18})(?::([A-Za-z0-9_-]{8}))?"
)


class FileId(NamedTuple):
    """Identifies a file among all that exist at the same time."""

    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileId:
        """Return the identity of a file."""
        return cls(status.st_dev, status.st_ino)


@dataclass(frozen=True, slots=True)
class FilePosition:
    """A position in a file, as an offset stores it.

    Attributes:
        device: number of the file's device, None in offsets of earlier versions.
        inode: the file's inode.
        position: where the next line starts.
        fingerprint: that of the bytes before the position, or at position 0 the file's
            `start_mark`; empty in offsets of earlier versions.
    """

    device: int | None
    inode: int
    position: int
    fingerprint: str

    def __str__(self) -> str:
        text = f"{self.inode:x}:{self.position}"
        if self.device is not None:
            text = f"{self.device:x}.{text}"
        return f"{text}:{self.fingerprint}" if self.fingerprint else text

    @property
    def emptied_at(self) -> int | None:
        """When the file was last modified, in nanoseconds, if it was empty."""
        value = self._start_value()
        if value is None or value & _HAS_START:
            return None
        return value * _MILLISECOND + _MILLISECOND - 1

    def matches_start(self, start: bytes) -> bool:
        """Return whether a file with this start may be the same one, if it was never read."""
        value = self._start_value()
        if value is None or not value & _HAS_START:
            return True
        size = value >> 40 & START_SIZE
        known = int.from_bytes(_hash(start[:size], 5))
        return len(start) >= size and value & (1 << 40) - 1 == known

    def _start_value(self) -> int | None:
        if self.position or not self.fingerprint:
            return None
        return int.from_bytes(base64.urlsafe_b64decode(self.fingerprint))

    @property
    def file_id(self) -> FileId | None:
        """The file, None if the device is not known."""
        return None if self.device is None else FileId(self.device, self.inode)


def fingerprint(head: bytes, before: bytes) -> str:
    """Return 8 characters that identify the start of a file and the bytes before a position.

    Args:
        head: the first `HEAD_SIZE` bytes, or all up to the position.
        before: the last `BEFORE_SIZE` bytes before the position, or all.
    """
    return _text(_hash(head + before, 6))


def start_mark(start: bytes, modified_at: int) -> str:
    """Return 8 characters that identify a file of which nothing has been read.

    Args:
        start: its first `START_SIZE` bytes, or all.
        modified_at: when it was last modified, which is used if it is empty.
    """
    value = max(0, modified_at // _MILLISECOND)
    if start:
        value = _HAS_START | len(start) << 40 | int.from_bytes(_hash(start, 5))
    return _text(value.to_bytes(6))


def format_offset(positions: list[str]) -> str:
    """Return the offset with these entries."""
    return ",".join(sorted(positions)) or EMPTY_OFFSET


def parse_offset(offset: str, most: int) -> list[FilePosition]:
    """Parse an offset.

    Args:
        offset: the text.
        most: maximum number of entries.

    Raises:
        ValueError: it is not an offset.
    """
    if offset == EMPTY_OFFSET:
        return []
    if offset.count(",") >= most:
        raise ValueError(offset)
    positions = []
    for entry in offset.split(","):
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise ValueError(offset)
        device, inode, position, mark = found.groups()
        positions.append(
            FilePosition(
                int(device, 16) if device else None, int(inode, 16), int(position), mark or ""
            )
        )
    return positions


def _hash(data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size).digest()


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()
