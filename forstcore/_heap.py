"""Keeping freed memory in the process (glibc only).

glibc returns large freed blocks to the kernel, which zeroes their pages before handing them out
again. Zeroing a block takes longer than processing its data. Whether it happens depends on the
order of allocations, so one process can be twice as fast as another.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

__all__ = ["keep_freed", "retain_freed", "trim"]

# From glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

_LARGE_BLOCK = 16 << 20


def _found(name: str) -> Callable[..., int] | None:
    """Return a function of glibc, or None with another C library."""
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
    return function


trim: Callable[[int], int] | None = _found("malloc_trim")
"""Return free pages to the kernel. Takes about 20 ms for a hundred megabytes."""


def keep_freed(size: int) -> None:
    """Keep up to `size` freed bytes in this process; for commands only, not for library use.

    This sets the thresholds of the whole process, and glibc no longer adapts them.
    """
    if (mallopt := _found("mallopt")) is not None:
        mallopt(_MMAP_THRESHOLD, size)
        mallopt(_TRIM_THRESHOLD, size)


def retain_freed() -> None:
    """Let glibc adapt its thresholds to large blocks, as it does when one is freed.

    For library use: glibc then keeps up to twice the size of the largest freed block, unless the
    process has set its own thresholds. The block is never written to, so it uses no memory.
    """
    bytes(_LARGE_BLOCK)
