"""A batch with much larger results becomes several deliveries, each of a bounded size."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from forstcore.processors import BUILT_IN
from forstcore.sources import NOW, SourceLimits
from forstcore.sources._url import SourceUrl
from forstcore.sources.memory import MemorySource
from server.live.delivery import Delivery
from server.live.feed_processor import CoreFeedProcessor

LINES = b'{"id":1}\n' * 7000  # Records of a source, and an error each to the built-in processor.


def test_a_batch_in_parts() -> None:
    async def main() -> tuple[list[Delivery], str]:
        source = MemorySource(SourceUrl("events", "memory:"), SourceLimits())
        work = CoreFeedProcessor(BUILT_IN, None, "emit", 1 << 20)
        reader = source.open(NOW)
        source.publish(LINES)
        deliveries: list[Delivery] = []
        async with aclosing(work.run(reader)) as run:
            async for delivery in run:
                deliveries.append(delivery)
                if delivery.is_last and not delivery.is_start:
                    return deliveries, source.offset
        raise AssertionError("the reading ended")

    deliveries, offset = asyncio.run(main())
    with_results = [each for each in deliveries if each.results]
    assert len(with_results) > 2
    assert max(len(each.results) for each in with_results) < (1 << 18) + len(LINES)
    assert b"".join(each.results for each in with_results).count(b"\n") == 7000
    assert sum(each.counts.lines for each in deliveries) == 7000
    assert sum(each.counts.bytes_in for each in deliveries) == len(LINES)
    assert [each.offset for each in with_results][-1] == offset
