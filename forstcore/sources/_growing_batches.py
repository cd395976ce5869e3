"""The size of the first batches of a reader."""

from __future__ import annotations

__all__ = ["GrowingBatches"]

_MAX_SIZE = 1 << 18  # Bytes beyond which the size is not limited.


class GrowingBatches:
    """Begins with a batch of one line, and doubles the size with each.

    A client resumes from the offset after the last batch that it has received as a whole. If its
    connections were cut within the first batch, it would get the same records for ever. A reader
    that does not resume has nothing to catch up with, so its batches are not limited.

    Args:
        resumes: whether the reader starts earlier than now.
    """

    def __init__(self, *, resumes: bool) -> None:
        self._size = 1 if resumes else _MAX_SIZE + 1

    def end_in(self, lines: bytes | bytearray, start: int, end: int) -> int:
        """Return where the next batch ends in whole lines; the one after it may be larger."""
        size = self._size
        if size > _MAX_SIZE:
            return end
        self._size = 2 * size
        return lines.index(b"\n", start + size - 1) + 1 if end - start > size else end
