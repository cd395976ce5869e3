"""A feed reads a source and delivers to its subscribers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import aclosing

from forstcore.errors import SourceError
from forstcore.sources import Batch, Notice, Reader
from forstcore.wire import StreamErrorCode
from server.background import log_failure
from server.errors import StreamError
from server.live.acknowledgements import Unacknowledged
from server.live.delivery import Delivery
from server.live.feed_processor import FeedProcessor
from server.live.shared_source import SharedReader
from server.live.subscriber import Subscriber

__all__ = ["Feed"]

_LOGGER = logging.getLogger("forstcore")

_TURN = 100  # Subscribers served before the feed yields to other tasks.
_SHORT = 0.001  # Seconds that a delivery may take without a pause after it.
_LONGEST = 0.02  # Maximum seconds of that pause.


class Feed:
    """Read a source, process it once, and deliver to every subscriber.

    Args:
        reader: reads the source.
        processor: processes its records.
        waits: whether to wait for slow subscribers; if not, they miss records.
        unacknowledged: tracks unacknowledged deliveries of the only subscriber. None if
            deliveries are acknowledged to the source once they are sent.
        on_caught_up: called after the last batch that is available now; returns whether the
            subscribers were handed over to another feed.
        on_end: called when the feed accepts no more subscribers.
        on_closed: called when the feed has closed its reader.

    Attributes:
        offset: offset after the last delivery.
        waits: as above; may be changed.
        trouble: why the source cannot be read now, None if it can.
    """

    def __init__(
        self,
        reader: Reader,
        processor: FeedProcessor,
        *,
        waits: bool,
        unacknowledged: Unacknowledged | None,
        on_caught_up: Callable[[Feed], bool],
        on_end: Callable[[Feed], None],
        on_closed: Callable[[Feed], None],
    ) -> None:
        self.offset = ""
        self.waits = waits
        self._reader = reader
        self._processor = processor
        self._unacknowledged = unacknowledged
        self._on_caught_up = on_caught_up
        self._on_end = on_end
        self._subscribers: set[Subscriber] = set()
        self.trouble: Notice | None = None
        self._has_begun = False
        self._is_running = False
        self._is_stopped = False
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: on_closed(self))

    @property
    def is_sharing(self) -> bool:
        """Whether its reader is part of the shared reading of a source."""
        return isinstance(self._reader, SharedReader)

    def add(self, subscriber: Subscriber) -> None:
        """Add a new subscriber, which gets all further deliveries."""
        self._subscribers.add(subscriber)
        if self._unacknowledged is not None:
            subscriber.acknowledge = self._unacknowledged.acknowledge
        if self.trouble is not None:
            subscriber.deliver(Delivery(notice=self.trouble))
        if self._has_begun:
            subscriber.deliver(Delivery(batches=[Batch(b"", self.offset)]))

    def hand_over(self, other: Feed) -> None:
        """Move all subscribers to another feed that is at the same offset."""
        other._subscribers |= self._subscribers
        self._subscribers.clear()

    def remove(self, subscriber: Subscriber) -> bool:
        """Remove a subscriber, and end the feed with the last; return whether it was found."""
        if subscriber not in self._subscribers:
            return False
        self._subscribers.discard(subscriber)
        if not self._subscribers:
            self._stop()
        return True

    async def close(self) -> None:
        """Stop reading, and wait until the task has ended."""
        self._stop()
        await asyncio.wait([self._task])

    def _stop(self) -> None:
        self._on_end(self)
        self._is_stopped = True
        # If cancelled before its first step, the task would not close the reader.
        if self._is_running and not self._task.cancelling():
            self._task.cancel()

    async def _run(self) -> None:
        if self._is_stopped:
            await log_failure("closing a source's reader", self._close_reader())
            return
        self._is_running = True
        error: StreamError | None = None
        telling = asyncio.create_task(self._tell())
        try:
            async with aclosing(self._processor.run(self._reader)) as deliveries:
                async for delivery in deliveries:
                    await self._deliver(delivery)
                    if delivery.is_last and self._on_caught_up(self):
                        break
        except StreamError as ending:
            error = ending
        except SourceError as ending:
            error = StreamError(StreamErrorCode.SOURCE, str(ending))
        except Exception:
            _LOGGER.exception("reading a source ended by an error of the server")
            error = StreamError(StreamErrorCode.INTERNAL)
        finally:
            self._on_end(self)
            telling.cancel()
            await asyncio.wait([telling])
            # The subscribers must end even if closing fails.
            await log_failure("closing a source's reader", self._close_reader())
        for subscriber in self._subscribers:
            subscriber.finish(error)

    async def _close_reader(self) -> None:
        try:
            if self._unacknowledged is not None:
                await self._unacknowledged.close()
        except (SourceError, TimeoutError) as error:
            # The source will redeliver these records.
            _LOGGER.warning("the source did not accept the last acknowledgements: %s", error)
        finally:
            await self._reader.close()

    async def _tell(self) -> None:
        """Forward the acknowledgements of the subscriber to the source."""
        if self._unacknowledged is None:
            return
        error = StreamError(StreamErrorCode.INTERNAL)
        try:
            await self._unacknowledged.tell()
        except SourceError as ending:
            error = StreamError(StreamErrorCode.SOURCE, str(ending))
        except Exception:
            _LOGGER.exception("acknowledging to a source ended by an error of the server")
        for subscriber in self._subscribers:
            subscriber.finish(error)

    async def _deliver(self, delivery: Delivery) -> None:
        # Set first: a subscriber that is added during the delivery starts after it.
        self.offset = delivery.offset or self.offset
        self._has_begun = self._has_begun or delivery.is_start
        if delivery.notice is not None:
            self.trouble = delivery.notice if delivery.notice.state == "down" else None
        if self._unacknowledged is not None:
            self._unacknowledged.add(delivery)
        clock = asyncio.get_running_loop().time
        started = clock()
        served = tuple(self._subscribers)
        for number, subscriber in enumerate(served, 1):
            if subscriber in self._subscribers:
                subscriber.deliver(delivery)
            if number % _TURN == 0:
                await asyncio.sleep(0)
        if self.waits:
            for subscriber in served:
                await subscriber.flushed()
        if self._unacknowledged is not None:
            await self._unacknowledged.room()
        elif delivery.receipts:
            await self._acknowledge(delivery, served)
        if not self.waits and (took := clock() - started) > _SHORT:
            # Leave as much time to other tasks. Records published meanwhile are batched into
            # the next delivery.
            await asyncio.sleep(min(took, _LONGEST))

    async def _acknowledge(self, delivery: Delivery, served: Iterable[Subscriber]) -> None:
        """Acknowledge a delivery to the source once it has been sent."""
        if self.waits:
            for subscriber in served:
                await subscriber.taken()
        for receipt in delivery.receipts:
            await self._reader.acknowledge(receipt)
