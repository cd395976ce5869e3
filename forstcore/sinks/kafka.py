"""Topics of Kafka: each result is a message.

`kafka://host:9092,other:9092?topic=NAME` is written by an idempotent producer: messages that it
resends after an error are stored once and in order. Results that were unconfirmed when a process
was killed may be duplicated, unless the source is a consumer group of the same cluster: then
results and offsets are committed together, see `_kafka_transactions`.
"""

from __future__ import annotations

import logging

from confluent_kafka import KafkaException, Producer

from forstcore.errors import SinkError
from forstcore.sinks import SinkLimits, SinkUrl
from forstcore.sinks._kafka_clusters import ClusterComparison
from forstcore.sinks._kafka_producer import Topic
from forstcore.sinks._kafka_transactions import TRANSACTION_OPTIONS, TransactionWriter
from forstcore.sinks._kafka_writer import KafkaWriter
from forstcore.sources import Notice, Reader, Source
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._kafka_client import URL_FORM, client_options, invalid_options
from forstcore.sources._kafka_group import GroupReader
from forstcore.sources.kafka import KafkaSource

__all__ = ["KafkaSink"]

_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


class KafkaSink:
    """A topic of Kafka.

    Args:
        url: as above.
        limits: the bytes that are held until they are confirmed.

    Attributes:
        name: its name, for people.
        topic: the topic.
    """

    keeps_offsets = False
    file = ""

    def __init__(self, url: SinkUrl, limits: SinkLimits) -> None:
        self.name = url.name
        url.check_no_path(URL_FORM)
        topic, key = url.take("topic", url.name), url.take("key")
        if not topic:
            raise SinkError(url.name, f"names no topic: {URL_FORM}")
        headers: list[tuple[str, str | bytes | None]] = [*url.take_prefixed("header.").items()]
        self._transactions = url.take_one_of("transactions", ("auto", "yes", "no"), "auto")
        common = {
            "linger.ms": 5,
            # As Kafka's Java clients do, so that all clients send a key to the same partition.
            "partitioner": "murmur2_random",
            "compression.type": url.take_one_of("compression", _COMPRESSIONS, "none"),
        }
        given = client_options(url)
        fixed = {
            "enable.idempotence": True,
            "delivery.report.only.error": True,
            # The writer bounds the number of unconfirmed messages.
            "queue.buffering.max.messages": 0,
            "queue.buffering.max.kbytes": (1 << 31) - 1,
        }
        given.pop("message.timeout.ms", None)
        transactional = {**common, **TRANSACTION_OPTIONS, **given, **fixed}
        # librdkafka itself retries indefinitely, but not within a transaction.
        plain = {**common, **given, **fixed, "message.timeout.ms": 0}
        self.topic = Topic(url.name, topic, key, headers, plain, BrokerLog(url.name, "sink"))
        self._transactional = self.topic.with_options(transactional)
        self._limits = limits
        self._writers: list[KafkaWriter | TransactionWriter] = []
        self._comparison: ClusterComparison | None = None
        try:
            Producer(plain)  # It does not connect.
            if self._transactions != "no":
                Producer({**transactional, "transactional.id": url.name})
        except KafkaException as error:
            raise invalid_options(url, error) from None

    def check(self) -> None:
        """Do nothing: only the broker knows."""

    async def offset(self) -> str:
        return ""

    def acknowledges(self, source: Source) -> bool | None:
        if self._transactions == "no":
            return False
        if not isinstance(source, KafkaSource) or not source.group:
            why = "the source is no consumer group of Kafka"
        elif source.reads_uncommitted:
            why = "the source has kafka.isolation.level=read_uncommitted"
        else:
            return None
        if self._transactions == "yes":
            raise SinkError(self.name, f"has transactions=yes, but {why}")
        return False

    async def open(self, reader: Reader | None) -> KafkaWriter | TransactionWriter:
        writer: KafkaWriter | TransactionWriter
        if reader is None:
            if self._transactions == "yes":
                raise SinkError(self.name, "has transactions=yes, but acknowledges no input")
            writer = KafkaWriter(self.topic, self._limits)
        else:
            assert isinstance(reader, GroupReader)
            self._comparison = ClusterComparison(reader, self.topic)
            if await self._comparison.is_one():
                offsets = reader.commit_elsewhere()
                writer = TransactionWriter(self._transactional, self._limits, offsets)
            elif self._transactions == "yes":
                raise SinkError(
                    self.name, "has transactions=yes, but the source is in another cluster"
                )
            else:
                self.topic.log.write(
                    logging.INFO, "the source is in another cluster: at least once"
                )
                writer = KafkaWriter(self.topic, self._limits)
        self._writers.append(writer)
        return writer

    def trouble(self) -> Notice | None:
        asking = (self._comparison,) if self._comparison is not None else ()
        return next((each.trouble for each in (*asking, *self._writers) if each.trouble), None)

    async def close(self) -> None:
        self._writers.clear()
