"""The sources and who subscribes to them, as rows of a table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from server.live.feed_registry import Hub
from server.live.subscription import Tally
from server.streams.registry import State

if TYPE_CHECKING:
    from server.streams.handler import Exchange

__all__ = ["Sources", "subscribed_source"]


class Sources:
    """Tell what the sources of this process are doing.

    Args:
        state: the streams, subscriptions among them.
        hub: the sources.
    """

    def __init__(self, state: State, hub: Hub) -> None:
        self._state = state
        self._hub = hub

    def look(self) -> list[dict[str, object]]:
        """Return a row for each source; what was missed is that of open subscriptions."""
        subscribers: Counter[str] = Counter()
        missed: Counter[str] = Counter()
        for exchange in self._state.streams:
            if name := subscribed_source(exchange):
                assert isinstance(exchange.stream, Tally)
                subscribers[name] += 1
                missed[name] += exchange.stream.missed
        troubles = self._hub.troubles()
        urls = self._state.config.sources
        return [
            {
                "name": name,
                "kind": urls[name].partition(":")[0],
                "state": troubles.get(name, "up"),
                "subscribers": subscribers[name],
                "missed": missed[name],
            }
            for name in sorted(self._hub.sources)
        ]


def subscribed_source(exchange: Exchange) -> str | None:
    """Name the source that a subscription is to; None for other streams."""
    return getattr(exchange, "source", None)
