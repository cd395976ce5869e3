"""How a feed filters and processes the records of its source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from forstcore import Filter, RecordStream
from forstcore._proc import PASS_ON, count_lines
from forstcore.config import WorkerKind
from forstcore.engine import Engine
from forstcore.processors import Processor
from forstcore.sources import Batch, Notice, Reader
from forstcore.wire import OnError, StreamErrorCode
from server.errors import StreamError
from server.http._chunked import MOST_RESULTS
from server.live.delivery import CounterChanges, Delivery
from server.live.filtered_batch import FilteredBatch
from server.observe.counters import Counted

__all__ = ["PASS_THROUGH", "CoreFeedProcessor", "EngineFeedProcessor", "FeedProcessor"]

PASS_THROUGH = Processor("pass", "native", PASS_ON, takes="object", gives="object")
"""The processor that returns records unchanged."""


class FeedProcessor(Protocol):
    """Turns the records of a source into deliveries."""

    def run(self, reader: Reader) -> AsyncGenerator[Delivery, None]:
        """Process a source to its end, if it has one.

        Raises:
            SourceError: the source cannot be read.
            StreamError: a record was rejected in mode `fail`.
        """
        ...


class CoreFeedProcessor:
    """Filter and process records with the core.

    Args:
        processor: a native processor.
        record_filter: the records to process, None for all.
        on_error, max_line_size: as for `RecordStream`.
    """

    def __init__(
        self,
        processor: Processor,
        record_filter: Filter | None,
        on_error: OnError,
        max_line_size: int,
    ) -> None:
        self._stream = RecordStream(
            on_error=on_error,
            max_line_size=max_line_size,
            filter=record_filter,
            processor=processor.function,
            keep_rejected=on_error != "skip",
        )
        self._counters = _CounterReader(self._stream)

    async def run(self, reader: Reader) -> AsyncGenerator[Delivery, None]:
        while (item := await reader.read()) is not None:
            if isinstance(item, Notice):
                yield Delivery(notice=item)
                continue
            async for delivery in self._parts(item):
                yield delivery
                _check(self._stream)

    async def _parts(self, batch: Batch) -> AsyncGenerator[Delivery, None]:
        """Process a batch in parts, since its results may be much longer."""
        stream = self._stream
        rest = memoryview(batch.lines)
        missed = batch.missed
        while True:
            lines = stream.lines
            # Batches consist of complete lines, so the stream keeps no unfinished line.
            results = stream.feed_part(rest, MOST_RESULTS)
            rest = rest[stream.taken :]
            ended = [] if rest and not stream.failed else [batch]
            size, left_out = stream.taken, 0
            if ended and isinstance(batch, FilteredBatch):
                size += batch.size - len(batch.lines)
                left_out = batch.left_out
            counts = self._counters.changes(stream.lines - lines, size, left_out)
            delivery = Delivery(results, counts, ended, rejected=stream.take_rejected())
            delivery.missed, missed = missed, 0
            yield delivery
            if ended:
                break
            await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A batch of a source without its lines: only their number and size."""

    item: Batch | Notice
    lines: int
    size: int
    left_out: int  # Records that a filter has left out before.


class EngineFeedProcessor:
    """Filter and process records with an engine.

    Args:
        processor: a Python processor.
        record_filter: the records to process, None for all.
        executor, on_error, max_line_size, workers, worker_kind, buffer_size: as for `Engine`.
    """

    def __init__(
        self,
        processor: Processor,
        record_filter: Filter | None,
        executor: Executor,
        *,
        on_error: OnError,
        max_line_size: int,
        workers: int,
        worker_kind: WorkerKind,
        buffer_size: int,
    ) -> None:
        self._engine = Engine(
            processor,
            executor,
            on_error=on_error,
            max_line_size=max_line_size,
            workers=workers,
            worker_kind=worker_kind,
            buffer_size=buffer_size,
            filter=record_filter,
            keep_rejected=on_error != "skip",
        )
        self._counters = _CounterReader(self._engine)

    async def run(self, reader: Reader) -> AsyncGenerator[Delivery, None]:
        async with (
            aclosing(self._lines(reader)) as lines,
            aclosing(self._engine.run(lines)) as outputs,
        ):
            async for output in outputs:
                rejected = self._engine.take_rejected()
                marks: list[_Mark] = self._engine.take_marks()
                batches = [mark.item for mark in marks if isinstance(mark.item, Batch)]
                count, size = sum(mark.lines for mark in marks), sum(mark.size for mark in marks)
                left_out = sum(mark.left_out for mark in marks)
                counts = self._counters.changes(count, size, left_out)
                yield Delivery(output, counts, batches, rejected=rejected)
                for mark in marks:
                    if isinstance(mark.item, Notice):
                        yield Delivery(notice=mark.item)
                _check(self._engine)

    async def _lines(self, reader: Reader) -> AsyncGenerator[bytes, None]:
        while (item := await reader.read()) is not None:
            lines = b""
            size = left_out = 0
            if isinstance(item, Batch):
                lines = item.lines
                size = len(lines)
                if isinstance(item, FilteredBatch):
                    size, left_out = item.size, item.left_out
                # Do not keep the lines in memory until the batch is delivered.
                item = replace(item, lines=b"")
            count = count_lines(lines)
            self._engine.mark(_Mark(item, count, size, left_out), count)
            yield lines


class _CounterReader:
    """Read the counters of a stream, and return by how much they have changed."""

    def __init__(self, stream: Counted) -> None:
        self._stream = stream
        self._last = CounterChanges()

    def changes(self, lines: int, size: int, left_out: int) -> CounterChanges:
        """Return the changes since the last call.

        Args:
            lines, size: lines and bytes of the source.
            left_out: records that a filter has left out before the stream.
        """
        stream, last = self._stream, self._last
        now = self._last = CounterChanges(
            0,
            stream.records,
            stream.results,
            stream.filtered,
            int(stream.given_back),
            0,
            stream.errors_by_code(),
        )
        return CounterChanges(
            lines,
            now.records - last.records + left_out,
            now.results - last.results,
            now.filtered - last.filtered + left_out,
            now.given_back - last.given_back,
            size,
            {
                code: count - last.errors.get(code, 0)
                for code, count in now.errors.items()
                if count != last.errors.get(code, 0)
            },
        )


def _check(stream: Counted) -> None:
    if stream.failed:
        raise StreamError(
            StreamErrorCode.BAD_RECORD,
            "a record cannot be processed; the error line before this says why",
        )
