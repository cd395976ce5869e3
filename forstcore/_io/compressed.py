"""Reading compressed files, recognized by their suffixes: ``.gz`` and ``.zst``."""

from __future__ import annotations

import gzip
import sys
import zlib
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backports import zstd
else:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        zstd = None

__all__ = ["decompressed", "is_compressed", "read_some", "zstd"]


def is_compressed(path: str) -> bool:
    """Return whether the name of a file has the suffix of a compressed one."""
    return path.endswith((".gz", ".zst"))


def decompressed(raw: IO[bytes], path: str) -> IO[bytes]:
    """Wrap an open file in a decompressor according to its suffix; return other files unchanged.

    Raises:
        ValueError: zstd is not available.
    """
    if path.endswith(".gz"):
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if path.endswith(".zst"):
        if zstd is None:
            raise ValueError(f"{path}: reading zstd needs the package backports.zstd")
        made: Any = zstd.ZstdFile(raw)
        return made  # type: ignore[no-any-return]
    return raw


def read_some(file: Any, path: str, size: int) -> bytes:
    """Read up to `size` bytes, and at least one before the end of the file.

    Raises:
        OSError: the file cannot be read or decompressed; the error contains its name.
    """
    try:
        data: bytes = file.read(size) if not hasattr(file, "read1") else file.read1(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(None, f"cannot be decompressed: {error}", path) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    except Exception as error:
        if zstd is None or not isinstance(error, zstd.ZstdError):
            raise
        raise OSError(None, f"cannot be decompressed: {error}", path) from None
    return data
