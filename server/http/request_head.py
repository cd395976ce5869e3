"""Where the head of a request ends, among the bytes of its connection."""

from __future__ import annotations

from server.http.internals import HttpProcessingError

__all__ = ["HeadSplitter"]

_END = b"\r\n\r\n"


class HeadSplitter:
    """Separate the head of one request from the bytes after it.

    Attributes:
        size: bytes of the head so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._last = b""  # The last bytes of the head so far: its end may be received in parts.
        self._request_line: bytes | None = b""  # None once it is complete.

    def split(self, received: bytearray) -> tuple[bytes, bool]:
        """Remove the bytes of the head from the start of `received`.

        Returns:
            These bytes, and whether the head is complete.

        Raises:
            HttpProcessingError: the request line does not consist of three parts.
        """
        if not self.size and received[0] in b"\r\n":
            # RFC 9112, section 2.2: empty lines before a request are ignored.
            received[:] = received.lstrip(b"\r\n")
        size, is_complete = self._find_end(received)
        data = bytes(received[:size])
        del received[:size]
        self.size += size
        self._last = (self._last + data[-3:])[-3:]
        if self._request_line is not None:
            self._check_request_line(self._request_line + data)
        return data, is_complete

    def _find_end(self, received: bytearray) -> tuple[int, bool]:
        """Return how many bytes belong to the head, and whether it is complete."""
        before = len(self._last)
        if before:
            place = (self._last + received[:3]).find(_END)
            if place >= 0:
                return place + len(_END) - before, True
        place = received.find(_END)
        if place >= 0:
            return place + len(_END), True
        return len(received), False

    def _check_request_line(self, head: bytes) -> None:
        # The parser accepts any number of spaces between the parts. Other software does not, and
        # might see another request.
        line, end, _ = head.partition(b"\r\n")
        self._request_line = None if end else line
        spaces = line.count(b" ")
        if spaces > 2 or (end and spaces < 2):
            raise HttpProcessingError(code=400, message="spaces in the request line")
