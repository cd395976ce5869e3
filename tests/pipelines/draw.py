"""Draw random requests and pipelines, with random splits and defects."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

__all__ = ["Draw"]

# Sizes of the buffers through which input passes: of the body protocol, of a read, of held bytes,
# and of aiohttp's reader.
_EDGES = (1 << 12, 1 << 14, 1 << 16, 1 << 17, 1 << 18, 1 << 19)
_STREAMS = ("/streaming-process", "/large-dataset-stream", "/same", "/twin-async")
_PLAIN = ("/healthz", "/readyz", "/version", "/processors", "/openapi.json")


class Draw:
    """Random requests.

    Args:
        seed: determines all requests.

    Attributes:
        random: the source of randomness.
    """

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self._mark = f"{self.random.getrandbits(40):010x}"
        self._count = 0

    def pipeline(self) -> list[bytes]:
        """Draw some requests; only the last one is likely to end the connection."""
        kinds: list[Callable[[], bytes]] = [self._stream, self._plain, self._publish, self._failing]
        weights = self.random.choice(((6, 2, 2, 1), (3, 3, 3, 3), (1, 6, 1, 0), (1, 1, 6, 1)))
        count = self.random.choice((2, 3, 3, 4, 5, 8, 20))
        found = [kind() for kind in self.random.choices(kinds, weights, k=count)]
        if self.random.random() < 0.15:
            found.append(self._live())
        elif self.random.random() < 0.1:
            found.insert(self.random.randrange(len(found)), self._ending())
        return found

    def cuts(self, size: int) -> list[int]:
        """Draw the offsets at which data of a given size is split."""
        kind = self.random.randrange(6)
        if kind == 0 or size < 2:
            return []
        if kind == 1:
            step = self.random.choice((1, 2, 3, 7)) if size < 3000 else self.random.choice(_EDGES)
            step = max(1, step + self.random.randrange(-2, 3))
            return list(range(step, size, step))
        if kind == 2:
            return [self.random.choice(_EDGES) + self.random.randrange(-3, 4)]
        count = self.random.choice((1, 1, 2, 3, 10))
        return sorted(self.random.randrange(1, size) for _ in range(count))

    def cuts_in(self, data: bytes) -> list[int]:
        """Draw offsets, within line ends and after heads, at which data is split."""
        ends: list[int] = []
        place = data.find(b"\r\n")
        while place >= 0 and len(ends) < 5000:
            ends.append(place)
            place = data.find(b"\r\n", place + 1)
        count = min(len(ends), self.random.choice((1, 2, 3, 10)))
        return sorted(place + self.random.randrange(3) for place in self.random.sample(ends, count))

    def pause(self) -> float:
        """Draw how long the client waits after a piece."""
        return self.random.choice((0.0, 0.0, 0.001, 0.001, 0.003))

    def harm(self, data: bytes) -> bytes:
        """Damage a pipeline, so that it may contain other requests or none."""
        kind = self.random.randrange(8)
        place = self.random.randrange(len(data))
        if kind == 0:
            byte = bytes([self.random.choice((0, 9, 10, 13, 32, 48, 58, 59, 127, 128, 255))])
            return data[:place] + byte + data[place + self.random.randrange(2) :]
        if kind == 1:
            return data[:place] + data[place + self.random.choice((1, 1, 2, 5, 100)) :]
        if kind == 2:
            return data[:place]
        if kind == 3:
            # Replace a line end with one that only some parsers accept.
            ends = self.cuts_in(data)
            at = ends[0]
            end = self.random.choice((b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\n\r\n", b"\r\n\r\n"))
            return data[: max(at - 1, 0)] + end + data[at + 1 :]
        heads = [at for at in _places(data, b"Host: ") if data[:at].endswith(b"\r\n")]
        at = self.random.choice(heads) if heads else 0
        if kind in (4, 5):
            return data[:at] + self.random.choice(_FIELDS) + b"\r\n" + data[at:]
        old, new = self.random.choice(_SPELLINGS)
        places = _places(data, old)
        if not places:
            return data[:at] + self.random.choice(_FIELDS) + b"\r\n" + data[at:]
        at = self.random.choice(places)
        return data[:at] + new + data[at + len(old) :]

    def _stream(self) -> bytes:
        path = self.random.choice(_STREAMS)
        fields = []
        if self.random.random() < 0.4:
            fields.append("Forst-Frames: 1")
        if self.random.random() < 0.3:
            fields.append("Forst-On-Error: " + self.random.choice(("skip", "emit")))
        if self.random.random() < 0.15:
            fields.append("Accept-Encoding: " + self.random.choice(("gzip", "zstd, gzip")))
        if self.random.random() < 0.1:
            fields.append("Expect: 100-continue")
        body = self._lines()
        if self.random.random() < 0.15:
            coding, encode = self.random.choice(
                (("gzip", gzip.compress), ("deflate", zlib.compress))
            )
            fields.append(f"Content-Encoding: {coding}")
            body = encode(body)
        return self._framed(f"POST {path} HTTP/1.1", fields, body)

    def _plain(self) -> bytes:
        method = self.random.choice(("GET", "GET", "GET", "HEAD"))
        start = f"{method} {self.random.choice(_PLAIN)} HTTP/1.1"
        if self.random.random() < 0.6:
            return _head(start, ["Host: localhost"])
        # The server never reads this body, so it may be anything.
        body = self.random.choice(
            (b"", b"x" * self.random.randrange(300_000), self._publish(), b"0\r\n\r\n", b"\r\n\r\n")
        )
        return self._framed(start, [], body)

    def _publish(self) -> bytes:
        fields = ["Forst-On-Error: skip"] if self.random.random() < 0.3 else []
        lines = [b'{"id":"%b"}\n' % self._id() for _ in range(self.random.choice((1, 1, 2, 5)))]
        if self.random.random() < 0.2:
            lines.insert(self.random.randrange(len(lines)), b"no record\n")
        return self._framed("POST /sources/events HTTP/1.1", fields, b"".join(lines))

    def _failing(self) -> bytes:
        """Draw a stream that ends with an error, on a connection that stays open."""
        path = self.random.choice(_STREAMS)
        fields = ["Forst-Frames: 1"]
        body = self._lines()
        if self.random.random() < 0.8:
            fields.append("Forst-On-Error: fail")
            body = self._lines() + b"no record\n" + body
        else:
            fields.append("Content-Encoding: gzip")
            body = b"no gzip" + body
        return self._framed(f"POST {path} HTTP/1.1", fields, body)

    def _ending(self) -> bytes:
        """Draw a request after which the server processes nothing."""
        body = self._lines()
        fields: list[str] = []
        start = "POST /streaming-process HTTP/1.1"
        kind = self.random.randrange(9)
        if kind == 0:
            fields = ["Connection: close"]
        elif kind == 1:
            return (
                _head("POST /same HTTP/1.0", ["Host: localhost", f"Content-Length: {len(body)}"])
                + body
            )
        elif kind == 2:
            start = "POST /nowhere HTTP/1.1"
        elif kind == 3:
            start = self.random.choice(("DELETE", "PUT", "GET")) + " /streaming-process HTTP/1.1"
        elif kind == 4:
            fields = ["Content-Type: multipart/form-data; boundary=x"]
        elif kind == 5:
            fields = [f"Content-Length: {1 << 40}"]
            return _head(start, ["Host: localhost", *fields]) + body
        elif kind == 6:
            fields = ["Forst-On-Error: fail"]
            body = b"no record\n" + body
        elif kind == 7:
            fields = [self.random.choice(("Origin: https://x.test", "Expect: magic"))]
        else:
            start = "POST /sources/nowhere HTTP/1.1"
        return self._framed(start, fields, body)

    def _live(self) -> bytes:
        """Draw a request whose response does not end."""
        wanted = b'{"source":"fixed","from":"start","processor":"pass"}'
        return self._framed("POST /real-time-process HTTP/1.1", ["Forst-Frames: 1"], wanted)

    def _id(self) -> bytes:
        self._count += 1
        return f"{self._mark}-{self._count}".encode()

    def _lines(self) -> bytes:
        """Draw records and a few invalid lines."""
        kind = self.random.randrange(20)
        if kind == 0:
            return b""
        count = self.random.choice((1, 1, 1, 2, 3, 10, 50))
        lines = [b'{"id":"%b","data":"x"}\n' % self._id() for _ in range(count)]
        if kind < 4:
            lines.insert(
                self.random.randrange(count), self.random.choice((b"\r\n", b"\n", b"{}\n"))
            )
        if kind == 5:
            # A large input with almost no output.
            lines.append(b" " * self._size() + b"\n")
        elif kind == 6:
            # Lines that would be requests outside a body.
            lines.append(
                self.random.choice((self._publish(), b"\r\n\r\n0\r\n\r\n" + self._publish()))
            )
        elif kind == 7:
            lines[-1] = lines[-1].rstrip(b"\n")
        elif kind == 8:
            text = b"y" * 1000
            count = self._size() // 1000
            lines += [b'{"id":"%b","data":"%b"}\n' % (self._id(), text) for _ in range(count)]
        return b"".join(lines)

    def _size(self) -> int:
        if self.random.random() < 0.5:
            return self.random.choice(_EDGES[2:]) + self.random.randrange(-200, 200)
        return self.random.randrange(1, 600_000)

    def _framed(self, start: str, fields: list[str], body: bytes) -> bytes:
        fields = ["Host: localhost", *fields]
        if self.random.random() < 0.1:
            fields.append("X-Filler: " + "z" * self.random.randrange(8000))
        self.random.shuffle(fields)
        if self.random.random() < 0.35:
            fields.insert(self.random.randrange(len(fields) + 1), f"Content-Length: {len(body)}")
            return _head(start, fields) + body
        name = self.random.choice(("Transfer-Encoding: chunked", "transfer-encoding:CHUNKED"))
        fields.insert(self.random.randrange(len(fields) + 1), name)
        return _head(start, fields) + self._chunks(body)

    def _chunks(self, body: bytes) -> bytes:
        most = self.random.choice((1, 3, 20, 1000, 1 << 16, 1 << 20))
        if most < len(body) // 20_000:
            most = 5000
        found: list[bytes] = []
        place = 0
        while place < len(body):
            size = min(self.random.randrange(1, most + 1), len(body) - place)
            text = self.random.choice(("%x", "%x", "%X", "0%x", "%x;a", '%x;a=b;c="d; \\" e"'))
            found += [(text % size).encode(), b"\r\n", body[place : place + size], b"\r\n"]
            place += size
        found.append(self.random.choice((b"0\r\n", b"0\r\n", b"000\r\n", b"0;last\r\n")))
        if self.random.random() < 0.2:
            found.append(b"X-Trailer: GET / HTTP/1.1\r\n" * self.random.randrange(1, 4))
        return b"".join([*found, b"\r\n"])


# Fields that define, or seem to define, the end of a body.
_FIELDS = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: xchunked",
    b"X-A: b\nTransfer-Encoding: chunked",
    b"X-A: b\r\n Transfer-Encoding: chunked",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length : 5",
    b"Content-Length: 18446744073709551621",
    b"Host: localhost",
    b"X A: b",
    b": b",
    b"Connection: close",
    b"Connection: Upgrade\r\nUpgrade: websocket",
    b"X-A:" + b" " * 100,
)

# Valid spellings in a request, and variants of them.
_SPELLINGS = (
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked, chunked"),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 10"),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 7"),
    (b"Content-Length: ", b"Content-Length: 0"),
    (b"Content-Length: ", b"Content-Length: 1"),
    (b"Content-Length: ", b"Content-Length: -"),
    (b"Content-Length", b"Content_Length"),
    (b"HTTP/1.1\r\n", b"HTTP/1.0\r\n"),
    (b"HTTP/1.1\r\n", b"HTTP/1.2\r\n"),
    (b"HTTP/1.1\r\n", b"HTTP/2.0\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n00000000000000000000\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n0x0\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n 0\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n0 \r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n-0\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n0;\n\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n0\n\r\n"),
    (b"\r\n0\r\n\r\n", b"0\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n10000000000000000\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\nffffffffffffffff\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n0\r\nContent-Length: 5\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n0\r\nX-A: b\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n0\r\nX-A : b\r\n\r\n"),
    (b"\r\n0\r\n\r\n", b"\r\n1\r\n\r\n"),
)


def _head(start: str, fields: list[str]) -> bytes:
    return "\r\n".join([start, *fields, "", ""]).encode()


def _places(data: bytes, wanted: bytes) -> list[int]:
    found: list[int] = []
    place = data.find(wanted)
    while place >= 0:
        found.append(place)
        place = data.find(wanted, place + 1)
    return found
