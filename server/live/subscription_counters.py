"""The counters of a subscription."""

from __future__ import annotations

from server.live.delivery import Delivery

__all__ = ["SubscriptionCounters"]


class SubscriptionCounters:
    """The counters of one subscription.

    Attributes:
        lines: lines of the source that were delivered.
        records, results, filtered, given_back, bytes_in, bytes_out: as of a stream.
        missed: records that were not delivered; those of unknown number are not counted.
    """

    failed = False

    def __init__(self) -> None:
        self.lines = 0
        self.records = 0
        self.results = 0
        self.filtered = 0
        self.given_back = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.missed = 0
        self._errors: dict[str, int] = {}

    @property
    def errors(self) -> int:
        """Rejected lines."""
        return sum(self._errors.values())

    def errors_by_code(self) -> dict[str, int]:
        """Return the number of rejected lines by error code."""
        return dict(self._errors)

    def take_rejected(self) -> None:
        """Return None: the lines are shared by many subscribers; see `Delivery`."""

    def add(self, delivery: Delivery, missed: int | None) -> None:
        """Count a delivery, and the records missed before it."""
        counts = delivery.counts
        self.lines += counts.lines
        self.records += counts.records
        self.results += counts.results
        self.filtered += counts.filtered
        self.given_back += counts.given_back
        self.bytes_in += counts.bytes_in
        self.bytes_out += len(delivery.results)
        self.missed += missed or 0
        for code, count in counts.errors.items():
            self._errors[code] = self._errors.get(code, 0) + count
