"""Inputs cut into chunks that lie in memory of exactly their size."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache

from fuzz.choices import Choices

__all__ = ["alone", "cut", "sizes"]

# Smaller arrays live inside their Python object, where a read past their end goes unseen.
_SMALLEST = 64
MOST_CHUNKS = 100


@cache
def _array(size: int) -> type[ctypes.Array[ctypes.c_char]]:
    # To make a type takes longer than all that a target does with a short chunk.
    return ctypes.c_char * size


def alone(data: bytes) -> memoryview:
    """Copy bytes to the end of a piece of memory, so that AddressSanitizer sees a read past it.

    The end of a bytes object would not do: a zero byte follows it.
    """
    size = max(len(data), _SMALLEST)
    area = _array(size).from_buffer_copy(data.rjust(size, b"\xee"))
    return memoryview(area).cast("B")[size - len(data) :]


def sizes(choices: Choices) -> list[int]:
    """Choose the sizes of chunks, to be taken in turn."""
    chosen = [choices.number(256) for _ in range(4)]
    return chosen if any(chosen) else [1 << 30]


def cut(data: bytes, turns: list[int]) -> Iterator[bytes]:
    """Cut an input into chunks of these sizes, over and over again.

    What is left behind the first hundred comes as one: many more take long and show nothing new.

    Args:
        data: the input.
        turns: bytes of each chunk, one of them at least not zero.
    """
    at = number = 0
    while at < len(data):
        size = turns[number % len(turns)] if number < MOST_CHUNKS else len(data)
        yield data[at : at + size]
        at += size
        number += 1
