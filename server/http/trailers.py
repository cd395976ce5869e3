"""Counts behind a response, for clients that ask for no control lines.

In `skip` mode a body of which nothing is a record is answered with 200 and nothing else, but for
these.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, hdrs, web

from forstcore.wire import TRAILERS
from server.observe.counters import Counted, came_to_nothing

__all__ = ["Trailers"]


class Trailers:
    """The trailer section of one response.

    Trailers are sent to clients that ask for them with `TE: trailers`. A client whose lines were
    all rejected gets them in any case: those that ignore trailers lose nothing.

    Args:
        request: the request.
        stream: the counters of its stream.
        has_frames: whether the client gets the counts with `:end`, so that it needs no trailers.

    Attributes:
        announced: value of the header `Trailer`, empty if there is to be none.
    """

    def __init__(self, request: web.Request, stream: Counted, *, has_frames: bool) -> None:
        self._stream = stream
        self._may = request.version >= HttpVersion11 and not has_frames
        asked = ",".join(request.headers.getall(hdrs.TE, [])).lower().split(",")
        self._wanted = self._may and "trailers" in map(str.strip, asked)
        self.announced = ", ".join(TRAILERS) if self._wanted else ""

    def section(self) -> bytes:
        """Write the trailer fields, each with its CRLF; nothing if none are to be sent."""
        if not (self._wanted or (self._may and came_to_nothing(self._stream))):
            return b""
        lines = (f"{name}: {getattr(self._stream, of)}\r\n" for name, of in TRAILERS.items())
        return "".join(lines).encode()
