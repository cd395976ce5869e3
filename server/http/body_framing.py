"""Where the body of a request ends, among the bytes of its connection."""

from __future__ import annotations

from server.http._chunked import ChunkedDecoder

__all__ = ["ChunkedBody", "SizedBody"]


class SizedBody:
    """A body with a `Content-Length`.

    Args:
        size: the size in bytes.

    Attributes:
        left: bytes that have not been received yet.
        chunks: HTTP chunks received; always 0.
    """

    chunks = 0

    def __init__(self, size: int) -> None:
        self.left = size

    @property
    def ended(self) -> bool:
        """Whether the body is complete."""
        return self.left == 0

    def take(self, data: bytes) -> int:
        """Return how many of the first bytes of `data` belong to the body."""
        size = min(len(data), self.left)
        self.left -= size
        return size


class ChunkedBody:
    """A body in chunked transfer coding."""

    def __init__(self) -> None:
        self._decoder = ChunkedDecoder()

    @property
    def ended(self) -> bool:
        """Whether the body is complete."""
        return self._decoder.finished

    @property
    def chunks(self) -> int:
        """HTTP chunks received so far."""
        return self._decoder.chunks

    def take(self, data: bytes) -> int:
        """Return how many of the first bytes of `data` belong to the body.

        Raises:
            ChunkedError: the body is malformed, so that its end cannot be found.
        """
        # The decoder changes the bytes.
        self._decoder.decode(bytearray(data), len(data))
        return self._decoder.rest
