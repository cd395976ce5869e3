"""The offsets of a consumer group that a producer commits in its transactions.

A transaction contains results and the offsets after their records, so both are committed or
neither. It also contains the generation of the group in which the consumer got its partitions:
brokers refuse an older generation than theirs. The generation must be read before checking that the
records still belong to this consumer. In the other order it could be a later one, with which
brokers would accept offsets for partitions of other consumers.

If only some partitions of a batch are lost, the records of the others are read again, because it is
unknown which results belong to which partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from confluent_kafka import TopicPartition

from forstcore.sources._kafka_progress import Progress, Receipt

__all__ = ["GroupOffsets", "Membership", "StaleReceiptError"]

_INTERVAL = 0.01  # Seconds between two checks whether a partition is being read again.


class StaleReceiptError(Exception):
    """Records of a batch no longer belong to this consumer."""


class Membership(Protocol):
    """The interface of a consumer for other threads.

    Attributes:
        proof: the group metadata that proves to brokers which partitions it has, to be read before
            the assignment is checked; None if it is not a member of its group.
    """

    proof: object

    def committed(self, partitions: Iterable[int]) -> dict[int, int]:
        """Ask the broker for offsets."""
        ...

    def rewind(self, partitions: Iterable[int]) -> None:
        """Make the consumer redeliver uncommitted records."""
        ...


class GroupOffsets:
    """The offsets of a consumer of a group.

    Args:
        topic: the topic that it reads.
        progress: what was delivered.
        member: returns the consumer, None while there is none.

    Thread-safety: `rewind` belongs to the event loop, all else may be called from any thread.
    """

    def __init__(
        self, topic: str, progress: Progress, member: Callable[[], Membership | None]
    ) -> None:
        self._topic = topic
        self._progress = progress
        self._member = member

    def are_current(self, receipts: Iterable[Receipt]) -> bool:
        """Return whether all records of batches still belong to this consumer."""
        return self._progress.current(receipts)[1]

    def to_commit(self, receipts: Iterable[Receipt]) -> tuple[list[TopicPartition], object]:
        """Return what to commit after the results of batches.

        Returns:
            The offset of each partition, and the proof that the consumer has these partitions.

        Raises:
            StaleReceiptError: it no longer has them.
        """
        member = self._member()
        if member is None or (proof := member.proof) is None:
            raise StaleReceiptError
        offsets, is_complete = self._progress.current(receipts)
        if not is_complete:
            raise StaleReceiptError
        return [TopicPartition(self._topic, *each) for each in offsets.items()], proof

    def note_committed(self, receipts: Iterable[Receipt]) -> None:
        """Record that a transaction has committed the offsets after these batches."""
        for receipt in receipts:
            self._progress.finish(receipt, is_committed=True)

    def were_committed(self, receipts: Iterable[Receipt]) -> bool:
        """Ask the broker whether the offsets after batches are committed; may block for seconds.

        Raises:
            StaleReceiptError: some of their records no longer belong to this consumer.
            KafkaException: the broker does not answer in time.
        """
        offsets, is_complete = self._progress.current(receipts)
        member = self._member()
        if not is_complete or member is None:
            raise StaleReceiptError
        found = member.committed(offsets)
        return all(found[partition] >= offset for partition, offset in offsets.items())

    async def rewind(self, receipts: Iterable[Receipt]) -> None:
        """Have the records of batches read again as far as they belong to this consumer."""
        receipts = tuple(receipts)
        asked: Membership | None = None
        while offsets := self._progress.current(receipts)[0]:
            member = self._member()
            if member is not None and member is not asked:
                asked = member
                member.rewind(offsets)
            await asyncio.sleep(_INTERVAL)
