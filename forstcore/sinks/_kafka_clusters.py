"""Comparing the cluster of a consumer group with that of a topic to write to."""

from __future__ import annotations

from forstcore.sinks._kafka_producer import Topic
from forstcore.sources._kafka_client import KafkaUnavailableError
from forstcore.sources._kafka_cluster import find_cluster
from forstcore.sources._kafka_group import GroupReader
from forstcore.sources._reconnecting import Reconnecting

__all__ = ["ClusterComparison"]


class ClusterComparison(Reconnecting):
    """Asks the brokers of source and sink which cluster they belong to.

    Args:
        reader: reads the source.
        topic: the topic to write to.
    """

    transient_errors = (KafkaUnavailableError,)

    def __init__(self, reader: GroupReader, topic: Topic) -> None:
        super().__init__(topic.name, topic.log)
        self._reader = reader
        self._topic = topic
        self._is_one = False

    async def is_one(self) -> bool:
        """Return whether it is one cluster; wait until brokers of both answer."""
        while True:
            try:
                await self._ensure_connected()
            except KafkaUnavailableError as error:
                await self._drop_connection(error)
            else:
                self._report_up()
                return self._is_one

    async def _connect(self) -> None:
        source = await self._reader.cluster()
        sink = await find_cluster(self._topic.options)
        self._is_one = source.is_same(sink)

    async def _disconnect(self) -> None:
        """Do nothing: each question has a connection of its own."""
