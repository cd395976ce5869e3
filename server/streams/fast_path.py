"""When a stream may be served past the event loop."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

from forstcore import RecordStream
from server.http.body_takeover import Takeover
from server.http.control_lines import Frames
from server.streams._fast_path import AVAILABLE, Relay

__all__ = ["relay_of"]

_EPOLL: Any = getattr(selectors, "EpollSelector", ())


def relay_of(takeover: Takeover, stream: RecordStream, frames: Frames | None) -> Relay | None:
    """Make the relay of a stream, where its loop and its connection allow for one.

    Args:
        takeover: what reads the body; results go to the same connection, which nothing
            stands before: no TLS.
        stream: what processes it.
        frames: the writer of control lines, None for none.
    """
    # The loop of `server.process.event_loop` has it; others do not show theirs.
    selector = getattr(asyncio.get_running_loop(), "selector", None)
    connection = takeover.transport.get_extra_info("socket")
    if (
        not AVAILABLE
        or not isinstance(selector, _EPOLL)
        or connection is None
        or takeover.transport.get_extra_info("sslcontext") is not None
    ):
        return None
    return Relay(
        selector.fileno(),
        connection.fileno(),
        takeover.buffer,
        takeover.decoder,
        stream,
        frames,
    )
