"""Parsing the responses received over a connection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Reply", "replies_in"]


@dataclass(frozen=True)
class Reply:
    """One response.

    Attributes:
        status: its status code.
        head: its head.
        body: its body, without transfer coding.
        is_whole: whether it ended as its framing says.
    """

    status: int
    head: bytes
    body: bytes
    is_whole: bool

    def problem(self) -> dict[str, Any]:
        """Return the problem document, and check that a browser would not render it."""
        assert b"content-type: application/problem+json" in self.head.lower(), self.head
        document = json.loads(self.body)
        assert document["status"] == self.status
        assert isinstance(document, dict)
        return document


def replies_in(data: bytes) -> list[Reply]:
    """Parse everything received over a connection; fail for bytes that are not a response."""
    found: list[Reply] = []
    while data:
        assert data.startswith(b"HTTP/"), data[:200]
        head, mark, data = data.partition(b"\r\n\r\n")
        assert mark, head
        status = int(head.split()[1])
        fields = head.lower()
        if status < 200:
            body, is_whole = b"", True
        elif b"\r\ntransfer-encoding: chunked" in fields:
            body, is_whole, data = _chunked(data)
        elif b"\r\ncontent-length: " in fields:
            size = int(fields.partition(b"\r\ncontent-length: ")[2].split()[0])
            body, data = data[:size], data[size:]
            is_whole = len(body) == size
        else:
            body, is_whole, data = data, True, b""
        found.append(Reply(status, head, body, is_whole))
    return found


def _chunked(data: bytes) -> tuple[bytes, bool, bytes]:
    """Return the body, whether it is complete, and the bytes after it."""
    body: list[bytes] = []
    while True:
        line, mark, rest = data.partition(b"\r\n")
        if not mark:
            return b"".join(body), False, b""
        size = int(line, 16)
        if not size:
            # A trailer may come before the empty line.
            _, mark, behind = (b"\r\n" + rest).partition(b"\r\n\r\n")
            return b"".join(body), bool(mark), behind
        if len(rest) < size + 2:
            return b"".join([*body, rest[:size]]), False, b""
        assert rest[size : size + 2] == b"\r\n"
        data = rest[size + 2 :]
        body.append(rest[:size])
