"""Conditions for the epoll fast path, which serves a stream without the event loop."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

from forstcore import RecordStream
from server.http.body_protocol import BodyProtocol
from server.http.control_lines import ControlLines
from server.streams._fast_path import AVAILABLE, FastPath

__all__ = ["fast_path_of"]

_EPOLL: Any = getattr(selectors, "EpollSelector", ())


def fast_path_of(
    body_protocol: BodyProtocol,
    stream: RecordStream,
    control_lines: ControlLines | None,
    records_rejected: bool,
) -> FastPath | None:
    """Create the fast path of a stream if its event loop and connection support it.

    Args:
        body_protocol: reads the body from the connection of the response.
        stream: processes the body.
        control_lines: the writer of control lines, None for none.
        records_rejected: whether rejected lines are written to an error file.
    """
    # Only the loop of `server.process.event_loop` exposes its selector.
    selector = getattr(asyncio.get_running_loop(), "selector", None)
    connection = body_protocol.transport.get_extra_info("socket")
    if (
        not AVAILABLE
        or not isinstance(selector, _EPOLL)
        or connection is None
        or body_protocol.transport.get_extra_info("sslcontext") is not None
    ):
        return None
    return FastPath(
        selector.fileno(),
        connection.fileno(),
        body_protocol.buffer,
        body_protocol.decoder,
        stream,
        control_lines,
        records_rejected,
    )
