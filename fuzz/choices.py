"""Deriving the decisions of a test case from the bytes of an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Choices"]

T = TypeVar("T")


class Choices:
    """Read decisions from an input, starting with its first bytes.

    Every input is a valid sequence of decisions: missing bytes at the end read as zeros. A change
    of one byte changes one decision, so that mutations of an input stay close to it.

    Args:
        data: the input.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, count: int) -> int:
        """Choose a number from 0 to `count` - 1, at most 65535."""
        return int.from_bytes(self.take(1 if count <= 256 else 2), "little") % count

    def pick(self, options: Sequence[T]) -> T:
        """Choose one of up to 65536 options."""
        return options[self.number(len(options))]

    def take(self, size: int) -> bytes:
        """Take up to `size` bytes unchanged."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """Take all remaining bytes."""
        return self.take(len(self._data))
