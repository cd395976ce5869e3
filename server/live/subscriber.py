"""The output side of a subscription: deliveries that come whether or not the client reads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from forstcore.wire import StreamErrorCode
from server.config import ServerConfig
from server.errors import StreamError
from server.http.request_handler import RequestHandler
from server.live.delivery import Delivery, add_missed
from server.live.live_control_lines import LiveControlLines
from server.live.subscription_counters import SubscriptionCounters
from server.streams.response_writer import ResponseWriter, StreamingResponse

__all__ = ["Subscriber"]

_SHARED = 1 << 14  # Bytes from which results are not copied to have control lines around them.
_FIRST_LOOK = 0.001  # Seconds until it is looked whether the client has taken what was sent,
_LAST_LOOK = 0.05  # and the longest pause between two looks.


class Subscriber(ResponseWriter):
    """Write deliveries to a response, and keep a bounded queue of them for a slow reader.

    Of a queue that is full the oldest are dropped, and a control line says how many records
    the client missed. Who delivers may instead wait for `flushed`, and then nothing is dropped.

    Args:
        counters: counters of what is delivered.
        limit: bytes that may wait.
        protocol, response, config, control_lines, coding: as for `ResponseWriter`.

    Attributes:
        ended: done when nothing more will be delivered; the error if that is one.
        acknowledge: called with the number of lines that the client is done with.
    """

    def __init__(
        self,
        counters: SubscriptionCounters,
        limit: int,
        protocol: RequestHandler,
        response: StreamingResponse,
        config: ServerConfig,
        control_lines: LiveControlLines | None,
        coding: str | None,
    ) -> None:
        super().__init__(protocol, response, config, control_lines, coding)
        self.ended: asyncio.Future[StreamError | None] = asyncio.get_running_loop().create_future()
        self.acknowledge: Callable[[int], None] = _ignore
        self._protocol.on_writable = self._moved
        self._counters = counters
        self._live = control_lines
        self._limit = limit
        self._queue: deque[Delivery] = deque()
        self._size = 0
        self._missed: int | None = 0
        self._flush: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> bool:
        return super().waiting or bool(self._queue) or not self.all_taken

    @property
    def all_taken(self) -> bool:
        """Whether the client's side has taken all that was sent."""
        return self.accepted() >= self.sent

    def deliver(self, delivery: Delivery) -> None:
        """Write a delivery, or keep it until the client reads. Never waits, never raises."""
        if not self._queue and self.ready:
            self._put(delivery)
            return
        self._append(delivery)
        while self._size > self._limit and len(self._queue) > 1:
            dropped = self._take()
            self._missed = add_missed(self._missed, dropped.missed)
            self._missed = add_missed(self._missed, dropped.counts.lines)
            if dropped.notice is not None and all(each.notice is None for each in self._queue):
                # The state of the source is not to be missed.
                self._append(Delivery(notice=dropped.notice))

    def finish(self, error: StreamError | None = None) -> None:
        """Say that nothing more will be delivered."""
        if not self.ended.done():
            self.ended.set_result(error)

    def spool_from_now(self) -> None:
        """Do nothing: here a client that does not read misses records instead."""

    async def flushed(self) -> None:
        """Wait until nothing waits for the client."""
        while self._queue or not self.ready:
            self._flush = asyncio.get_running_loop().create_future()
            await self._flush

    async def taken(self) -> None:
        """Wait until the client's side has taken all that was delivered."""
        pause = _FIRST_LOOK
        while not self.all_taken:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)

    def _append(self, delivery: Delivery) -> None:
        self._queue.append(delivery)
        self._size += delivery.size

    def _take(self) -> Delivery:
        delivery = self._queue.popleft()
        self._size -= delivery.size
        return delivery

    def _put(self, delivery: Delivery) -> None:
        missed = add_missed(self._missed, delivery.missed)
        self._missed = 0
        self._counters.add(delivery, missed)
        try:
            if self._live is None:
                self._write(delivery)
            else:
                before = self._live.before(delivery, missed)
                self._write(delivery, before, self._live.after(delivery))
        except StreamError as error:
            self.finish(error)

    def _write(self, delivery: Delivery, before: bytes = b"", after: bytes = b"") -> None:
        results = delivery.results
        if not (before or results or after):
            return
        is_apart = len(results) >= _SHARED or not (before or after)
        if self._encoder is None and self._chunked and is_apart:
            if before:
                self.send_now(self._encoded(before))
            self.send_now(delivery.chunk)
            if after:
                self.send_now(self._encoded(after))
        else:
            self.send_now(self._encoded(before + results + after))

    def _moved(self) -> None:
        """Go on: the connection takes more, or is lost."""
        if self._protocol.transport is None:
            self.finish(StreamError(StreamErrorCode.DISCONNECTED))
        while self._queue and self.ready:
            self._put(self._take())
        if self._flush is not None and not self._flush.done():
            self._flush.set_result(None)
        self._stop_waiting()


def _ignore(_lines: int) -> None:
    """Do nothing with an acknowledgement: the source has offsets instead."""
