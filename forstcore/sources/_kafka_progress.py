"""The progress of processing the records of a consumer group."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Progress", "Receipt"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of a batch.

    Attributes:
        deliveries: for each partition, the number of its assignment and the offset after the batch.
    """

    deliveries: dict[int, tuple[int, int]]


@dataclass(slots=True)
class _Partition:
    """An assigned partition.

    Attributes:
        assignment: distinguishes this assignment of the partition from earlier ones.
        last: the offset up to which records were delivered, initially where reading starts.
        delivered: offsets after the batches that are unacknowledged, or follow an unacknowledged
            one.
        finished: those of them that are acknowledged.
        done: the offset up to which everything is acknowledged; None if nothing is.
        committed: the last committed offset.
    """

    assignment: int
    last: int
    delivered: deque[int] = field(default_factory=deque)
    finished: set[int] = field(default_factory=set)
    done: int | None = None
    committed: int | None = None


class Progress:
    """Track what was delivered, acknowledged and committed, for each assigned partition.

    An acknowledgement counts only for the assignment in which its records were delivered: after a
    partition was lost, its records belong to another consumer, even if it comes back later.

    Thread-safety: all methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._partitions: dict[int, _Partition] = {}
        self._assignments = 0

    def assign(self, positions: Mapping[int, int]) -> None:
        """Add partitions, which are read from these offsets on."""
        with self._changed:
            self._assignments += 1
            for partition, position in positions.items():
                self._partitions[partition] = _Partition(self._assignments, position)

    def remove(self, partitions: Iterable[int]) -> None:
        """Remove partitions."""
        with self._changed:
            for partition in partitions:
                self._partitions.pop(partition, None)

    def deliver(self, positions: Mapping[int, int], skipped: Collection[int]) -> Receipt:
        """Record that records up to these offsets were delivered.

        Args:
            positions: the offsets, by partition.
            skipped: partitions of which no record is among them. They are part of the receipt only
                if their offset has moved on.
        """
        with self._changed:
            deliveries = {}
            for number, position in positions.items():
                if (partition := self._partitions.get(number)) is not None:
                    if number in skipped and position <= partition.last:
                        continue
                    partition.last = position
                    partition.delivered.append(position)
                    deliveries[number] = (partition.assignment, position)
            return Receipt(deliveries)

    def finish(self, receipt: Receipt, *, is_committed: bool = False) -> None:
        """Record that a batch is acknowledged, and perhaps already committed."""
        with self._changed:
            for number, (assignment, position) in receipt.deliveries.items():
                partition = self._partitions.get(number)
                if partition is None or partition.assignment != assignment:
                    continue
                partition.finished.add(position)
                while partition.delivered and partition.delivered[0] in partition.finished:
                    partition.done = partition.delivered.popleft()
                    partition.finished.discard(partition.done)
                if is_committed:
                    partition.committed = partition.done
            self._changed.notify_all()

    def current(self, receipts: Iterable[Receipt]) -> tuple[dict[int, int], bool]:
        """Return the offsets after batches, and whether all their partitions are still assigned."""
        with self._changed:
            found: dict[int, int] = {}
            is_complete = True
            for receipt in receipts:
                for number, (assignment, position) in receipt.deliveries.items():
                    partition = self._partitions.get(number)
                    if partition is None or partition.assignment != assignment:
                        is_complete = False
                    else:
                        found[number] = position
            return found, is_complete

    def is_uncommitted(self, receipt: Receipt) -> bool:
        """Return whether some of a batch still has to be committed."""
        with self._changed:
            for number, (assignment, position) in receipt.deliveries.items():
                partition = self._partitions.get(number)
                if partition is None or partition.assignment != assignment:
                    continue
                is_done = partition.done is not None and partition.done >= position
                if is_done and (partition.committed is None or partition.committed < position):
                    return True
            return False

    def is_busy(self) -> bool:
        """Return whether something is not acknowledged, or not committed."""
        with self._changed:
            return any(
                each.delivered or each.done != each.committed for each in self._partitions.values()
            )

    def uncommitted(self, partitions: Iterable[int] | None = None) -> dict[int, int]:
        """Return the offsets to commit, of some partitions or of all."""
        with self._changed:
            numbers = list(self._partitions) if partitions is None else partitions
            found = {}
            for number in numbers:
                partition = self._partitions.get(number)
                if partition and partition.done not in (None, partition.committed):
                    found[number] = partition.done
            return found

    def committed(self, positions: Mapping[int, int]) -> None:
        """Record what the broker has committed."""
        with self._changed:
            for number, position in positions.items():
                if (partition := self._partitions.get(number)) is not None:
                    partition.committed = position

    def wait_until_finished(self, partitions: Iterable[int], seconds: float) -> bool:
        """Wait until all records delivered of some partitions are acknowledged; return whether."""
        numbers = tuple(partitions)
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    not any(
                        self._partitions[number].delivered
                        for number in numbers
                        if number in self._partitions
                    )
                ),
                seconds,
            )
