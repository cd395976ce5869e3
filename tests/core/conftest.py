"""Fixtures for the tests of the core."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator

import pytest

PAGE = mmap.PAGESIZE


def protect(address: int, rights: int) -> None:
    """Set what may be done to a page."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(PAGE), rights):
        raise OSError(ctypes.get_errno(), "mprotect")


@pytest.fixture
def guarded() -> Iterator[memoryview]:
    """Give a page between two pages that must not be touched."""
    if sys.platform == "win32":
        pytest.skip("Windows has no mprotect")
    area = mmap.mmap(-1, 3 * PAGE)
    anchor = ctypes.c_char.from_buffer(area)
    address = ctypes.addressof(anchor)
    for page in (address, address + 2 * PAGE):
        protect(page, 0)
    with memoryview(area) as view, view[PAGE : 2 * PAGE] as middle:
        yield middle
    for page in (address, address + 2 * PAGE):
        protect(page, mmap.PROT_READ | mmap.PROT_WRITE)
    del anchor
    area.close()
