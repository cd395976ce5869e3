"""Where the body of a request ends, among the bytes of its connection."""

from __future__ import annotations

from server.http._chunked import ChunkedDecoder

__all__ = ["ChunkedBody", "SizedBody"]


class SizedBody:
    """A body whose size is in its head.

    Args:
        size: the size in bytes.

    Attributes:
        left: bytes that are still to come.
        chunks: HTTP chunks so far; it has none.
    """

    chunks = 0

    def __init__(self, size: int) -> None:
        self.left = size

    @property
    def ended(self) -> bool:
        """Whether all of it has come."""
        return self.left == 0

    def take(self, data: bytes) -> int:
        """Return how many of the bytes at the start of `data` are its."""
        size = min(len(data), self.left)
        self.left -= size
        return size


class ChunkedBody:
    """A body in chunked transfer coding."""

    def __init__(self) -> None:
        self._decoder = ChunkedDecoder()

    @property
    def ended(self) -> bool:
        """Whether all of it has come."""
        return self._decoder.finished

    @property
    def chunks(self) -> int:
        """HTTP chunks so far."""
        return self._decoder.chunks

    def take(self, data: bytes) -> int:
        """Return how many of the bytes at the start of `data` are its.

        Raises:
            ChunkedError: it is malformed, so that nobody knows where it ends.
        """
        # Decoding changes the bytes it is given.
        self._decoder.decode(bytearray(data), len(data))
        return self._decoder.rest
