"""Counters as trailers of a response, for clients without control lines.

In `skip` mode, a body without any valid record gets status 200 and an empty body: only the
trailers show that lines were rejected.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, hdrs, web

from forstcore.wire import TRAILERS
from server.observe.counters import Counted, came_to_nothing

__all__ = ["Trailers"]


class Trailers:
    """The trailer section of one response.

    Clients request trailers with `TE: trailers`. If all lines were rejected, every client gets
    them; clients that do not know trailers ignore them.

    Args:
        request: the request.
        stream: the counters of the stream.
        has_frames: whether the client gets control lines, and with them the counters in `:end`.

    Attributes:
        announced: value of the `Trailer` header, empty for none.
    """

    def __init__(self, request: web.Request, stream: Counted, *, has_frames: bool) -> None:
        self._stream = stream
        self._may = request.version >= HttpVersion11 and not has_frames
        asked = ",".join(request.headers.getall(hdrs.TE, [])).lower().split(",")
        self._wanted = self._may and "trailers" in map(str.strip, asked)
        self.announced = ", ".join(TRAILERS) if self._wanted else ""

    def section(self) -> bytes:
        """Return the trailer fields, each with its CRLF, or b"" for none."""
        if not (self._wanted or (self._may and came_to_nothing(self._stream))):
            return b""
        lines = (f"{name}: {getattr(self._stream, of)}\r\n" for name, of in TRAILERS.items())
        return "".join(lines).encode()
