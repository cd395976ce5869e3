"""The thread of a reader of Kafka, which polls librdkafka's consumer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import filterfalse
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from forstcore.errors import SourceError
from forstcore.sources import Notice
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._kafka_client import KafkaUnavailableError, Local, described, is_final
from forstcore.sources._kafka_pending import Chunk, Pending

__all__ = ["POLL", "REFRESH_INTERVAL", "TIMEOUT", "Poller", "Topic"]

TIMEOUT = 10.0
"""Seconds for brokers to reply."""

POLL = 0.2
"""Seconds that a poll waits, and after which the thread notices that it is to end."""
REFRESH_INTERVAL = 30.0
"""Seconds between two checks for new partitions."""

_SLICE = 1.0  # Seconds of a first request, after which the thread notices that it is to end.
_PATIENCE = 1.0  # Seconds that records wait to be taken before partitions are paused.
_PROBE_INTERVAL = 1.0  # Seconds between two attempts to reach brokers that are down.
_LAG_INTERVAL = 1.0  # Seconds between two measurements of the lag.
_PAUSED_LAG_INTERVAL = 5.0  # The same where brokers have to be asked.
_LEADER_INTERVAL = 0.1  # Seconds between two questions to the leader of a partition.

_FIRST_COUNT = 16  # Messages that are taken from librdkafka at first.
_MAX_COUNT = 4000  # Maximum number of messages that are taken at once.
_TARGET_SIZE = 1 << 20  # Bytes that these messages should have in total.

# The partition and offset of a message; only errors may lack them.
_PARTITION = cast("Callable[[Message], int]", Message.partition)
_OFFSET = cast("Callable[[Message], int]", Message.offset)

_DOWN = {
    Local.ALL_BROKERS_DOWN,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    Local.UNKNOWN_TOPIC,
    Local.UNKNOWN_PARTITION,
    Local.AUTHENTICATION,
}


# While a partition has a new leader, which librdkafka then looks for.
_NO_LEADER = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


class Topic:
    """A topic, as this process reads it.

    Args:
        name: name of the source.
        topic: the topic.
        options: those of librdkafka's consumer.
        log: the log of the source.
        max_line_size: maximum bytes of a line.
    """

    def __init__(
        self, name: str, topic: str, options: dict[str, object], log: BrokerLog, max_line_size: int
    ) -> None:
        self.name = name
        self.topic = topic
        self.options = options
        self.log = log
        self.max_line_size = max_line_size


class Poller(ABC):
    """Polls a consumer in a thread of its own, and hands on what it reads.

    The thread polls even while no records are taken, so that the consumer stays a member of its
    group and takes part in rebalances; it then pauses the partitions. librdkafka reconnects by
    itself: the thread reports when all brokers are down, and when one is up again.

    Args:
        topic: what is read.
        pending: where records go.
        callbacks: more of the consumer's options.

    Attributes:
        topic, pending: as above.
        loop: the event loop.
        is_stopping: set when the thread is to end.
        is_down: whether all brokers are down, or the topic is gone.
        positions: the offset of the next message, for each assigned partition.
        lag: the number of messages not taken from librdkafka yet; None before that is known.

    Thread-safety: `start` and `stop` belong to the event loop, everything else to the thread.
    """

    def __init__(
        self,
        topic: Topic,
        pending: Pending,
        callbacks: dict[str, Callable[..., None]] | None = None,
    ) -> None:
        self.topic = topic
        self.pending = pending
        self.is_stopping = threading.Event()
        self.is_down = False
        self.positions: dict[int, int] = {}
        self.lag: int | None = None
        self._raised: Exception | None = None  # By a callback.
        self._callbacks = {
            name: self.guarded(function)
            for name, function in {"error_cb": self._note_error, **(callbacks or {})}.items()
        }
        self.loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self.loop.create_future()
        self._ended = asyncio.Event()
        self._last_error = ""
        self._probe_at = 0.0
        self._refresh_at = time.monotonic() + REFRESH_INTERVAL
        self._measure_at = 0.0
        self._paused: set[int] = set()
        self._count = _FIRST_COUNT
        self._at_end: set[int] = set()  # Partitions that are read to their ends.

    async def start(self) -> None:
        """Start the thread, and wait until it reads.

        Raises:
            KafkaUnavailableError: the brokers, or the topic, are not available now.
            SourceError: the topic cannot be read, and a retry would not help.
        """
        threading.Thread(target=self._run, name=f"kafka-{self.topic.name}", daemon=True).start()
        await self._started

    async def stop(self) -> None:
        """End the thread."""
        self.is_stopping.set()
        await self._ended.wait()

    @abstractmethod
    def begin(self, consumer: Consumer, partitions: list[int]) -> None:
        """Start reading a topic that has these partitions."""

    def serve(self, consumer: Consumer) -> float:
        """Do the work between two polls; return the maximum seconds of the next one."""
        return POLL

    def refresh(self, consumer: Consumer, partitions: list[int]) -> None:  # noqa: B027 (optional)
        """Read new partitions as well, if there are any."""

    def guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Wrap a callback so that its exception ends the thread later, instead of being raised.

        librdkafka's binding does not pass on exceptions of callbacks in a form that can be caught.
        """

        def call(*arguments: object) -> None:
            try:
                callback(*arguments)
            except Exception as error:
                self._raised = self._raised or error

        return call

    def add_partitions(self, positions: dict[int, int]) -> None:
        """Add partitions that are read from these offsets on."""
        self.positions.update(positions)
        self._at_end -= positions.keys()
        self._paused -= positions.keys()

    def remove_partitions(self, partitions: Iterable[int]) -> None:
        """Remove partitions that are no longer read, and discard what was read of them."""
        self.pending.discard(partitions)
        for partition in partitions:
            self.positions.pop(partition, None)
            self._at_end.discard(partition)
            self._paused.discard(partition)

    def watermarks(self, consumer: Consumer, partition: int) -> tuple[int, int]:
        """Return the offset of a partition's first message, and that after its last one.

        Raises:
            KafkaException: no broker knows.
        """
        deadline = time.monotonic() + TIMEOUT
        where = TopicPartition(self.topic.topic, partition)
        while True:
            try:
                return consumer.get_watermark_offsets(where, TIMEOUT)
            except KafkaException as error:
                is_late = time.monotonic() >= deadline or self.is_stopping.is_set()
                if error.args[0].code() not in _NO_LEADER or is_late:
                    raise
            time.sleep(_LEADER_INTERVAL)

    def _run(self) -> None:
        try:
            consumer = Consumer({**self.topic.options, **self._callbacks})
            try:
                self.begin(consumer, self._wait_for_partitions(consumer))
                self._call(self._note_started)
                while not self.is_stopping.is_set():
                    self._step(consumer)
            finally:
                # Even if it was not stopped, so that callbacks of `close` do not wait for the loop.
                self.is_stopping.set()
                consumer.close()
        except KafkaException as error:
            self._fail(self._translate(error.args[0]))
        except Exception as error:
            self._fail(error)
        finally:
            self._call(self._ended.set)

    def _fail(self, error: Exception) -> None:
        self.pending.fail(error)
        self._call(self._note_started, error)

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        """Have the event loop call a function, unless it is already closed."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function, *arguments)

    def _note_started(self, error: Exception | None = None) -> None:
        if self._started.done():
            return
        if error is None:
            self._started.set_result(None)
        else:
            self._started.set_exception(error)
            # Mark it as retrieved, in case its waiter was cancelled.
            self._started.exception()

    def _translate(self, error: KafkaError) -> Exception:
        if is_final(error):
            return SourceError(self.topic.name, f"cannot be read: {error.str()}")
        return KafkaUnavailableError(self._last_error or described(error, self.topic.topic))

    def _note_error(self, error: KafkaError) -> None:
        """Note an error of the connections; called by librdkafka while the thread polls."""
        if error.code() == Local.ALL_BROKERS_DOWN:
            self._report_down(error)
        else:
            self._last_error = error.str()

    def _wait_for_partitions(self, consumer: Consumer) -> list[int]:
        """Return the numbers of the topic's partitions, once a broker is connected."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return self._list_partitions(consumer, min(TIMEOUT, _SLICE))
            except KafkaException as error:
                is_known = error.args[0].code() not in (
                    Local.TRANSPORT,
                    Local.TIMED_OUT,
                )
                consumer.poll(0)  # Calls `_note_error`.
                is_late = time.monotonic() >= deadline or self.is_stopping.is_set()
                if is_known or self.is_down or is_late:
                    raise

    def _list_partitions(self, consumer: Consumer, seconds: float) -> list[int]:
        """Return the numbers of the topic's partitions."""
        found = consumer.list_topics(self.topic.topic, seconds).topics[self.topic.topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return sorted(found.partitions)

    def _step(self, consumer: Consumer) -> None:
        if self.pending.wait_for_room(0.0 if self._paused else _PATIENCE):
            self._resume(consumer)
        else:
            self._pause(consumer)
        first = consumer.poll(self.serve(consumer))
        if self._raised is not None:
            raise self._raised
        if first is not None:
            self._hand_on(consumer, [first, *consumer.consume(self._count, 0)])
        now = time.monotonic()
        if self.is_down and now >= self._probe_at:
            self._probe(consumer)
        elif not self.is_down and now >= self._refresh_at:
            self._refresh_at = now + REFRESH_INTERVAL
            with contextlib.suppress(KafkaException):
                self.refresh(consumer, self._list_partitions(consumer, POLL))
        if now >= self._measure_at and not self.is_down:
            self._measure_at = now + (_PAUSED_LAG_INTERVAL if self._paused else _LAG_INTERVAL)
            with contextlib.suppress(KafkaException):
                self.lag = sum(self._unread(consumer, *each) for each in self.positions.items())

    def _unread(self, consumer: Consumer, partition: int, position: int) -> int:
        """Return how many messages of a partition are unread.

        Raises:
            KafkaException: brokers do not answer soon.
        """
        where = TopicPartition(self.topic.topic, partition)
        end = -1
        if partition not in self._paused:
            # The last fetch returned it; paused partitions fetch nothing.
            _, end = consumer.get_watermark_offsets(where, cached=True)
        if end < 0:
            _, end = consumer.get_watermark_offsets(where, POLL)
        return max(0, end - position)

    def _pause(self, consumer: Consumer) -> None:
        if running := self.positions.keys() - self._paused:
            consumer.pause([TopicPartition(self.topic.topic, each) for each in running])
            self._paused |= running

    def _resume(self, consumer: Consumer) -> None:
        if self._paused:
            consumer.resume([TopicPartition(self.topic.topic, each) for each in self._paused])
            self._paused.clear()

    def _hand_on(self, consumer: Consumer, messages: list[Message]) -> None:
        chunks: dict[int, Chunk] = {}
        gaps: dict[int, int] = {}
        largest = 0
        # No loop over single messages: it would cost more than everything else done with them.
        if failed := list(filter(Message.error, messages)):
            messages = list(filterfalse(Message.error, messages))
        messages.sort(key=_PARTITION)
        partitions = list(map(_PARTITION, messages))
        start = 0
        while start < len(messages):
            partition = partitions[start]
            end = bisect_right(partitions, partition, start)
            if partition in self.positions:  # Otherwise it was revoked after they were fetched.
                run = messages[start:end]
                gap = self._gap(partition, run)
                if gap is not None:
                    gaps[partition] = gap
                values = self._values(run)
                largest = max(largest, max(map(len, values), default=0))
                position = _OFFSET(run[-1]) + 1
                self.positions[partition] = position
                self._at_end.discard(partition)
                chunks[partition] = Chunk(values, position)
            start = end
        for message in failed:
            self._note_failed(message, chunks)
        self._count = max(1, min(_MAX_COUNT, 2 * self._count, _TARGET_SIZE // max(1, largest)))
        if chunks:
            if any(self._is_gone(consumer, *gap, chunks) for gap in gaps.items()):
                self.pending.add_missed()
            self.pending.add(chunks, self._at_end == self.positions.keys())

    def _gap(self, partition: int, run: list[Message]) -> int | None:
        """Return the first missing offset before or between messages, None if there is none."""
        expected = self.positions[partition]
        if _OFFSET(run[0]) == expected and _OFFSET(run[-1]) == expected + len(run) - 1:
            return None
        offsets = map(_OFFSET, run)
        return next(number for number, offset in enumerate(offsets, expected) if number != offset)

    def _values(self, run: list[Message]) -> list[bytes]:
        """Return the values of messages of one partition, shortened if they are too long."""
        values: list[bytes | None] = list(map(Message.value, run))
        limit = self.topic.max_line_size
        if all(values) and max(map(len, values)) <= limit:  # type: ignore[arg-type]
            return values  # type: ignore[return-value]
        found = []
        for message, value in zip(run, values, strict=True):
            # A message without a value is a tombstone, which marks its key as deleted.
            if value is not None:
                found.append(value if len(value) <= limit else self._shortened(value, message))
        return found

    def _note_failed(self, message: Message, chunks: dict[int, Chunk]) -> None:
        """Handle an error of a partition, or its end."""
        error = message.error()
        assert error is not None
        if error.code() != Local.PARTITION_EOF:
            self._handle(error)
            return
        partition, offset = _PARTITION(message), _OFFSET(message)
        # Messages may have arrived since.
        if partition in self.positions and offset >= self.positions[partition]:
            # Transaction markers before the end have offsets, but are not messages.
            chunks.setdefault(partition, Chunk()).position = offset
            self.positions[partition] = offset
            self._at_end.add(partition)

    def _is_gone(
        self, consumer: Consumer, partition: int, expected: int, chunks: dict[int, Chunk]
    ) -> bool:
        """Return whether messages from an offset on are gone, other than by compaction.

        Transaction markers have offsets, too, so most gaps are harmless.
        """
        is_new = chunks[partition].position <= expected  # The topic was deleted and created again.
        return is_new or self.watermarks(consumer, partition)[0] > expected

    def _shortened(self, value: bytes, message: Message) -> bytes:
        limit = self.topic.max_line_size
        place = f"{message.partition()}:{message.offset()}"
        self.topic.log.write(
            logging.WARNING,
            f"message {place} is longer than {limit} bytes (max_line_size): it is "
            "reported as line_too_long",
        )
        return value[: limit + 1]

    def _handle(self, error: KafkaError) -> None:
        if is_final(error):
            raise KafkaException(error)
        if error.code() in _DOWN:
            self._report_down(error)
        else:
            self.topic.log.write(logging.WARNING, error.str())

    def _report_down(self, error: KafkaError) -> None:
        if not self.is_down:
            self.is_down = True
            self._probe_at = time.monotonic() + _PROBE_INTERVAL
            is_general = error.code() == Local.ALL_BROKERS_DOWN
            if is_general:
                detail = self._last_error or "it cannot be reached"
            else:
                detail = described(error, self.topic.topic)
            self.pending.notify(Notice("down", detail[:300]))

    def _probe(self, consumer: Consumer) -> None:
        """Report that the topic is available again, if it is."""
        self._probe_at = time.monotonic() + _PROBE_INTERVAL
        # The thread must not stop polling for long.
        with contextlib.suppress(KafkaException):
            self._list_partitions(consumer, _PROBE_INTERVAL)
            self.is_down = False
            self._last_error = ""
            self.pending.notify(Notice("up"))
