"""Frames of the WebSocket protocol (RFC 6455), as far as aiohttp leaves them to the server."""

from __future__ import annotations

__all__ = ["BINARY", "CLOSE", "PING", "TEXT", "MaskCheck", "frame"]

TEXT = 0x81
BINARY = 0x82
CLOSE = 0x88
PING = 0x89

_IS_MASKED = 0x80
_SIZES = {126: 2, 127: 8}  # Bytes of an extended length, by the 7-bit length before it.


def frame(kind: int, data: bytes) -> bytes:
    """Return a frame that contains a whole message."""
    size = len(data)
    if size < 126:
        return b"%c%c%b" % (kind, size, data)
    if size < 1 << 16:
        return b"%c\x7e%b%b" % (kind, size.to_bytes(2), data)
    return b"%c\x7f%b%b" % (kind, size.to_bytes(8), data)


class MaskCheck:
    """Check that a client masks its frames, which aiohttp does not.

    Without masks, a client could make a proxy interpret its frames as requests of others
    (RFC 6455, section 10.3).
    """

    def __init__(self) -> None:
        self._left = 0  # Bytes of the current frame, with its mask.
        self._head = b""

    @property
    def is_amid_frame(self) -> bool:
        """Whether the client has sent a part of a frame."""
        return bool(self._left or self._head)

    def has_unmasked(self, data: bytes) -> bool:
        """Return whether a frame that begins in these bytes is not masked."""
        place = 0
        while place < len(data):
            if self._left:
                skipped = min(self._left, len(data) - place)
                self._left -= skipped
                place += skipped
                continue
            wanted = self._head_size() - len(self._head)
            self._head += data[place : place + wanted]
            place += wanted
            if len(self._head) < self._head_size():
                continue
            if not self._head[1] & _IS_MASKED:
                return True
            size = self._head[1] & ~_IS_MASKED
            self._left = 4 + (int.from_bytes(self._head[2:]) if size in _SIZES else size)
            self._head = b""
        return False

    def _head_size(self) -> int:
        if len(self._head) < 2:
            return 2
        return 2 + _SIZES.get(self._head[1] & ~_IS_MASKED, 0)
