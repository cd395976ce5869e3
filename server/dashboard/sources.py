"""The sources and their subscriptions, as rows of a table."""

from __future__ import annotations

from collections import Counter

from server.live.feed_registry import FeedRegistry
from server.streams.registry import StreamRegistry

__all__ = ["Sources"]


class Sources:
    """Summarize the state of the sources of this process.

    Args:
        registry: the open streams, including subscriptions.
        feeds: the sources.
    """

    def __init__(self, registry: StreamRegistry, feeds: FeedRegistry) -> None:
        self._registry = registry
        self._feeds = feeds

    def look(self) -> list[dict[str, object]]:
        """Return a row for each source; missed records are counted for open subscriptions only."""
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
                "kind": urls[name].partition(":")[0],
                "state": troubles.get(name, "up"),
                "subscribers": subscribers[name],
                "missed": missed[name],
            }
            for name in sorted(self._feeds.sources)
        ]
