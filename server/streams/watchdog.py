"""The timer of a stream: heartbeats, timeouts, half-duplex clients and idle memory."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from forstcore.wire import StreamErrorCode
from server.config import ServerConfig
from server.errors import StreamError
from server.streams.request_body import RequestBody
from server.streams.response_writer import ResponseWriter

__all__ = ["Watchdog"]

_GRID = 0.5  # Seconds; idle streams are checked at multiples of it.


class Watchdog:
    """Check the progress of a stream, a few times a second while it has work.

    Reads and writes have no time limits of their own. Progress is measured in bytes read from
    the connection and bytes that the client's host has received. An idle stream is checked only
    when its next heartbeat is due, or a quarter of its timeout later, until a write has to wait
    for the client.

    Args:
        body, writer: the input and the output side.
        is_reading: returns whether reading is not paused; if it is, input may be waiting.
        is_processing: returns whether input is being processed, which counts as progress.
        interrupt: ends the stream with an error.
        config: timeout, stall and heartbeat, in seconds.
    """

    def __init__(
        self,
        body: RequestBody,
        writer: ResponseWriter,
        is_reading: Callable[[], bool],
        is_processing: Callable[[], bool],
        interrupt: Callable[[StreamError], None],
        config: ServerConfig,
    ) -> None:
        self._body = body
        self._writer = writer
        self._is_reading = is_reading
        self._is_processing = is_processing
        self._interrupt = interrupt
        self._config = config
        self._loop = asyncio.get_running_loop()
        # Before the first line there are no results, so no stall can occur.
        self._interval = min(config.timeout / 4, config.heartbeat)
        now = self._loop.time()
        self._received = 0
        self._is_resting = False
        self._accepted = 0
        self._sent = 0
        self._input_at = now  # when each of these last grew
        self._output_at = now
        self._written_at = now
        self._timer = self._loop.call_later(self._interval, self._tick)
        writer.on_wait = self._end_rest

    def begin(self) -> None:
        """Check more often: the client has begun to send records."""
        config = self._config
        self._interval = min(config.timeout, config.stall, config.heartbeat, 4.0) / 4
        self._timer.cancel()
        self._timer = self._loop.call_later(self._interval, self._tick)

    def stop(self) -> None:
        """Stop the timer."""
        self._timer.cancel()
        self._writer.on_wait = None

    def _end_rest(self) -> None:
        """Check more often again: a write is waiting for the client."""
        if self._is_resting:
            self._is_resting = False
            # The last check may have been long ago.
            self._output_at = self._loop.time()
            self._timer.cancel()
            self._timer = self._loop.call_later(self._interval, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        waiting, accepted = self._writer.waiting, self._accepted
        if waiting or accepted < self._writer.sent:
            # This takes a system call.
            accepted = self._writer.accepted()
        is_processing = self._is_processing() and not waiting
        if self._body.received != self._received or is_processing:
            self._received = self._body.received
            self._input_at = now
            self._is_resting = False
        elif not self._is_resting:
            self._body.release_memory()
            self._is_resting = True
        if accepted > self._accepted:
            self._accepted = accepted
            self._output_at = now
        if self._writer.sent != self._sent:
            self._sent = self._writer.sent
            self._written_at = now
        self._timer = self._loop.call_at(self._next_check(now, waiting), self._tick)

        config = self._config
        if now - max(self._input_at, self._output_at) > config.timeout:
            side = "the client took no results" if waiting else "no input came"
            self._interrupt(
                StreamError(
                    StreamErrorCode.TIMEOUT, f"{side} for {config.timeout:g} seconds (timeout)"
                )
            )
        elif waiting:
            if now - self._output_at > config.stall and not self._is_reading():
                self._writer.spool_from_now()
        elif (self._body.waiting or is_processing) and now - self._written_at >= config.heartbeat:
            self._writer.heartbeat()
            self._written_at = now

    def _next_check(self, now: float, waiting: bool) -> float:
        """Return when to check again."""
        if waiting or not self._is_resting or self._accepted < self._sent:
            return now + self._interval
        due = now + self._config.timeout / 4
        if self._writer.has_heartbeats:
            beat = self._written_at + self._config.heartbeat
            due = min(due, beat if beat > now else now + self._config.heartbeat)
        due = max(due, now + self._interval)
        if due - now < 2 * _GRID:
            return due
        # Checking many streams at the same time wakes the process only once.
        return math.ceil(due / _GRID) * _GRID
