"""Parse the responses on a connection, and keep the parts that must be reproducible."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from server.http.compression import decoder_for

__all__ = ["Answer", "AnswerReader"]

_LIVE = 3  # Lines of an endless response to compare.
_CHANGING = (b"date", b"content-length")


@dataclass(frozen=True)
class Answer:
    """One response, without the parts that differ between runs.

    Attributes:
        is_old: whether it is of HTTP/1.0 or older.
        status: its status code.
        fields: its header fields.
        body: its body, without transfer and content coding, without acknowledgements and marks.
        is_whole: whether it ended as its framing says.
        interim: the interim responses before it.
    """

    is_old: bool
    status: int
    fields: tuple[bytes, ...]
    body: bytes
    is_whole: bool
    interim: int

    @property
    def is_last(self) -> bool:
        """Whether it is the last response on its connection."""
        if self.is_old and b"connection: keep-alive" not in self.fields:
            return True
        return not self.is_whole or b"connection: close" in self.fields

    def __str__(self) -> str:
        body = self.body if len(self.body) < 300 else self.body[:150] + b" ... " + self.body[-150:]
        end = "" if self.is_whole else ", cut"
        return f"{self.status} {self.interim} {self.fields} {len(self.body)} {body!r}{end}"


class AnswerReader:
    """Parse the data received on a connection.

    Args:
        requests: method and target of what was sent.

    Attributes:
        answers: the responses that are complete.
    """

    def __init__(self, requests: list[tuple[bytes, bytes]]) -> None:
        self.answers: list[Answer] = []
        self._requests = requests
        self._data = bytearray()
        self._interim = 0
        self._head: tuple[int, dict[bytes, bytes]] | None = None
        self._is_old = False
        self._size = 0  # of the body, or of the chunk that comes next; -1 where that is not known.
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Add received data."""
        self._data += data
        while self._step():
            pass

    def end(self) -> None:
        """Handle the end of the connection."""
        if self._head is not None:
            is_whole = not self._is_chunked() and b"content-length" not in self._head[1]
            self._body.append(bytes(self._data))
            self._data.clear()
            self._add(is_whole=is_whole)
        elif self._data:
            raise AssertionError(f"no response: {bytes(self._data[:200])!r}")

    def _step(self) -> bool:
        if self._head is None:
            return self._read_head()
        target = self._target()
        going_on = self._read_chunk() if self._is_chunked() else self._read_sized()
        if self._head is not None and target == b"/real-time-process" and self._head[0] == 200:
            lines = [line for line in b"".join(self._body).split(b"\n")[:-1] if line[:1] != b":"]
            if len(lines) >= _LIVE:
                self._body = [b"\n".join(lines[:_LIVE])]
                self._data.clear()
                self._add(is_whole=False)
                return False
        return going_on

    def _read_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = bytes(self._data[:end]).split(b"\r\n")
        del self._data[: end + 4]
        match = re.fullmatch(rb"HTTP/([0-9]\.[0-9]) ([0-9]{3}) [ -~]*", first)
        assert match is not None, first
        status = int(match[2])
        if status < 200:
            self._interim += 1
            return True
        fields: dict[bytes, bytes] = {}
        for line in lines:
            name, mark, value = line.partition(b": ")
            assert mark, line
            fields[name.lower()] = value
        self._head = status, fields
        self._is_old = match[1] < b"1.1"
        self._size = -1 if self._is_chunked() else int(fields.get(b"content-length", b"-1"))
        # A malformed request has no reliable method, so its response has a body.
        if (self._method() == b"HEAD" and status != 400) or status in (204, 304):
            self._add(is_whole=True)
        return True

    def _read_sized(self) -> bool:
        if self._size < 0 or len(self._data) < self._size:
            return False
        self._body.append(bytes(self._data[: self._size]))
        del self._data[: self._size]
        self._add(is_whole=True)
        return True

    def _read_chunk(self) -> bool:
        if self._size < 0:
            end = self._data.find(b"\r\n")
            if end < 0:
                return False
            self._size = int(bytes(self._data[:end]), 16)
            del self._data[: end + 2]
        if self._size == 0:
            return self._read_trailer()
        if len(self._data) < self._size + 2:
            return False
        assert self._data[self._size : self._size + 2] == b"\r\n"
        self._body.append(bytes(self._data[: self._size]))
        del self._data[: self._size + 2]
        self._size = -1
        return True

    def _read_trailer(self) -> bool:
        end = self._data.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._data[:end])
        del self._data[: end + 2]
        if line:
            assert self._head is not None
            name, mark, value = line.partition(b": ")
            assert mark, line
            self._head[1][name.lower()] = value
        else:
            self._add(is_whole=True)
        return True

    def _add(self, *, is_whole: bool) -> None:
        assert self._head is not None
        status, fields = self._head
        body = b"".join(self._body)
        decoder = decoder_for(fields.get(b"content-encoding", b"").decode(), 1 << 30)
        if decoder is not None:
            body = b"".join(decoder.decode(body))
        body = re.sub(rb"(?m)^:(ack|rejected) .*\n", b"", body)
        if b'"code": "invalid_encoding"' in body:
            # How much came of the body before that was seen depends on its pieces.
            body = body[body.rfind(b":error ") :]
        if status == 400:
            # The parser quotes the part of the head that it had received.
            body = re.sub(rb"(malformed HTTP: [^:]*).*", rb"\1", body)
        if self._target().startswith(b"/sources/") and status == 200:
            counts = json.loads(body)
            del counts["offset"]
            body = json.dumps(counts).encode()
        kept = [name + b": " + value for name, value in fields.items() if name not in _CHANGING]
        self.answers.append(
            Answer(self._is_old, status, tuple(sorted(kept)), body, is_whole, self._interim)
        )
        self._head = None
        self._interim = 0
        self._body = []

    def _is_chunked(self) -> bool:
        assert self._head is not None
        return self._head[1].get(b"transfer-encoding") == b"chunked"

    def _method(self) -> bytes:
        number = len(self.answers)
        return self._requests[number][0] if number < len(self._requests) else b""

    def _target(self) -> bytes:
        number = len(self.answers)
        return self._requests[number][1] if number < len(self._requests) else b""
