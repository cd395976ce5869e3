"""The offsets of a consumer group, as a producer commits them in its transactions.

A transaction has results and the offsets after their records, so both are there or neither. It also
has the generation of the group in which the consumer was given its partitions: brokers refuse an
older one than theirs. The consumer's generation has to be read before it is checked whether the
records still belong to it. In the other order it might be a later one, with which brokers would
take offsets that belong to others.

If only some partitions of a batch are lost, the records of the others are read again, because
results are not known by partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from confluent_kafka import TopicPartition

from forstcore.sources._kafka_progress import Progress, Receipt

__all__ = ["GroupOffsets", "Membership", "StaleReceiptError"]

_INTERVAL = 0.01  # Seconds between two looks whether a partition is read again.


class StaleReceiptError(Exception):
    """Records of a batch do not belong to this consumer any more."""


class Membership(Protocol):
    """What a consumer is asked for by other threads.

    Attributes:
        proof: what proves to brokers that it has the partitions that are assigned to it afterwards;
            None if it is no member of its group.
    """

    proof: object

    def committed(self, partitions: Iterable[int]) -> dict[int, int]:
        """Ask the broker for offsets."""
        ...

    def rewind(self, partitions: Iterable[int]) -> None:
        """Have what is not committed delivered again."""
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
            The offset of each partition, and what proves that the consumer has these partitions.

        Raises:
            StaleReceiptError: it has not.
        """
        member = self._member()
        if member is None or (proof := member.proof) is None:
            raise StaleReceiptError
        offsets, is_complete = self._progress.current(receipts)
        if not is_complete:
            raise StaleReceiptError
        return [TopicPartition(self._topic, *each) for each in offsets.items()], proof

    def note_committed(self, receipts: Iterable[Receipt]) -> None:
        """Note that a transaction has committed what comes after these batches."""
        for receipt in receipts:
            self._progress.finish(receipt, is_committed=True)

    def were_committed(self, receipts: Iterable[Receipt]) -> bool:
        """Ask the broker whether it has committed what comes after batches; blocks for seconds.

        Raises:
            StaleReceiptError: records of them do not belong to this consumer any more.
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
