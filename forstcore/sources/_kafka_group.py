"""Consumer groups of Kafka: each partition goes to one of the consumers.

Records are committed in the order of their offsets, once they and all before them in their
partition are acknowledged. When a partition is revoked, its consumer waits briefly for
acknowledgements of the records that it has delivered, commits, and releases the partition; the next
consumer continues there. For a lost partition nothing is committed, since others may already be
reading it.

If a sink commits the offsets together with its results (see `_kafka_group_offsets`), this
consumer commits nothing itself: a late commit would undo a later one of the sink.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from forstcore.errors import SourceError
from forstcore.sources import NOW, Batch, Notice
from forstcore.sources._kafka_client import Local, is_final
from forstcore.sources._kafka_cluster import Cluster, find_cluster
from forstcore.sources._kafka_group_offsets import GroupOffsets, StaleReceiptError
from forstcore.sources._kafka_pending import Chunk, Pending
from forstcore.sources._kafka_poller import POLL, TIMEOUT, Poller, Topic
from forstcore.sources._kafka_progress import Progress, Receipt
from forstcore.sources._kafka_reader import KafkaReader, lines_of

__all__ = ["GroupReader"]

_REVOKE_PATIENCE = 3.0  # Seconds that a revoked partition waits for records in process.
_RETRY_INTERVAL = 1.0  # Seconds between two attempts to commit what could not be committed.
_BUSY_POLL = 0.01  # Seconds that a poll waits while records are in process.
_COMMIT_PATIENCE = 5.0  # Seconds that an acknowledgement waits for the broker.

# Seconds that a partition waits for a transaction of its last consumer to end: longer than
# such a transaction lasts, plus the interval at which brokers abort expired ones.
_TRANSACTION_PATIENCE = 60.0

_UNSTABLE = {KafkaError.UNSTABLE_OFFSET_COMMIT, Local.TIMED_OUT}


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
        self._is_committed_elsewhere = False

    def commit_elsewhere(self) -> GroupOffsets:
        """Leave it to the caller to commit offsets; called before reading begins."""
        self._is_committed_elsewhere = True
        return GroupOffsets(self._topic.topic, self._progress, lambda: self._membership)

    async def cluster(self) -> Cluster:
        """Ask the brokers for their cluster.

        Raises:
            KafkaUnavailableError: none answers.
        """
        return await find_cluster(self._topic.options)

    @property
    def _membership(self) -> _GroupPoller | None:
        return self._poller if isinstance(self._poller, _GroupPoller) else None

    def _make_poller(self) -> _GroupPoller:
        pending = Pending(asyncio.get_running_loop(), self._note_delivery)
        needs_proof = self._is_committed_elsewhere
        return _GroupPoller(
            self._topic, pending, self._progress, self._start, needs_proof=needs_proof
        )

    def _note_delivery(self, chunks: dict[int, Chunk]) -> None:
        positions = {partition: chunk.position for partition, chunk in chunks.items()}
        empty = [partition for partition, chunk in chunks.items() if not chunk.values]
        if self._is_committed_elsewhere:
            receipt = self._progress.deliver(positions, empty)
            self._receipt = receipt if receipt.deliveries else None
            return
        # The end of a partition has no records either: it must not count as those before it.
        skipped = self._progress.deliver({each: positions.pop(each) for each in empty}, empty)
        self._progress.finish(skipped)
        self._receipt = self._progress.deliver(positions, ()) if positions else None

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
        if self._membership is not None:
            await self._membership.wait_until_committed(receipt)


@dataclass(frozen=True, slots=True)
class _Question:
    """Asks the thread for the committed offsets of partitions."""

    partitions: tuple[int, ...]
    answer: Future[dict[int, int]] = field(default_factory=Future)


class _GroupPoller(Poller):
    """Polls the partitions that the group assigns.

    Args:
        topic, pending: as for `Poller`.
        progress: how far its records are processed.
        start: where a new group starts.
        needs_proof: whether `proof` will be used.

    Attributes:
        proof: the group metadata that proves to brokers which partitions the consumer has. Read it
            before the assignment is checked. None if it is not a member of its group.
    """

    def __init__(
        self, topic: Topic, pending: Pending, progress: Progress, start: str, *, needs_proof: bool
    ) -> None:
        super().__init__(topic, pending, {"on_commit": self._note_commit})
        self._needs_proof = needs_proof
        self._progress = progress
        self._start = start
        self._is_committing = False
        self._retry_at = 0.0
        self._commit_ended = asyncio.Event()
        self._failure: KafkaError | None = None
        self.proof: object = None
        self._questions: deque[_Question] = deque()
        self._to_rewind: deque[int] = deque()

    def committed(self, partitions: Iterable[int]) -> dict[int, int]:
        """Ask the broker for committed offsets, once no transaction for them is open.

        Raises:
            StaleReceiptError: the consumer ends.
            KafkaException: the broker does not answer in time.
        """
        question = _Question(tuple(partitions))
        self._questions.append(question)
        # While this thread adds a question, the other one may stop answering.
        while not self.is_stopping.is_set():
            with contextlib.suppress(TimeoutError):
                return question.answer.result(POLL)
        raise StaleReceiptError

    def rewind(self, partitions: Iterable[int]) -> None:
        """Make the thread redeliver uncommitted records soon."""
        self._to_rewind.extend(partitions)

    async def wait_until_committed(self, receipt: Receipt) -> None:
        """Wait until the broker has committed a batch, but not for brokers that are down.

        Raises:
            SourceError: it cannot be committed, and a retry would not help.
        """
        # The thread keeps trying.
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
        self._rewind(consumer)
        while self._questions:
            self._answer(consumer, self._questions.popleft())
        may_commit = not self._is_committing and time.monotonic() >= self._retry_at
        if may_commit and (positions := self._progress.uncommitted()):
            self._is_committing = True
            try:
                consumer.commit(offsets=self._offsets(positions))
            except KafkaException as error:
                self._note_commit(error.args[0], [])
        # Records in process will soon be acknowledged, and nothing else ends a poll.
        is_busy = self.pending.has_records or self._progress.is_busy()
        if is_busy and self._needs_proof:
            self._prove(consumer)
        return _BUSY_POLL if is_busy else POLL

    def _rewind(self, consumer: Consumer) -> None:
        wanted: set[int] = set()
        while self._to_rewind:
            wanted.add(self._to_rewind.popleft())
        if numbers := wanted & self.positions.keys():
            self.pending.discard(numbers)
            starts, _ = self._starts(consumer, self._places(numbers))
            self._progress.assign(starts)
            for each in self._offsets(starts):
                consumer.seek(each)
            consumer.resume(self._places(numbers))
            self.add_partitions(starts)

    def _answer(self, consumer: Consumer, question: _Question) -> None:
        try:
            found = _committed(consumer, self._places(question.partitions))
        except KafkaException as error:
            question.answer.set_exception(error)
        else:
            question.answer.set_result(found)

    def _prove(self, consumer: Consumer) -> None:
        # Not from another thread, which would wait for this poll and perhaps further ones to end.
        proof = consumer.consumer_group_metadata()
        # Without a member id, brokers assume a client without the group's protocol.
        self.proof = proof if consumer.memberid() else None

    def _places(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic.topic, each) for each in partitions]

    def _offsets(self, positions: dict[int, int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic.topic, *each) for each in positions.items()]

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        positions, is_new = self._starts(consumer, partitions)
        assigned = self._offsets(positions)
        if "cooperative" in str(self.topic.options.get("partition.assignment.strategy")):
            consumer.incremental_assign(assigned)
        else:
            consumer.assign(assigned)
        # They may still be paused from an earlier assignment.
        consumer.resume(assigned)
        if self._needs_proof:
            self._prove(consumer)
        self._progress.assign(positions)
        self.add_partitions(positions)
        if is_new and self._start == NOW:
            # Otherwise the next consumer would start at a later offset if this one gets no records.
            with contextlib.suppress(KafkaException):
                consumer.commit(offsets=self._offsets(is_new), asynchronous=False)

    def _starts(
        self, consumer: Consumer, partitions: list[TopicPartition]
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Return where to read partitions from, and those of them that the group has not read."""
        positions: dict[int, int] = {}
        is_new: dict[int, int] = {}
        for partition, offset in self._wait_for_committed(consumer, partitions).items():
            low, high = self.watermarks(consumer, partition)
            if offset < 0:
                is_new[partition] = offset = high if self._start == NOW else low
            elif not low <= offset <= high:
                self.pending.add_missed()
                offset = low
            positions[partition] = offset
        return positions, is_new

    def _wait_for_committed(
        self, consumer: Consumer, partitions: list[TopicPartition]
    ) -> dict[int, int]:
        deadline = time.monotonic() + _TRANSACTION_PATIENCE
        while True:
            try:
                return _committed(consumer, partitions)
            except KafkaException as error:
                # With this time limit, a broker answers while a transaction is open, if at all.
                is_late = time.monotonic() >= deadline or self.is_stopping.is_set()
                if error.args[0].code() not in _UNSTABLE or self.is_down or is_late:
                    raise

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


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> dict[int, int]:
    """Return the offsets that are committed, below 0 where there are none.

    Raises:
        KafkaException: the broker does not answer in time, or a transaction is open for them.
    """
    if not partitions:
        return {}
    found = consumer.committed(partitions, TIMEOUT)
    for each in found:
        if each.error is not None:
            raise KafkaException(each.error)
    return {each.partition: each.offset for each in found}
