"""Readers of Kafka topics, and of all partitions of a topic from any offset on."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

from confluent_kafka import Consumer, TopicPartition

from forstcore._proc import count_lines
from forstcore.sources import NOW, START, Batch, Lag, Notice
from forstcore.sources._broker import BrokerReader, on_one_line
from forstcore.sources._kafka_client import KafkaUnavailableError
from forstcore.sources._kafka_pending import Chunk, Pending, Taken
from forstcore.sources._kafka_poller import Poller, Topic

__all__ = ["KafkaReader", "TopicReader", "lines_of"]


def lines_of(chunks: dict[int, Chunk]) -> bytes:
    """Return a line for each value."""
    values = [value for chunk in chunks.values() for value in chunk.values]
    if not values:
        return b""
    lines = b"\n".join(values)
    if count_lines(lines) >= len(values):
        lines = b"\n".join(map(on_one_line, values))
    return lines + b"\n"


class KafkaReader(BrokerReader):
    """Read with a consumer in a thread.

    Args:
        topic: what is read.
    """

    transient_errors = (KafkaUnavailableError,)

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic.name, topic.log, topic.max_line_size)
        self._topic = topic
        self._poller: Poller | None = None

    async def lag(self) -> Lag | None:
        poller = self._poller
        if poller is None or poller.lag is None:
            return None
        return Lag(poller.lag + poller.pending.records, "records")

    async def close(self) -> None:
        await super().close()
        # Also where it was cancelled while it connected.
        await self._disconnect()

    @abstractmethod
    def _make_poller(self) -> Poller:
        """Return a new poller, which is not started."""

    async def _connect(self) -> None:
        self._poller = self._make_poller()
        await self._poller.start()

    async def _disconnect(self) -> None:
        if self._poller is not None:
            poller, self._poller = self._poller, None
            await asyncio.shield(poller.stop())

    async def _take(self) -> Taken | Notice:
        assert self._poller is not None
        taken = await self._poller.pending.take()
        if isinstance(taken, Notice):
            if taken.state == "down":
                self._report_down(taken.detail)
            else:
                self._report_up()
        return taken


class TopicReader(KafkaReader):
    """Reads all partitions of a topic.

    Args:
        topic: what is read.
        start: positions such as ``0:1234,1:567``, `START` or `NOW`.
    """

    def __init__(self, topic: Topic, start: str) -> None:
        super().__init__(topic)
        self._start = start
        self._positions: dict[int, int] | None = None
        if start not in (NOW, START):
            pairs = (pair.split(":") for pair in start.split(","))
            self._positions = {int(partition): int(offset) for partition, offset in pairs}
        self._has_begun = False
        self._is_behind = False  # Whether records were gone and that has not been reported.

    def _make_poller(self) -> Poller:
        pending = Pending(asyncio.get_running_loop(), lambda chunks: None)
        return _TopicPoller(self._topic, pending, self._start, self._positions)

    async def _connect(self) -> None:
        await super()._connect()
        assert isinstance(self._poller, _TopicPoller)
        self._positions = dict(self._poller.first_positions)
        self._is_behind = self._poller.is_behind

    async def _receive(self) -> Batch | Notice:
        if self._is_behind or not self._has_begun:
            missed = None if self._is_behind else 0
            self._has_begun, self._is_behind = True, False
            return Batch(b"", self._offset(), missed)
        taken = await self._take()
        if isinstance(taken, Notice):
            return taken
        assert self._positions is not None
        for partition, chunk in taken.chunks.items():
            self._positions[partition] = chunk.position
        return Batch(lines_of(taken.chunks), self._offset(), taken.missed, taken.is_last)

    def _offset(self) -> str:
        assert self._positions is not None
        return ",".join(f"{key}:{position}" for key, position in sorted(self._positions.items()))


class _TopicPoller(Poller):
    """Polls all partitions of a topic.

    Args:
        topic, pending: as for `Poller`.
        start: where to start, if there are no positions.
        positions: where to start in each partition; None if `start` decides.

    Attributes:
        first_positions: where it has started in each partition.
        is_behind: whether records after the positions were gone.
    """

    def __init__(
        self, topic: Topic, pending: Pending, start: str, positions: dict[int, int] | None
    ) -> None:
        super().__init__(topic, pending)
        self.first_positions: dict[int, int] = {}
        self.is_behind = False
        self._start = start
        self._wanted = positions

    def begin(self, consumer: Consumer, partitions: list[int]) -> None:
        if self._wanted is not None and not set(self._wanted) <= set(partitions):
            self.is_behind = True
        positions: dict[int, int] = {}
        for partition in partitions:
            low, high = self.watermarks(consumer, partition)
            if self._wanted is None:
                position = high if self._start == NOW else low
            else:
                # A partition without a position is new.
                position = self._wanted.get(partition, low)
                if not low <= position <= high:
                    self.is_behind = True
                    position = low
            positions[partition] = position
        self.first_positions = dict(positions)
        self.add_partitions(positions)
        consumer.assign(
            [
                TopicPartition(self.topic.topic, partition, position)
                for partition, position in positions.items()
            ]
        )

    def refresh(self, consumer: Consumer, partitions: list[int]) -> None:
        new = [each for each in partitions if each not in self.positions]
        if not new:
            return
        starts = {each: self.watermarks(consumer, each)[0] for each in new}
        consumer.incremental_assign(
            [TopicPartition(self.topic.topic, each, start) for each, start in starts.items()]
        )
        self.add_partitions(starts)
        self.pending.add({each: Chunk([], start) for each, start in starts.items()}, False)
