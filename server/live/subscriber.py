"""The output side of a subscription: deliveries arrive even if the client does not read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from forstcore.wire import StreamErrorCode
from server.config import ServerConfig
from server.errors import StreamError
from server.http.request_handler import RequestHandler
from server.live.delivery import Delivery, add_missed
from server.live.event_stream import EventStream
from server.live.live_control_lines import LiveControlLines
from server.live.subscription_counters import SubscriptionCounters
from server.streams.response_writer import ResponseWriter, StreamingResponse

__all__ = ["Subscriber"]

_SHARED = 1 << 14  # Bytes of results from which control lines are written apart, to avoid a copy.
_FIRST_LOOK = 0.001  # Initial polling interval of `taken`, in seconds.
_LAST_LOOK = 0.05  # Maximum polling interval.


class Subscriber(ResponseWriter):
    """Write deliveries to a response, with a bounded queue for a slow client.

    If the queue is full, the oldest deliveries are dropped, and the client gets the number of
    missed records. A feed that waits for `flushed` after each delivery avoids drops.

    Args:
        counters: counters of the deliveries.
        limit: maximum bytes in the queue.
        protocol, response, config, control_lines, coding: as for `ResponseWriter`.

    Attributes:
        ended: done when nothing more will be delivered; its result is the error, None if none.
        acknowledge: called with the number of lines that the client has acknowledged.
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
        """Whether the client's host has received everything that was sent."""
        return self.accepted() >= self.sent

    def deliver(self, delivery: Delivery) -> None:
        """Write or queue a delivery. Never waits and never raises."""
        if not self._queue and self.ready:
            self._put(delivery)
            return
        self._append(delivery)
        while self._size > self._limit and len(self._queue) > 1:
            dropped = self._take()
            self._missed = add_missed(self._missed, dropped.missed)
            self._missed = add_missed(self._missed, dropped.counts.lines)
            if dropped.notice is not None and all(each.notice is None for each in self._queue):
                # Always deliver the latest state of the source.
                self._append(Delivery(notice=dropped.notice))

    def finish(self, error: StreamError | None = None) -> None:
        """End the deliveries."""
        if not self.ended.done():
            self.ended.set_result(error)

    def spool_from_now(self) -> None:
        """Do nothing: a subscriber that does not read misses records instead."""

    async def flushed(self) -> None:
        """Wait until the queue is empty and the connection is writable."""
        while self._queue or not self.ready:
            self._flush = asyncio.get_running_loop().create_future()
            await self._flush

    def start_events(self, events: EventStream) -> None:
        """Write what precedes all events."""
        self.send_now(self._encoded(events.start()))

    async def taken(self) -> None:
        """Wait until the client's host has received everything that was delivered."""
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
            elif isinstance(self._live, EventStream):
                self.send_now(self._encoded(self._live.events(delivery, missed)))
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
        """Write the queue: the connection is writable again, or lost."""
        if self._protocol.transport is None:
            self.finish(StreamError(StreamErrorCode.DISCONNECTED))
        while self._queue and self.ready:
            self._put(self._take())
        if self._flush is not None and not self._flush.done():
            self._flush.set_result(None)
        self._stop_waiting()


def _ignore(_lines: int) -> None:
    """Ignore an acknowledgement: the source uses offsets instead."""
