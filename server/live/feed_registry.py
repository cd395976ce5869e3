"""Which feed serves whom: one for all subscribers that want the same."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from aiohttp import web

from forstcore import Filter
from forstcore.processors import Processor
from forstcore.sources import NOW, Keeps, Source, SourceLimits, open_source
from forstcore.wire import OnError
from server.background import log_failure
from server.config import ServerConfig
from server.live.acknowledgements import Unacknowledged
from server.live.delivery import CoreWork, EngineWork, Work
from server.live.feed import Feed
from server.live.subscriber import Subscriber

__all__ = ["FEEDS", "WORKER_VARIABLE", "FeedRegistry", "Order"]

WORKER_VARIABLE = "FORSTCORE_WORKER"
"""Environment variable that tells a worker which of several it is; its successor is the same."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a subscriber wants.

    Attributes:
        source: name of the source.
        filters: which records, empty for all.
        start: from where on.
        processor: what makes results of records.
        on_error: what becomes of a line that is no record.
        acknowledges: whether the subscriber says what it is done with.
    """

    source: str
    filters: Mapping[str, Any]
    start: str
    processor: Processor
    on_error: OnError
    acknowledges: bool = False

    @property
    def key(self) -> object:
        """What is the same for orders that one feed can serve."""
        filters = json.dumps(self.filters, sort_keys=True)
        return self.source, filters, self.processor, self.on_error

    @property
    def session(self) -> str:
        """What is the same for subscribers that may go on where another one has ended."""
        wanted = [self.filters, self.processor.name, self.on_error]
        return sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:8]


class FeedRegistry:
    """The sources of this process, and who reads them.

    Who wants what is new is served by a feed for all who want the same. It waits for nobody.
    Who begins in the past has a feed of its own, which waits for its only subscriber, until
    that has caught up. So has who shares a source's records with others, or acknowledges them.

    Args:
        config: the sources and their limits.
        threads: gives the threads of a processor, by its name.

    Attributes:
        sources: the sources by name.

    Raises:
        SourceError: a source cannot be as configured.
    """

    def __init__(self, config: ServerConfig, threads: Callable[[str], Executor]) -> None:
        limits = SourceLimits(
            ring_size=config.ring_size,
            max_line_size=config.max_line_size,
            worker=os.environ.get(WORKER_VARIABLE, ""),
        )
        self.sources: dict[str, Source] = {
            name: open_source(name, url, limits) for name, url in config.sources.items()
        }
        self._config = config
        self._threads = threads
        self._live: dict[object, Feed] = {}
        self._feeds: dict[Feed, str] = {}  # and the names of their sources

    def names(self) -> str:
        """Say which sources there are."""
        return f"sources: {', '.join(sorted(self.sources)) or 'none'}"

    def troubles(self) -> dict[str, str]:
        """Say what is wrong with sources that cannot be read now."""
        return {
            name: feed.trouble.detail or "down"
            for feed, name in self._feeds.items()
            if feed.trouble is not None
        }

    def check(self, order: Order) -> None:
        """Raise OffsetError if the source cannot be read from where an order says."""
        self.sources[order.source].check(order.start)

    def keeps(self, order: Order) -> Keeps:
        """Say what the source keeps for a subscriber that comes back."""
        return self.sources[order.source].keeps

    def is_acknowledged(self, order: Order) -> bool:
        """Tell whether acknowledgements of the subscriber decide what comes again."""
        return order.acknowledges and self.keeps(order) == "unacknowledged"

    def join(self, order: Order, subscriber: Subscriber) -> None:
        """Serve a subscriber."""
        source = self.sources[order.source]
        is_live = source.is_shared and order.start == NOW and not self.is_acknowledged(order)
        feed = self._live.get(order.key) if is_live else None
        if feed is None:
            feed = self._start(order, source, is_live)
        feed.add(subscriber)

    def leave(self, subscriber: Subscriber) -> Feed | None:
        """Serve a subscriber no more; return the feed that has served it, if there is one."""
        for feed in self._feeds:
            if feed.remove(subscriber):
                return feed
        return None

    async def close(self) -> None:
        """End every feed and every source."""
        await asyncio.gather(*(feed.close() for feed in tuple(self._feeds)))
        for name, source in self.sources.items():
            await log_failure(f"closing the source {name!r}", source.close())

    def _start(self, order: Order, source: Source, is_live: bool) -> Feed:
        key = order.key

        is_acknowledged = self.is_acknowledged(order)

        def caught_up(feed: Feed) -> bool:
            if is_acknowledged:
                return False
            live = self._live.get(key)
            if live is None and source.is_shared:
                self._live[key] = feed
                feed.waits = False
            if live is None or live is feed or not feed.offset or live.offset != feed.offset:
                return False
            feed.hand_over(live)
            return True

        def end(feed: Feed) -> None:
            if self._live.get(key) is feed:
                del self._live[key]

        def closed(feed: Feed) -> None:
            del self._feeds[feed]

        reader = source.open(order.start, order.session if is_acknowledged else "")
        unacknowledged = None
        if is_acknowledged:
            config = self._config
            unacknowledged = Unacknowledged(reader, config.buffer_size, config.queue_size)
        feed = Feed(
            reader,
            self._work(order),
            waits=not is_live,
            unacknowledged=unacknowledged,
            on_caught_up=caught_up,
            on_end=end,
            on_closed=closed,
        )
        self._feeds[feed] = order.source
        if is_live:
            self._live[key] = feed
        return feed

    def _work(self, order: Order) -> Work:
        config = self._config
        wanted = Filter(order.filters) if order.filters else None
        if order.processor.kind == "native":
            return CoreWork(order.processor, wanted, order.on_error, config.max_line_size)
        return EngineWork(
            order.processor,
            wanted,
            self._threads(order.processor.name),
            on_error=order.on_error,
            max_line_size=config.max_line_size,
            workers=config.workers,
            buffer_size=config.buffer_size,
        )


FEEDS = web.AppKey("FEEDS", FeedRegistry)
