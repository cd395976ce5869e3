"""The feeds of this process. Subscribers with equal requests share a live feed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor

from aiohttp import web

from forstcore import Filter
from forstcore.sources import NOW, Keeps, Reader, Source, SourceLimits, open_source
from server.background import log_failure
from server.config import ServerConfig
from server.live.acknowledgements import Unacknowledged
from server.live.feed import Feed
from server.live.feed_processor import CoreFeedProcessor, EngineFeedProcessor, FeedProcessor
from server.live.shared_source import SharedReader, SharedSource
from server.live.subscriber import Subscriber
from server.live.subscription_request import SubscriptionRequest

__all__ = ["FEEDS", "WORKER_VARIABLE", "FeedRegistry", "worker_number"]

WORKER_VARIABLE = "FORSTCORE_WORKER"
"""Environment variable with the number of a worker, which its replacement inherits."""


def worker_number() -> int:
    """Return the number of this worker, counted from 1; 1 if it is the only process."""
    return int(os.environ.get(WORKER_VARIABLE, "1"))


class FeedRegistry:
    """The sources of this process and their feeds.

    Subscribers that start at the end of a source share a live feed, which does not wait for slow
    ones. A subscriber that starts earlier has a catch-up feed of its own, which waits for it,
    until it has caught up with the live feed. A subscriber also has a feed of its own if it
    acknowledges records, or if the source distributes its records among readers.

    Args:
        config: the sources and their limits.
        threads: returns the thread pool of a processor, by its name.

    Attributes:
        config: as above; may be replaced.
        sources: the sources by name.

    Raises:
        SourceError: the configuration of a source is invalid.
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
        self._shared = {
            name: SharedSource(source, config.queue_size, config.max_line_size)
            for name, source in self.sources.items()
            if source.is_shared
        }
        self.config = config
        self._threads = threads
        self._live: dict[object, Feed] = {}
        self._feeds: dict[Feed, str] = {}  # Source names by feed.

    def names(self) -> str:
        """Return a list of the sources for error messages."""
        return f"sources: {', '.join(sorted(self.sources)) or 'none'}"

    def troubles(self) -> dict[str, str]:
        """Return the errors of sources that cannot be read now, by name."""
        return {
            name: feed.trouble.detail or "down"
            for feed, name in self._feeds.items()
            if feed.trouble is not None
        }

    def offset(self, name: str) -> str | None:
        """Return the offset of the shared reading of a source, None if unknown."""
        shared = self._shared.get(name)
        return shared.reading.offset or None if shared is not None and shared.reading else None

    def reader_count(self, name: str) -> int:
        """Return the number of readers of a source, each with a connection if it needs one."""
        shared = self._shared.get(name)
        others = sum(source == name and not feed.is_sharing for feed, source in self._feeds.items())
        return others + (shared.reader_count if shared is not None else 0)

    def check(self, request: SubscriptionRequest) -> None:
        """Raise OffsetError if the source cannot be read from the requested offset."""
        self.sources[request.source].check(request.start)

    def keeps(self, request: SubscriptionRequest) -> Keeps:
        """Return what the source keeps for a subscriber that reconnects, as `Source.keeps`."""
        return self.sources[request.source].keeps

    def is_acknowledged(self, request: SubscriptionRequest) -> bool:
        """Return whether the source redelivers what the subscriber does not acknowledge."""
        return request.acknowledges and self.keeps(request) == "unacknowledged"

    def join(self, request: SubscriptionRequest, subscriber: Subscriber) -> None:
        """Start serving a subscriber."""
        source = self.sources[request.source]
        is_live = source.is_shared and request.start == NOW and not self.is_acknowledged(request)
        feed = self._live.get(request.feed_key) if is_live else None
        if feed is None:
            feed = self._start(request, source, is_live)
        feed.add(subscriber)

    def leave(self, subscriber: Subscriber) -> Feed | None:
        """Stop serving a subscriber; return the feed that has served it, if any."""
        for feed in self._feeds:
            if feed.remove(subscriber):
                return feed
        return None

    async def close(self) -> None:
        """Close all feeds and sources."""
        await asyncio.gather(*(feed.close() for feed in tuple(self._feeds)))
        for name, source in self.sources.items():
            await log_failure(f"closing the source {name!r}", source.close())

    def _start(self, request: SubscriptionRequest, source: Source, is_live: bool) -> Feed:
        key = request.feed_key
        is_acknowledged = self.is_acknowledged(request)

        def caught_up(feed: Feed) -> bool:
            if is_acknowledged:
                return False
            live = self._live.get(key)
            if live is None and isinstance(reader, SharedReader) and reader.is_sharing:
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

        record_filter = Filter(request.filters) if request.filters else None
        reader: Reader
        if is_acknowledged or not source.is_shared:
            reader = source.open(request.start, request.session if is_acknowledged else "")
        else:
            reader = self._shared[request.source].open(request.start, record_filter)
        unacknowledged = None
        if is_acknowledged:
            config = self.config
            unacknowledged = Unacknowledged(reader, config.buffer_size, config.queue_size)
        feed = Feed(
            reader,
            self._processor(request, record_filter),
            waits=not is_live,
            unacknowledged=unacknowledged,
            on_caught_up=caught_up,
            on_end=end,
            on_closed=closed,
        )
        self._feeds[feed] = request.source
        if is_live:
            self._live[key] = feed
        return feed

    def _processor(
        self, request: SubscriptionRequest, record_filter: Filter | None
    ) -> FeedProcessor:
        config, processor = self.config, request.processor
        if processor.kind == "native":
            return CoreFeedProcessor(
                processor, record_filter, request.on_error, config.max_line_size
            )
        return EngineFeedProcessor(
            processor,
            record_filter,
            self._threads(processor.name),
            on_error=request.on_error,
            max_line_size=config.max_line_size,
            workers=config.workers,
            worker_kind=config.worker_kind,
            buffer_size=config.buffer_size,
        )


FEEDS = web.AppKey("FEEDS", FeedRegistry)
