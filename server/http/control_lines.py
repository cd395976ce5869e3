"""Control lines, for clients that ask for them with `Forst-Frames: 1`.

A control line starts with ':', which no JSON value does, so that it is never taken for a
result: `:ack N`, `:rejected N…`, `:end {…}` and `:error {…}`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from forstcore import RejectedLines, wire
from forstcore._io.digest import digest_text, new_digest
from server.errors import StreamError, problem
from server.observe.counters import Counted, came_to_nothing, counters_of

__all__ = ["ControlLines", "rejected_line"]


class ControlLines:
    """Write the control lines of one stream.

    Args:
        stream: the stream whose counters they tell.

    Attributes:
        digest: of the result and error lines so far.
        acked: lines that the last acknowledgement with results named.
    """

    def __init__(self, stream: Counted) -> None:
        self._stream = stream
        self.digest = new_digest()
        self.acked = 0

    def results(self, results: bytes, rejected: RejectedLines | None = None) -> bytes:
        """Add what is to be said of a batch of results, if it is news.

        Before them, which of the lines are error lines; behind them, the acknowledgement of
        all input lines so far.

        Args:
            results: result and error lines.
            rejected: the input lines that gave an error among theirs, None for none.
        """
        self.digest.update(results)
        if rejected is not None:
            results = rejected_line(rejected.places) + results
        if self._stream.lines == self.acked:
            return results
        self.acked = self._stream.lines
        return results + wire.ack_line(self.acked)

    def ack(self) -> bytes:
        """Write the acknowledgement alone, as a heartbeat."""
        return wire.ack_line(self._stream.lines)

    def end(self) -> bytes:
        """Write the last line of a stream that ended well.

        The digest covers the result and error lines, without control lines.
        """
        digest = digest_text(self.digest)
        counters: dict[str, object] = {**counters_of(self._stream), "digest": digest}
        if came_to_nothing(self._stream):
            # With on_error=skip, nothing else says why there are no results.
            counters["errors_by_code"] = self._stream.errors_by_code()
        return wire.control_line(wire.END, json.dumps(counters, separators=(",", ":")).encode())

    def error(self, error: StreamError) -> bytes:
        """Write why the stream ends here."""
        return wire.control_line(wire.ERROR, problem(error.status, error.detail, code=error.code))


def rejected_line(places: Sequence[int]) -> bytes:
    """Write which of the lines that follow are error lines: nothing, if none is."""
    return wire.control_line(wire.REJECTED, " ".join(map(str, places)).encode()) if places else b""
