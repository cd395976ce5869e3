"""From what a source gives to what its subscribers get, made once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

from forstcore import Filter, RecordStream, RejectedLines
from forstcore._proc import PASS_ON
from forstcore.engine import Engine
from forstcore.processors import Processor
from forstcore.sources import Batch, Notice, Reader
from forstcore.wire import OnError, StreamErrorCode
from server.errors import StreamError
from server.http._chunked import MOST_RESULTS
from server.observe.counters import Counted

__all__ = ["PASS", "CoreWork", "Counts", "Delivery", "EngineWork", "Work", "together"]

_OVERHEAD = 500  # Bytes of a delivery beyond its results, about.

PASS = Processor("pass", "native", PASS_ON, takes="object", gives="object")
"""The processor that returns records as they came."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a delivery adds to the counters of whoever gets it."""

    lines: int = 0
    records: int = 0
    results: int = 0
    bytes_in: int = 0
    errors: dict[str, int] = field(default_factory=dict)


class Delivery:
    """What came of some batches, the same for all subscribers.

    Args:
        results: result lines.
        counts: what they add to the counters.
        rejected: which lines gave an error, None for none.
        batches: the batches that end behind them; none, where they end within one.
        notice: what there is to say of the source, in place of results.

    Attributes:
        results, counts, notice: as above.
        places: which of the result lines are error lines, counted from 1.
        missed: how many records before these are missing, None if that is not known.
        offset: from where to go on behind them, empty if there is nothing to say.
        is_last: whether the source had no more.
        is_start: whether there is nothing but the offset, to go on from.
        receipts: what to acknowledge the batches by.
        size: bytes of memory that it costs, about.
    """

    __slots__ = (
        "_chunk",
        "counts",
        "is_last",
        "is_start",
        "missed",
        "notice",
        "offset",
        "places",
        "receipts",
        "results",
        "size",
    )

    def __init__(
        self,
        results: bytes = b"",
        counts: Counts | None = None,
        batches: Sequence[Batch] = (),
        notice: Notice | None = None,
        rejected: RejectedLines | None = None,
    ) -> None:
        self.results = results
        self.places = rejected.places if rejected is not None else []
        self.counts = counts or Counts()
        self.notice = notice
        self.missed: int | None = 0
        self.offset = ""
        self.is_last = False
        self.receipts = [each.receipt for each in batches if each.receipt is not None]
        for batch in batches:
            self.missed = together(self.missed, batch.missed)
            self.offset, self.is_last = batch.offset, batch.is_last
        self.is_start = bool(batches) and not self.counts.lines
        self.size = _OVERHEAD + len(results) + 40 * len(self.places)
        self._chunk: bytes | None = None

    @property
    def chunk(self) -> bytes:
        """The results as an HTTP chunk, made once."""
        if self._chunk is None:
            self._chunk = b"%x\r\n%b\r\n" % (len(self.results), self.results)
        return self._chunk


def together(missed: int | None, more: int | None) -> int | None:
    """Add numbers of records that were missed, None for one that is not known."""
    return None if missed is None or more is None else missed + more


class Work(Protocol):
    """What is done with the records of one reading."""

    def run(self, reader: Reader) -> AsyncGenerator[Delivery, None]:
        """Process a source to its end, if it has one.

        Raises:
            SourceError: it cannot be read.
            StreamError: a record is none, and that was to be the end.
        """
        ...


class CoreWork:
    """Filter and process in the compiled loop.

    Args:
        processor: a native one.
        wanted: which records to process.
        on_error, max_line_size: as for `RecordStream`.
    """

    def __init__(
        self, processor: Processor, wanted: Filter | None, on_error: OnError, max_line_size: int
    ) -> None:
        self._stream = RecordStream(
            on_error=on_error,
            max_line_size=max_line_size,
            filter=wanted,
            processor=processor.function,
            keep_rejected=on_error != "skip",
        )
        self._meter = _Meter(self._stream)

    async def run(self, reader: Reader) -> AsyncGenerator[Delivery, None]:
        while (item := await reader.read()) is not None:
            if isinstance(item, Notice):
                yield Delivery(notice=item)
                continue
            async for delivery in self._parts(item):
                yield delivery
                _check(self._stream)

    async def _parts(self, batch: Batch) -> AsyncGenerator[Delivery, None]:
        """Process a batch part by part: its results may be many times as long."""
        stream = self._stream
        rest = memoryview(batch.lines)
        missed = batch.missed
        while True:
            lines = stream.lines
            # Lines are whole, so nothing of them is left in the stream.
            results = stream.feed_part(rest, MOST_RESULTS)
            rest = rest[stream.taken :]
            counts = self._meter.read(stream.lines - lines, stream.taken)
            ending = [] if rest and not stream.failed else [batch]
            delivery = Delivery(results, counts, ending, rejected=stream.take_rejected())
            delivery.missed, missed = missed, 0
            yield delivery
            if ending:
                break
            await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read from a source, without its lines: their number and their bytes."""

    item: Batch | Notice
    lines: int
    size: int


class EngineWork:
    """Filter in the compiled loop, and process by a Python function over several workers.

    Args:
        processor: any but a native one.
        wanted: which records to process.
        executor, on_error, max_line_size, workers, buffer_size: as for `Engine`.
    """

    def __init__(
        self,
        processor: Processor,
        wanted: Filter | None,
        executor: Executor,
        *,
        on_error: OnError,
        max_line_size: int,
        workers: int,
        buffer_size: int,
    ) -> None:
        # Lines that are no records have no error lines here: they would be taken for records.
        self._sieve = RecordStream(max_line_size=max_line_size, filter=wanted, processor=PASS_ON)
        self._is_sieved = wanted is not None
        self._engine = Engine(
            processor,
            executor,
            on_error=on_error,
            max_line_size=max_line_size,
            workers=workers,
            buffer_size=buffer_size,
            keep_rejected=on_error != "skip",
        )
        self._meter = _Meter(self._engine, self._sieve)

    async def run(self, reader: Reader) -> AsyncGenerator[Delivery, None]:
        async with (
            aclosing(self._lines(reader)) as lines,
            aclosing(self._engine.run(lines)) as outputs,
        ):
            async for output in outputs:
                rejected = self._engine.take_rejected()
                due: list[_Read] = self._engine.take_marks()
                batches = [read.item for read in due if isinstance(read.item, Batch)]
                count, size = sum(read.lines for read in due), sum(read.size for read in due)
                counts = self._meter.read(count, size)
                yield Delivery(output, counts, batches, rejected=rejected)
                for read in due:
                    if isinstance(read.item, Notice):
                        yield Delivery(notice=read.item)
                _check(self._engine)

    async def _lines(self, reader: Reader) -> AsyncGenerator[bytes, None]:
        while (item := await reader.read()) is not None:
            lines = b""
            count = size = 0
            if isinstance(item, Batch):
                count, size = item.lines.count(b"\n"), len(item.lines)
                lines = self._sieve.feed(item.lines) if self._is_sieved else item.lines
                # Lines that the filter drops must not be kept until the turn of this batch.
                item = replace(item, lines=b"")
            self._engine.mark(_Read(item, count, size), lines.count(b"\n"))
            yield lines


class _Meter:
    """Read the counters of what processes, and tell what they have moved."""

    def __init__(self, *streams: Counted) -> None:
        self._streams = streams
        self._records = 0
        self._results = 0
        self._errors: dict[str, int] = {}

    def read(self, lines: int, size: int) -> Counts:
        """Return what has been counted since the last call, for so many lines of a source."""
        records, results = self._streams[0].records, self._streams[0].results
        errors: dict[str, int] = {}
        for stream in self._streams:
            for code, count in stream.errors_by_code().items():
                errors[code] = errors.get(code, 0) + count
        moved = Counts(
            lines,
            records - self._records,
            results - self._results,
            size,
            {
                code: count - self._errors.get(code, 0)
                for code, count in errors.items()
                if count != self._errors.get(code, 0)
            },
        )
        self._records, self._results, self._errors = records, results, errors
        return moved


def _check(stream: Counted) -> None:
    if stream.failed:
        raise StreamError(
            StreamErrorCode.BAD_RECORD,
            "a record cannot be processed; the error line before this says why",
        )
