"""The files that a command reads, one behind the other."""

from __future__ import annotations

import gzip
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from forstcore.cli._zstd import zstd

__all__ = ["Inputs", "Piece"]

_SIZE = 1 << 19  # Bytes that are read at a time.
_BOM = b"\xef\xbb\xbf"

Piece = tuple[str, bytes]
"""Some bytes, and the name of the file that they begin, empty if they go on with one."""


class Inputs:
    """Read files as one stream of lines; ``-`` is standard input.

    Files whose names end in ``.gz`` and ``.zst`` are decompressed.

    Args:
        paths: the files; standard input if there are none.

    Attributes:
        size: bytes on disk of all of them, None if that cannot be known.
        taken: how many of those have been read.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = list(paths) or ["-"]
        self.size = _size_of(self._paths)
        self.taken = 0

    def pieces(self) -> Iterator[Piece]:
        """Yield what the files hold, as it comes; each file begins with a piece of its own.

        Raises:
            OSError: a file cannot be read, or not be decompressed.
        """
        behind = 0
        for place, path in enumerate(self._paths):
            last = b"\n"
            name = path
            with ExitStack() as stack:
                raw = stack.enter_context(_opened(path))
                file = stack.enter_context(_decompressed(raw, path))
                while piece := _read(file, path):
                    last = piece[-1:]
                    if name and place and piece.startswith(_BOM):
                        # The core skips the mark at the start of the stream only.
                        piece = piece[len(_BOM) :]
                    yield name, piece
                    name = ""
                    self.taken = behind + _position(raw, file, self.taken - behind + len(piece))
            behind = self.taken
            if last != b"\n" and place + 1 < len(self._paths):
                yield "", b"\n"


def _size_of(paths: list[str]) -> int | None:
    total = 0
    for path in paths:
        if path == "-":
            return None
        try:
            found = Path(path).stat()
        except OSError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        total += found.st_size
    return total


def _opened(path: str) -> IO[bytes]:
    if path == "-":
        # The descriptor itself: what is there is read at once, and nobody else's lock is held.
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    return Path(path).open("rb", buffering=0)


def _decompressed(raw: IO[bytes], path: str) -> IO[bytes]:
    if path.endswith(".gz"):
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if path.endswith(".zst"):
        if zstd is None:
            raise ValueError(f"{path}: reading zstd needs the package backports.zstd")
        made: Any = zstd.ZstdFile(raw)
        return made  # type: ignore[no-any-return]
    return raw


def _read(file: Any, path: str) -> bytes:
    try:
        data: bytes = file.read(_SIZE) if not hasattr(file, "read1") else file.read1(_SIZE)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(None, f"cannot be decompressed: {error}", path) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    except Exception as error:
        if zstd is None or not isinstance(error, zstd.ZstdError):
            raise
        raise OSError(None, f"cannot be decompressed: {error}", path) from None
    return data


def _position(raw: IO[bytes], file: IO[bytes], read: int) -> int:
    if raw is file:
        return read
    return raw.tell() if raw.seekable() else read
