"""Writing to a topic of Kafka without transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from confluent_kafka import KafkaError

from forstcore.sinks import Output, SinkLimits
from forstcore.sinks._broker_sink import lines_of
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sinks._kafka_producer import REFUSED, Topic, TopicProducer
from forstcore.sources._kafka_client import KafkaUnavailableError

__all__ = ["KafkaWriter"]

T = TypeVar("T")


class KafkaWriter(BrokerWriter):
    """Writes to a topic.

    librdkafka's producer keeps what it could not send, and reconnects by itself. Its calls block,
    so they are made in a thread of the writer.

    Args:
        topic: the topic.
        limits: as for `BrokerWriter`.
    """

    transient_errors = (KafkaUnavailableError,)

    def __init__(self, topic: Topic, limits: SinkLimits) -> None:
        super().__init__(topic.name, topic.log, limits)
        self._topic = topic
        self._producer: TopicProducer | None = None
        self._thread = ThreadPoolExecutor(1, f"kafka-{topic.name}")
        self._running: asyncio.Future[Any] | None = None
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        await super().close()
        self._thread.shutdown(wait=False)

    async def _connect(self) -> None:
        def note_down(detail: str) -> None:
            self._loop.call_soon_threadsafe(self._report_down, detail)

        self._producer = TopicProducer(self._topic, note_down)
        await self._in_thread(self._producer.connect)

    async def _send(self, outputs: Sequence[Output]) -> None:
        assert self._producer is not None
        lines = [lines_of(output) for output in outputs]
        refused = await self._in_thread(_deliver, self._producer, lines)
        self._report_up()
        for each in refused:
            self._confirm(each)

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        producer.stop()
        if self._running is not None:
            # The thread ends soon, so wait for it even if this task is being cancelled.
            await asyncio.wait([self._running])
            self._running.exception()  # Mark it as seen.
            self._running = None
        await self._loop.run_in_executor(self._thread, producer.discard)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        running = self._loop.run_in_executor(self._thread, function, *arguments)
        self._running = running
        return await asyncio.shield(running)


def _deliver(producer: TopicProducer, outputs: list[list[bytes]]) -> list[dict[int, str]]:
    """Deliver lines, and return for each output those that were refused, and why."""
    failed: list[dict[bytes, list[KafkaError]]] = [{} for _ in outputs]
    for lines, some in zip(outputs, failed, strict=True):
        producer.produce(lines, _noted(some))
    producer.flush()
    return [_refused(producer, *each) for each in zip(outputs, failed, strict=True)]


def _refused(
    producer: TopicProducer, lines: list[bytes], failed: dict[bytes, list[KafkaError]]
) -> dict[int, str]:
    refused: dict[int, str] = {}
    for index, line in enumerate(lines) if failed else ():
        # Equal lines are interchangeable.
        if not (errors := failed.get(line)):
            continue
        error = errors.pop()
        if error.code() in REFUSED:
            # A broker refuses all messages of a request if one of them is too large.
            alone: dict[bytes, list[KafkaError]] = {}
            producer.produce([line], _noted(alone))
            producer.flush()
            if not alone:
                continue
            error = alone[line][0]
        if error.code() not in REFUSED:
            raise producer.translate(error)
        refused[index] = error.str()
    return refused


def _noted(failed: dict[bytes, list[KafkaError]]) -> Callable[[bytes, KafkaError], None]:
    return lambda line, error: failed.setdefault(line, []).append(error)
