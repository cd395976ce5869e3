"""Results of a source, the same for all subscribers of a feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from forstcore import RejectedLines
from forstcore.sources import Batch, Notice
from server.http.control_lines import rejected_line

__all__ = ["CounterChanges", "Delivery", "add_missed"]

_OVERHEAD = 500  # Bytes of memory of a delivery besides its results, approximately.


@dataclass(frozen=True, slots=True)
class CounterChanges:
    """The amounts that a delivery adds to the counters of each subscriber."""

    lines: int = 0
    records: int = 0
    results: int = 0
    filtered: int = 0
    given_back: int = 0
    bytes_in: int = 0
    errors: dict[str, int] = field(default_factory=dict)


class Delivery:
    """The results of some lines of a source.

    Args:
        results: result lines.
        counts: what they add to the counters.
        rejected: the lines that were rejected, None for none.
        batches: the batches that end with these results; none within a batch.
        notice: a change of the source's state, instead of results.

    Attributes:
        results, counts, notice: as above.
        rejected_line: the control line that lists the error lines among the results.
        missed: the number of records missing before these, None if unknown.
        offset: where to resume after these results, empty if that is not known.
        is_last: whether the source had no more records at that time.
        is_start: whether the delivery consists of an offset only, at which it starts.
        receipts: acknowledge the batches to the source.
        size: bytes of memory, approximately.
    """

    __slots__ = (
        "_chunk",
        "counts",
        "is_last",
        "is_start",
        "missed",
        "notice",
        "offset",
        "receipts",
        "rejected_line",
        "results",
        "size",
    )

    def __init__(
        self,
        results: bytes = b"",
        counts: CounterChanges | None = None,
        batches: Sequence[Batch] = (),
        notice: Notice | None = None,
        rejected: RejectedLines | None = None,
    ) -> None:
        self.results = results
        self.rejected_line = rejected_line(rejected)
        self.counts = counts or CounterChanges()
        self.notice = notice
        self.missed: int | None = 0
        self.offset = ""
        self.is_last = False
        self.receipts = [each.receipt for each in batches if each.receipt is not None]
        for batch in batches:
            self.missed = add_missed(self.missed, batch.missed)
            self.offset, self.is_last = batch.offset, batch.is_last
        self.is_start = bool(batches) and not self.counts.lines
        self.size = _OVERHEAD + len(results) + len(self.rejected_line)
        self._chunk: bytes | None = None

    @property
    def chunk(self) -> bytes:
        """The results as an HTTP chunk, which all subscribers share."""
        if self._chunk is None:
            self._chunk = b"%x\r\n%b\r\n" % (len(self.results), self.results)
        return self._chunk


def add_missed(missed: int | None, more: int | None) -> int | None:
    """Add numbers of missed records, of which None is unknown."""
    return None if missed is None or more is None else missed + more
