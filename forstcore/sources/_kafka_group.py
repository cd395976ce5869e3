"""Consumer groups of Kafka: each partition goes to one of the consumers.

Records are committed in the order of their offsets, once they and all before them in their
partition are acknowledged. When a partition is revoked, its consumer waits a moment for the records
that it has delivered, commits those that are acknowledged, and lets go of it; the next consumer
continues there. Of a partition that was lost, which others may read already, nothing is committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from forstcore.errors import SourceError
from forstcore.sources import NOW, Batch, Notice
from forstcore.sources._kafka_client import is_final
from forstcore.sources._kafka_pending import Chunk, Pending
from forstcore.sources._kafka_poller import POLL, TIMEOUT, Poller, Topic
from forstcore.sources._kafka_progress import Progress, Receipt
from forstcore.sources._kafka_reader import KafkaReader, lines_of

__all__ = ["GroupReader"]

_REVOKE_PATIENCE = 3.0  # Seconds that a revoked partition waits for records in process.
_RETRY_INTERVAL = 1.0  # Seconds between two attempts to commit what could not be committed.
_BUSY_POLL = 0.01  # Seconds that a poll waits while records are in process.
_COMMIT_PATIENCE = 5.0  # Seconds that an acknowledgement waits for the broker.


class GroupReader(KafkaReader):
    """A consumer of a group.

    Args:
        topic: what is read.
        start: where a new group starts, `START` or `NOW`.
    """

    def __init__(self, topic: Topic, start: str) -> None:
        super().__init__(topic)
        self._start = start
        self._progress = Progress()
        self._receipt: Receipt | None = None
        self._has_begun = False

    def _make_poller(self) -> _GroupPoller:
        pending = Pending(asyncio.get_running_loop(), self._note_delivery)
        return _GroupPoller(self._topic, pending, self._progress, self._start)

    def _note_delivery(self, chunks: dict[int, Chunk]) -> None:
        positions = {partition: chunk.position for partition, chunk in chunks.items()}
        empty = [partition for partition, chunk in chunks.items() if not chunk.values]
        skipped = self._progress.deliver({each: positions.pop(each) for each in empty})
        self._progress.finish(skipped)
        self._receipt = self._progress.deliver(positions) if positions else None

    async def _receive(self) -> Batch | Notice:
        if not self._has_begun:
            self._has_begun = True
            return Batch(b"")
        taken = await self._take()
        if isinstance(taken, Notice):
            return taken
        return Batch(
            lines_of(taken.chunks),
            missed=taken.missed,
            is_last=taken.is_last,
            receipt=self._receipt,
        )

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, Receipt)
        self._progress.finish(receipt)
        if isinstance(self._poller, _GroupPoller):
            await self._poller.wait_until_committed(receipt)


class _GroupPoller(Poller):
    """Polls the partitions that the group assigns.

    Args:
        topic, pending: as for `Poller`.
        progress: how far its records are processed.
        start: where a new group starts.
    """

    def __init__(self, topic: Topic, pending: Pending, progress: Progress, start: str) -> None:
        super().__init__(topic, pending, {"on_commit": self._note_commit})
        self._progress = progress
        self._start = start
        self._is_committing = False
        self._retry_at = 0.0
        self._commit_ended = asyncio.Event()
        self._failure: KafkaError | None = None

    async def wait_until_committed(self, receipt: Receipt) -> None:
        """Wait until the broker has committed a batch, but not for brokers that are down.

        Raises:
            SourceError: it cannot be committed, and a retry would not help.
        """
        # The thread goes on trying.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_COMMIT_PATIENCE):
                while self._progress.is_uncommitted(receipt) and not self.is_down:
                    if self._failure is not None:
                        text = f"cannot be acknowledged: {self._failure.str()}"
                        raise SourceError(self.topic.name, text)
                    self._commit_ended.clear()
                    await self._commit_ended.wait()

    def begin(self, consumer: Consumer, partitions: list[int]) -> None:
        consumer.subscribe(
            [self.topic.topic],
            on_assign=self.guarded(self._assign),
            on_revoke=self.guarded(self._revoke),
            on_lost=self.guarded(self._lose),
        )

    def serve(self, consumer: Consumer) -> float:
        may_commit = not self._is_committing and time.monotonic() >= self._retry_at
        if may_commit and (positions := self._progress.uncommitted()):
            self._is_committing = True
            try:
                consumer.commit(offsets=self._offsets(positions))
            except KafkaException as error:
                self._note_commit(error.args[0], [])
        # Records in process are soon acknowledged, and nothing else ends a poll then.
        is_busy = self.pending.has_records or self._progress.is_busy()
        return _BUSY_POLL if is_busy else POLL

    def _offsets(self, positions: dict[int, int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic.topic, *each) for each in positions.items()]

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        positions: dict[int, int] = {}
        is_new: dict[int, int] = {}
        for each in consumer.committed(partitions, TIMEOUT) if partitions else []:
            low, high = self.watermarks(consumer, each.partition)
            if each.offset < 0:
                is_new[each.partition] = each.offset = high if self._start == NOW else low
            elif not low <= each.offset <= high:
                self.pending.add_missed()
                each.offset = low
            positions[each.partition] = each.offset
        assigned = self._offsets(positions)
        if "cooperative" in str(self.topic.options.get("partition.assignment.strategy")):
            consumer.incremental_assign(assigned)
        else:
            consumer.assign(assigned)
        # They may still be paused from an earlier assignment.
        consumer.resume(assigned)
        self._progress.assign(positions)
        self.add_partitions(positions)
        if is_new and self._start == NOW:
            # Otherwise the next consumer would start later if this one gets no records.
            consumer.commit(offsets=self._offsets(is_new))

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = {each.partition for each in partitions}
        self.remove_partitions(numbers)
        deadline = time.monotonic() + _REVOKE_PATIENCE
        while not self.is_stopping.is_set() and time.monotonic() < deadline:
            if self._progress.wait_until_finished(numbers, 0.1):
                break
        if positions := self._progress.uncommitted(numbers):
            # The reply of brokers that are down would not come.
            with contextlib.suppress(KafkaException):
                if self.is_down:
                    consumer.commit(offsets=self._offsets(positions))
                else:
                    consumer.commit(offsets=self._offsets(positions), asynchronous=False)
        self._progress.remove(numbers)

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = {each.partition for each in partitions}
        self.remove_partitions(numbers)
        self._progress.remove(numbers)

    def _note_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Note what was committed; called by librdkafka while the thread polls."""
        self._is_committing = False
        failed = error or next((each.error for each in partitions if each.error), None)
        if failed is None:
            self._progress.committed({each.partition: each.offset for each in partitions})
        else:
            self._retry_at = time.monotonic() + _RETRY_INTERVAL
            if is_final(failed):
                self._failure = failed
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._commit_ended.set)
