"""Reading Kafka topics without a forstcore server."""

from __future__ import annotations

import asyncio
import json

from forstcore.sources import Batch, Notice, Reader
from tests.sources.kafka_server import KafkaServer

__all__ = ["next_batch", "next_of", "read_until", "url"]


def url(broker: KafkaServer, topic: str, options: str = "") -> str:
    return f"kafka://{broker.address}?topic={topic}{options}"


async def next_of(reader: Reader) -> Batch | Notice:
    async with asyncio.timeout(60):
        found = await reader.read()
    assert found is not None
    return found


async def next_batch(reader: Reader) -> Batch:
    while True:
        found = await next_of(reader)
        if isinstance(found, Batch):
            return found


async def read_until(reader: Reader, count: int) -> tuple[list[str], list[Batch]]:
    """Read at least so many records; return their ids, and the batches."""
    ids: list[str] = []
    batches: list[Batch] = []
    while len(ids) < count:
        batches.append(await next_batch(reader))
        ids += [json.loads(line)["id"] for line in batches[-1].lines.splitlines()]
    return ids, batches
