"""Topics of Kafka: each result is a message.

`kafka://host:9092,other:9092?topic=NAME` is written by an idempotent producer: what it sends again
after an error comes once, in order. What a process had not confirmed when it was killed may come
twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import operator
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits, SinkUrl
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sources import Notice, Reader
from forstcore.sources._broker import BrokerLog
from forstcore.sources._kafka_client import (
    KafkaUnavailableError,
    Local,
    client_options,
    invalid_options,
    is_final,
)

__all__ = ["KafkaSink"]

T = TypeVar("T")

# By the numbers of an output, and of a line in it.
_Failed: TypeAlias = dict[tuple[int, int], KafkaError]

_TIMEOUT = 5.0  # Seconds in which a broker has to reply when the writer connects.
_FIRST_SLICE = 1.0  # Seconds of a first request, after which the thread notices that it is to end.
_SLICE = 0.2  # Seconds after which the thread notices that it is to end.
_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")

# Broker's answers that concern a message, and not the topic or the connection.
_REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
}


class KafkaSink:
    """A topic of Kafka.

    Args:
        url: as above.
        limits: the bytes that are held until they are confirmed.

    Attributes:
        name: its name, for people.
        topic: the topic.
        key: path of the member that is the key of a message; empty if messages have none.
        headers: the headers of each message.
        options: those of librdkafka's producer.
    """

    keeps_offsets = False

    def __init__(self, url: SinkUrl, limits: SinkLimits) -> None:
        self.name = url.name
        self.topic = url.take("topic", url.name)
        self.key = url.take("key")
        self.headers: list[tuple[str, str | bytes | None]] = [*url.take_prefixed("header.").items()]
        self.options = {
            "linger.ms": 5,
            # As clients in Java do it, so that they all send a key to the same partition.
            "partitioner": "murmur2_random",
            "compression.type": url.take_one_of("compression", _COMPRESSIONS, "none"),
            **client_options(url),
            "enable.idempotence": True,
            # A sink that is down is tried for ever, by librdkafka itself.
            "message.timeout.ms": 0,
        }
        self._limits = limits
        self._log = BrokerLog(url.name, "sink")
        self._writers: list[_KafkaWriter] = []
        try:
            Producer(self.options)  # It does not connect.
        except KafkaException as error:
            raise invalid_options(url, error) from None

    async def offset(self) -> str:
        return ""

    def acknowledges(self, reader: Reader) -> bool:
        return False

    async def open(self, reader: Reader) -> _KafkaWriter:
        writer = _KafkaWriter(self, self._log, self._limits)
        self._writers.append(writer)
        return writer

    def trouble(self) -> Notice | None:
        return next((each.trouble for each in self._writers if each.trouble is not None), None)

    async def close(self) -> None:
        self._writers.clear()


class _KafkaWriter(BrokerWriter):
    """Writes to a topic.

    librdkafka's producer keeps what it could not send, and reconnects by itself. Its calls block,
    so they are made in a thread of the writer.

    Args:
        sink: the topic.
        log, limits: as for `BrokerWriter`.
    """

    transient_errors = (KafkaUnavailableError,)

    def __init__(self, sink: KafkaSink, log: BrokerLog, limits: SinkLimits) -> None:
        super().__init__(sink.name, log, limits)
        self._sink = sink
        self._producer: Producer | None = None
        self._thread = ThreadPoolExecutor(1, f"kafka-{sink.name}")
        self._running: asyncio.Future[Any] | None = None
        self._is_stopping = threading.Event()
        self._last_error = ""
        self._is_unreachable = False
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        await super().close()
        self._thread.shutdown(wait=False)

    async def _connect(self) -> None:
        self._is_stopping.clear()
        await self._in_thread(self._make_producer)

    async def _send(self, outputs: Sequence[Output]) -> None:
        lines = [output.results.split(b"\n")[:-1] for output in outputs]
        refused = await self._in_thread(self._deliver, lines)
        self._note_up()
        for each in refused:
            self._confirm(each)

    async def _disconnect(self) -> None:
        self._is_stopping.set()
        if self._running is not None:
            # The thread ends soon, and whoever is cancelled meanwhile waits for it all the same.
            await asyncio.wait([self._running])
            self._running.exception()  # Mark it as seen.
            self._running = None
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await self._loop.run_in_executor(self._thread, _discard, producer)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        running = self._loop.run_in_executor(self._thread, function, *arguments)
        self._running = running
        return await asyncio.shield(running)

    def _note_up(self) -> None:
        if self.trouble is not None:
            self.trouble = None
            self._log.write(logging.INFO, "it is up again")

    def _note_down(self, detail: str) -> None:
        if self.trouble is None:
            self.trouble = Notice("down", detail[:300])
            self._log.write(logging.WARNING, f"it is down: {detail}")

    # What follows runs in the thread.

    def _make_producer(self) -> None:
        self._producer = Producer({**self._sink.options, "error_cb": self._note_error})
        self._is_unreachable = False
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                found = self._producer.list_topics(self._sink.topic, _FIRST_SLICE)
                break
            except KafkaException as error:
                self._producer.poll(0)  # Calls `_note_error`.
                is_late = self._is_unreachable or time.monotonic() >= deadline
                if is_late or self._is_stopping.is_set():
                    raise self._translate(error.args[0]) from None
        if (missing := found.topics[self._sink.topic].error) is not None:
            raise self._translate(missing)

    def _note_error(self, error: KafkaError) -> None:
        """Note an error of the connections; called by librdkafka while the thread polls."""
        if error.code() != Local.ALL_BROKERS_DOWN:
            self._last_error = error.str()
            return
        self._is_unreachable = True
        # The loop may be closed already.
        with contextlib.suppress(RuntimeError):
            detail = self._last_error or "no broker can be reached"
            self._loop.call_soon_threadsafe(self._note_down, detail)

    def _translate(self, error: KafkaError) -> Exception:
        # After a fatal error of idempotence, another producer can go on.
        if is_final(error) and not error.fatal():
            return SinkError(self._sink.name, f"cannot be written: {error.str()}")
        is_local = error.code() in (Local.TRANSPORT, Local.TIMED_OUT)
        return KafkaUnavailableError(
            self._last_error if is_local and self._last_error else error.str()
        )

    def _deliver(self, outputs: list[list[bytes]]) -> list[dict[int, str]]:
        """Deliver lines, and return for each output those that were refused, and why."""
        failed: _Failed = {}
        for number, lines in enumerate(outputs):
            for index, line in enumerate(lines):
                self._produce((number, index), line, failed)
        self._flush()
        refused: list[dict[int, str]] = [{} for _ in outputs]
        for place, error in sorted(failed.items(), key=operator.itemgetter(0)):
            number, index = place
            if error.code() in _REFUSED:
                # A broker refuses all messages of a request if one of them is too large.
                alone: _Failed = {}
                self._produce(place, outputs[number][index], alone)
                self._flush()
                if place not in alone:
                    continue
                error = alone[place]
            if error.code() not in _REFUSED:
                raise self._translate(error)
            refused[number][index] = error.str()
        return refused

    def _produce(self, place: tuple[int, int], line: bytes, failed: _Failed) -> None:
        assert self._producer is not None

        def note(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed[place] = error

        while True:
            try:
                self._producer.produce(
                    self._sink.topic,
                    line,
                    _key_of(line, self._sink.key) if self._sink.key else None,
                    on_delivery=note,
                    headers=self._sink.headers or None,
                )
                return
            except BufferError:
                self._poll()
            except KafkaException as error:
                failed[place] = error.args[0]
                return

    def _flush(self) -> None:
        assert self._producer is not None
        while self._producer.flush(_SLICE):
            self._check_stopping()

    def _poll(self) -> None:
        assert self._producer is not None
        self._producer.poll(_SLICE)
        self._check_stopping()

    def _check_stopping(self) -> None:
        if self._is_stopping.is_set():
            raise KafkaUnavailableError("the writer is being closed")


def _discard(producer: Producer) -> None:
    """Drop what a producer still has, and close it."""
    producer.purge()
    producer.close()


def _key_of(line: bytes, path: str) -> bytes | None:
    """Return a member of a result as the key of its message: a string as it is, others as JSON."""
    try:
        value = json.loads(line)
        for name in path.split("."):
            value = value[name]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text.encode(errors="replace")
