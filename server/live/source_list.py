"""The current state of the sources of a server."""

from __future__ import annotations

from collections import Counter

from forstcore.sources import without_password
from server.live.feed_registry import FeedRegistry
from server.streams.registry import StreamRegistry

__all__ = ["SourceList"]


class SourceList:
    """Summarize the state of the sources of this process.

    Args:
        registry: the open streams, including subscriptions.
        feeds: the sources.
    """

    def __init__(self, registry: StreamRegistry, feeds: FeedRegistry) -> None:
        self._registry = registry
        self._feeds = feeds

    def documents(self) -> list[dict[str, object]]:
        """Describe each source; missed records are counted for open subscriptions only."""
        subscribers: Counter[str] = Counter()
        missed: Counter[str] = Counter()
        for stream in self._registry.streams:
            snapshot = stream.snapshot()
            if snapshot.source is not None:
                subscribers[snapshot.source] += 1
                missed[snapshot.source] += snapshot.missed
        troubles = self._feeds.troubles()
        urls = self._registry.config.sources
        return [
            {
                "name": name,
                "url": without_password(urls[name]),
                "state": "down" if name in troubles else "up",
                "trouble": troubles.get(name),
                "offset": self._feeds.offset(name),
                "subscribers": subscribers[name],
                "readers": self._feeds.reader_count(name),
                "missed": missed[name],
            }
            for name in sorted(self._feeds.sources)
        ]
