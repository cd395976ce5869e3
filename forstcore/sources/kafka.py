"""Kafka topics: read by every reader, or distributed within a consumer group.

`kafka://host:9092,other:9092?topic=NAME` can be read from any offset on. With `&group=NAME` each
reader is a consumer of that group: see `_kafka_group`.
"""

from __future__ import annotations

import re

from confluent_kafka import Consumer, KafkaException

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, START, Keeps, SourceLimits
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._kafka_client import URL_FORM, client_options, invalid_options
from forstcore.sources._kafka_group import GroupReader
from forstcore.sources._kafka_poller import REFRESH_INTERVAL, Topic
from forstcore.sources._kafka_reader import TopicReader
from forstcore.sources._url import SourceUrl

__all__ = ["KafkaSource"]

_POSITIONS = re.compile(r"\d{1,9}:\d{1,18}(,\d{1,9}:\d{1,18})*")

# Memory for what librdkafka reads ahead, instead of 64 MiB. It must check a full queue more often
# than once a second, because the queue is emptied that fast.
_BOUNDS = {
    "queued.max.messages.kbytes": 4096,
    "fetch.max.bytes": 8 << 20,
    "fetch.queue.backoff.ms": 10,
}
# Consumers of a group learn of new partitions as soon as other readers, not after 5 minutes.
_REFRESH = {"topic.metadata.refresh.interval.ms": int(REFRESH_INTERVAL * 1000)}


class KafkaSource:
    """A topic of Kafka.

    Args:
        url: as above.
        limits: the maximum line size.

    Attributes:
        name: its name for clients.
        topic: the topic.
        group: the consumer group, empty if there is none.
        reads_uncommitted: whether it reads messages of transactions that are not committed.
    """

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        url.check_no_path(URL_FORM)
        topic = url.take("topic", url.name)
        if not topic:
            raise SourceError(url.name, f"names no topic: {URL_FORM}")
        self.group = url.take("group")
        self._start = url.take("start", START) if self.group else START
        if self._start not in (NOW, START):
            raise url.error(url.name, f"has start={self._start}, which must be {START} or {NOW}")
        options = {
            **_BOUNDS,
            **_REFRESH,
            **client_options(url),
            # The library needs a name, even if no group is joined.
            "group.id": self.group or "forstcore",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
        try:
            Consumer(options).close()  # It does not connect.
        except KafkaException as error:
            raise invalid_options(url, error) from None
        self.topic = Topic(url.name, topic, options, BrokerLog(url.name), limits.max_line_size)
        self.reads_uncommitted = str(options.get("isolation.level")) == "read_uncommitted"
        self.is_shared = not self.group
        self.keeps: Keeps = "unacknowledged" if self.group else "offsets"

    def check(self, start: str) -> None:
        if self.group and start != NOW:
            raise OffsetError(
                self.name, f"is read as group {self.group!r}, which resumes by itself: omit from"
            )
        if start not in (NOW, START) and not _POSITIONS.fullmatch(start):
            raise OffsetError(self.name, f"has offsets such as 0:1234,1:567, not {start!r}")

    def open(self, start: str, session: str = "") -> TopicReader | GroupReader:
        if self.group:
            return GroupReader(self.topic, self._start)
        return TopicReader(self.topic, start)

    async def close(self) -> None:
        """Do nothing: connections belong to readers."""
