"""Control lines, for clients that ask for them with `Forst-Frames: 1`.

A control line starts with ':', unlike any JSON value, so it cannot be mistaken for a result:
`:ack N`, `:rejected N…`, `:end {…}` and `:error {…}`.
"""

from __future__ import annotations

import json

from forstcore import RejectedLines, wire
from forstcore._io.digest import digest_text, new_digest
from server.errors import StreamError, problem
from server.observe.counters import (
    Counted,
    came_to_nothing,
    counters_of,
    optional_counters_of,
)

__all__ = ["ControlLines", "rejected_line"]


class ControlLines:
    """Write the control lines of one stream.

    Args:
        stream: the counters of the stream.

    Attributes:
        digest: hash of the result and error lines so far.
        acked: number in the last acknowledgement sent with results.
    """

    def __init__(self, stream: Counted) -> None:
        self._stream = stream
        self.digest = new_digest()
        self.acked = 0

    def results(self, results: bytes, rejected: RejectedLines | None = None) -> bytes:
        """Add the control lines of a batch of results.

        A `:rejected` line before them lists the error lines, if any. An `:ack` line after them
        acknowledges all input lines so far, unless it would repeat the last one.

        Args:
            results: result and error lines.
            rejected: the rejected input lines, None for none.
        """
        self.digest.update(results)
        ack = b""
        if self._stream.lines != self.acked:
            self.acked = self._stream.lines
            ack = wire.ack_line(self.acked)
        return b"".join((rejected_line(rejected), results, ack))

    def ack(self) -> bytes:
        """Return an `:ack` line, for a heartbeat."""
        return wire.ack_line(self._stream.lines)

    def end(self) -> bytes:
        """Return the `:end` line of a successful stream.

        The digest covers the result and error lines, without control lines.
        """
        digest = digest_text(self.digest)
        counters: dict[str, object] = {
            **counters_of(self._stream),
            **optional_counters_of(self._stream),
            "digest": digest,
        }
        if came_to_nothing(self._stream):
            # In skip mode the client has no other way to learn the reasons.
            counters["errors_by_code"] = self._stream.errors_by_code()
        return wire.control_line(wire.END, json.dumps(counters, separators=(",", ":")).encode())

    def error(self, error: StreamError) -> bytes:
        """Return the `:error` line of a failed stream."""
        return wire.control_line(wire.ERROR, problem(error.status, error.detail, code=error.code))


def rejected_line(rejected: RejectedLines | None) -> bytes:
    """Return the `:rejected` line that lists the error lines of some results, empty for none."""
    places = rejected.places_text if rejected is not None else b""
    return wire.control_line(wire.REJECTED, places) if places else b""
