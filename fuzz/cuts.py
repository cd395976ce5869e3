"""Dividing inputs into chunks, each in a memory block of exactly its size."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache

from fuzz.choices import Choices

__all__ = ["alone", "cut", "sizes"]

# Smaller arrays are stored inside their Python object, where the sanitizer sees no overread.
_SMALLEST = 64
MOST_CHUNKS = 100


@cache
def _array(size: int) -> type[ctypes.Array[ctypes.c_char]]:
    # Creating a type takes longer than processing a short chunk.
    return ctypes.c_char * size


def alone(data: bytes) -> memoryview:
    """Copy bytes to the end of a memory block, so that AddressSanitizer detects a read past them.

    A bytes object is not suitable, because a zero byte follows its data.
    """
    size = max(len(data), _SMALLEST)
    area = _array(size).from_buffer_copy(data.rjust(size, b"\xee"))
    return memoryview(area).cast("B")[size - len(data) :]


def sizes(choices: Choices) -> list[int]:
    """Choose the sizes of chunks, to be used cyclically."""
    chosen = [choices.number(256) for _ in range(4)]
    return chosen if any(chosen) else [1 << 30]


def cut(data: bytes, turns: list[int]) -> Iterator[bytes]:
    """Divide an input into chunks of these sizes, used cyclically.

    The rest after the first hundred chunks is one chunk: more chunks take long and find nothing.

    Args:
        data: the input.
        turns: sizes of the chunks in bytes, at least one of them not zero.
    """
    at = number = 0
    while at < len(data):
        size = turns[number % len(turns)] if number < MOST_CHUNKS else len(data)
        yield data[at : at + size]
        at += size
        number += 1
