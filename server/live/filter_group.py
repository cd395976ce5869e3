"""The inboxes of readers with filters, with an index that finds those that a record matches."""

from __future__ import annotations

import time

from forstcore._core.filter_index import FilterIndex
from forstcore.sources import Batch
from server.live.inbox import Inbox, SharedReceipt, Totals

__all__ = ["FilterGroup"]

_LARGEST = 20_000  # Maximum comparisons and names in an index: building it takes some 30 ms.
_SHARE = 20  # Building indexes may take this fraction of the time.


class FilterGroup:
    """Put the lines that match its filter into each of many inboxes, in one pass over the lines.

    Inboxes that are not in the index, because there is only one, or the index would be too large
    or has not been rebuilt yet, get all lines; their readers apply the filter themselves.

    Args:
        max_line_size: maximum bytes of a line.
    """

    def __init__(self, max_line_size: int) -> None:
        self._max_line_size = max_line_size
        self._totals = Totals()
        self._index: FilterIndex | None = None
        self._indexed: list[Inbox | None] = []  # By number in the index; None if removed.
        self._numbers: dict[Inbox, int] = {}
        self._others: dict[Inbox, None] = {}
        self._too_large: dict[Inbox, None] = {}
        self._next_build = 0.0
        self._batch: Batch | None = None  # The last one that was put.

    def add(self, inbox: Inbox) -> None:
        """Add an inbox that has a filter."""
        self._others[inbox] = None

    def remove(self, inbox: Inbox) -> None:
        """Remove an inbox, if it was added."""
        self._others.pop(inbox, None)
        self._too_large.pop(inbox, None)
        number = self._numbers.pop(inbox, None)
        if number is not None:
            self._indexed[number] = None
            if not self._numbers:
                self._index = None

    def put(self, batch: Batch, receipt: SharedReceipt | None) -> bool:
        """Put a batch with lines; return whether any inbox got some of it."""
        if self._others and len(self._others) + len(self._numbers) > 1:
            self._make_index()
        has_taken = bool(self._others or self._too_large)
        for inbox in (*self._others, *self._too_large):
            inbox.put(batch, receipt)
        if self._index is None:
            return has_taken
        before = self._totals
        selected = self._index.select(batch.lines)
        self._totals = Totals(
            before.lines + self._index.lines,
            before.records + self._index.records,
            before.size + len(batch.lines),
        )
        self._batch = batch
        for number, lines, left_out in selected:
            found = self._indexed[number]
            if found is not None:
                found.put_selected(lines, left_out, batch, before, self._totals, receipt)
                has_taken = True
        return has_taken

    def put_to_all(self, batch: Batch, receipt: SharedReceipt | None) -> None:
        """Put a batch into every inbox as a whole."""
        self.catch_up()
        for inbox in (*self._others, *self._too_large, *self._numbers):
            inbox.put(batch, receipt)

    def catch_up(self) -> None:
        """Tell all inboxes how much was left out since they last got something."""
        for inbox in tuple(self._numbers):
            self._catch_up(inbox)

    def _catch_up(self, inbox: Inbox) -> None:
        if self._batch is not None and inbox.totals is not self._totals:
            progress = Batch(b"", self._batch.offset, 0, self._batch.is_last)
            inbox.put_selected(b"", 0, progress, self._totals, self._totals, None)

    def _make_index(self) -> None:
        """Rebuild the index with the inboxes that are not in it."""
        started = time.monotonic()
        if started < self._next_build:
            return
        wanted = [*self._numbers, *self._too_large, *self._others]
        size = 0
        inboxes: list[Inbox] = []
        too_large: dict[Inbox, None] = {}
        for inbox in wanted:
            assert inbox.filter is not None
            if size + inbox.filter.size > _LARGEST:
                too_large[inbox] = None
                continue
            size += inbox.filter.size
            inboxes.append(inbox)
            if inbox not in self._numbers:
                inbox.totals = self._totals
        self._too_large = too_large
        self._others = {}
        self._indexed = list(inboxes)
        self._numbers = {inbox: number for number, inbox in enumerate(inboxes)}
        filters = [inbox.filter for inbox in inboxes if inbox.filter is not None]
        self._index = FilterIndex(filters, max_line_size=self._max_line_size)
        self._next_build = started + _SHARE * (time.monotonic() - started)
