"""What the C library does with memory that is freed, in processes of our own.

glibc gives large blocks back to the kernel at once, which clears their pages for the next ones.
That takes longer than to process what is in them. Whether it does so depends on which block was
freed last, so that one process is twice as fast as another.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

__all__ = ["keep_freed", "trim"]

# Of glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3


def _found(name: str) -> Callable[..., int] | None:
    """Return a function of glibc. Other libraries have none of these, and keep less."""
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
    return function


trim: Callable[[int], int] | None = _found("malloc_trim")
"""Gives whole free pages back. Takes some 20 ms for a hundred megabytes of these."""


def keep_freed(size: int) -> None:
    """Keep up to `size` bytes that are free at hand for large blocks, where glibc can do that."""
    if (mallopt := _found("mallopt")) is not None:
        mallopt(_MMAP_THRESHOLD, size)
        mallopt(_TRIM_THRESHOLD, size)
