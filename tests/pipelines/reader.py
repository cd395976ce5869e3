"""A strict HTTP/1.1 parser (RFC 9112) for the requests in the data of a client.

It shares no code with the server, and reads all at once: nothing depends on how the bytes came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Reading", "Request", "read_requests"]

_START = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_SIZE = re.compile(
    rb"([0-9A-Fa-f]+)(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
)


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        raw: its bytes.
        method, target: of its first line.
        body: its body, without transfer coding.
    """

    raw: bytes
    method: bytes
    target: bytes
    body: bytes


@dataclass(frozen=True)
class Reading:
    """The requests in the data of a client.

    Attributes:
        requests: the requests that are complete.
        rest: the bytes after them, empty if there are none.
        target: target of an incomplete last request, empty if that is not known.
        body: the received part of its body.
    """

    requests: list[Request]
    rest: bytes = b""
    target: bytes = b""
    body: bytes = b""


class _Malformed(Exception):
    """The bytes are not valid HTTP, or are incomplete."""

    def __init__(self, target: bytes = b"", body: bytes = b"") -> None:
        self.target = target
        self.body = body


def read_requests(data: bytes) -> Reading:
    """Read the requests until the first that is malformed or incomplete, or that is the last.

    A request is the last if it says so itself.
    """
    found: list[Request] = []
    place = 0
    while True:
        while data[place : place + 1] in (b"\r", b"\n"):
            place += 1
        if place == len(data):
            return Reading(found)
        try:
            request, place, is_last = _request(data, place)
        except _Malformed as end:
            return Reading(found, data[place:], end.target, end.body)
        found.append(request)
        if is_last:
            return Reading(found)


def _request(data: bytes, start: int) -> tuple[Request, int, bool]:
    """Return the request, the offset after it, and whether it is the last."""
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        raise _Malformed
    first, *lines = data[start:end].split(b"\r\n")
    match = _START.fullmatch(first)
    if match is None:
        raise _Malformed
    method, target, minor = match.groups()
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise _Malformed
        fields.setdefault(field[1].lower(), []).append(field[2].rstrip(b" \t"))
    size = _size(fields, is_old=minor == b"0")
    place = end + 4
    if size is None:
        body, place = _chunked(data, place, target)
    elif len(data) < place + size:
        raise _Malformed(target, data[place:])
    else:
        body = data[place : place + size]
        place += size
    options = b",".join(fields.get(b"connection", [])).lower().replace(b" ", b"").split(b",")
    is_last = b"close" in options or (minor == b"0" and b"keep-alive" not in options)
    return Request(data[start:place], method, target, body), place, is_last


def _size(fields: dict[bytes, list[bytes]], *, is_old: bool) -> int | None:
    """Return the size of a body, None if it is chunked."""
    codings = fields.get(b"transfer-encoding", [])
    sizes = fields.get(b"content-length", [])
    hosts = fields.get(b"host", [])
    if len(codings) + len(sizes) > 1 or len(hosts) > 1 or (not hosts and not is_old):
        raise _Malformed
    if codings:
        if codings[0].lower() != b"chunked" or is_old:
            raise _Malformed
        return None
    if sizes:
        if not re.fullmatch(rb"[0-9]{1,18}", sizes[0]):
            raise _Malformed
        return int(sizes[0])
    return 0


def _chunked(data: bytes, place: int, target: bytes) -> tuple[bytes, int]:
    """Return the body, and the offset after it."""
    body: list[bytes] = []
    while True:
        end = data.find(b"\r\n", place)
        match = _SIZE.fullmatch(data, place, max(end, place))
        if end < 0 or match is None or len(match[1]) > 15:
            raise _Malformed(target, b"".join(body))
        size = int(match[1], 16)
        place = end + 2
        if not size:
            break
        body.append(data[place : place + size])
        place += size
        if data[place : place + 2] != b"\r\n":
            raise _Malformed(target, b"".join(body))
        place += 2
    while True:
        end = data.find(b"\r\n", place)
        if end < 0:
            raise _Malformed(target, b"".join(body))
        line, place = data[place:end], end + 2
        if not line:
            return b"".join(body), place
        field = _FIELD.fullmatch(line)
        if field is None or field[1].lower() in (b"content-length", b"transfer-encoding"):
            raise _Malformed(target, b"".join(body))
