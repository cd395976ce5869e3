"""Which file was read, how far, and what it held there: the parts of an offset of files.

An offset has an entry for each file: `DEVICE.INODE:POSITION:FINGERPRINT`, numbers of files in
hexadecimal. The fingerprint covers bytes before the position only, which do not change while
a file grows; where there are none, first bytes of the file, or the time of the last change of
an empty one. Offsets of earlier versions have `INODE:POSITION`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "BEFORE",
    "HEAD",
    "NOTHING",
    "START_SIZE",
    "FileId",
    "Place",
    "fingerprint",
    "format_places",
    "parse",
    "start_mark",
]

HEAD = 1024
"""Bytes at the start of a file that its fingerprint covers."""

BEFORE = 256
"""Bytes before the position that the fingerprint covers."""

START_SIZE = 127
"""Bytes at the start of a file that stand for it where nothing has been read."""

_HAS_START = 1 << 47
_MILLISECOND = 1_000_000  # Nanoseconds.

NOTHING = "-"
"""The offset where no file has been read."""

_ENTRY = re.compile(
    r"(?:([0-9a-f]{1,16})\.)?([0-9a-f]{1,16}):([0-9]{1,18})(?::([A-Za-z0-9_-]{8}))?"
)


class FileId(NamedTuple):
    """What tells a file from every other that exists at the same time."""

    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileId:
        """Return the identity of a file."""
        return cls(status.st_dev, status.st_ino)


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file.

    Attributes:
        device: number of the file's device, None in offsets of earlier versions.
        inode: its number there.
        position: where the next line starts.
        fingerprint: of what stands before the position, at the start of a file its
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
        """When the file was last changed, in nanoseconds, if it was empty."""
        value = self._start_value()
        if value is None or value & _HAS_START:
            return None
        return value * _MILLISECOND + _MILLISECOND - 1

    def fits_start(self, start: bytes) -> bool:
        """Tell whether a file that starts so can be the one of which nothing was read."""
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
        """The file, None where the device is not known."""
        return None if self.device is None else FileId(self.device, self.inode)


def fingerprint(head: bytes, before: bytes) -> str:
    """Return 8 characters that stand for the start of a file and the bytes before a position.

    Args:
        head: the first `HEAD` bytes, or all up to the position.
        before: the last `BEFORE` bytes before the position, or all.
    """
    return _text(_hash(head + before, 6))


def start_mark(start: bytes, modified_at: int) -> str:
    """Return 8 characters that stand for a file of which nothing has been read.

    Args:
        start: its first `START_SIZE` bytes, or all.
        modified_at: when it was last changed, which counts where it is empty.
    """
    value = max(0, modified_at // _MILLISECOND)
    if start:
        value = _HAS_START | len(start) << 40 | int.from_bytes(_hash(start, 5))
    return _text(value.to_bytes(6))


def format_places(places: list[str]) -> str:
    """Write an offset of its entries."""
    return ",".join(sorted(places)) or NOTHING


def parse(offset: str, most: int) -> list[Place]:
    """Read an offset.

    Args:
        offset: the text.
        most: entries that it may have.

    Raises:
        ValueError: it is none.
    """
    if offset == NOTHING:
        return []
    if offset.count(",") >= most:
        raise ValueError(offset)
    places = []
    for entry in offset.split(","):
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise ValueError(offset)
        device, inode, position, mark = found.groups()
        places.append(
            Place(int(device, 16) if device else None, int(inode, 16), int(position), mark or "")
        )
    return places


def _hash(data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size).digest()


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()
