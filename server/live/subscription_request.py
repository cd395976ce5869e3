"""The request of a subscriber."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from forstcore.processors import Processor
from forstcore.wire import OnError

__all__ = ["SubscriptionRequest"]


@dataclass(frozen=True, slots=True)
class SubscriptionRequest:
    """A subscription.

    Attributes:
        source: name of the source.
        filters: the records to process; empty for all.
        start: the offset to start at.
        processor: the processor.
        on_error: the handling of lines that are not records.
        acknowledges: whether the subscriber acknowledges lines.
    """

    source: str
    filters: Mapping[str, Any]
    start: str
    processor: Processor
    on_error: OnError
    acknowledges: bool = False

    @property
    def feed_key(self) -> object:
        """Equal for requests that one feed can serve."""
        filters = json.dumps(self.filters, sort_keys=True)
        return self.source, filters, self.processor, self.on_error

    @property
    def session(self) -> str:
        """Equal for requests of which one can resume where another has ended."""
        wanted = [self.filters, self.processor.name, self.on_error]
        return sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:8]
