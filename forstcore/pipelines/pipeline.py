"""One pipeline: reads, processes and writes until its source ends or it is drained."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from forstcore._core.filter import Filter
from forstcore._io.error_file import SINK_REFUSED
from forstcore._proc import count_lines
from forstcore._tracing import add_span, is_tracing
from forstcore.engine import Engine
from forstcore.errors import SinkError
from forstcore.pipelines.config import PipelineConfig
from forstcore.pipelines.confirmations import Confirmations
from forstcore.pipelines.dead_letters import DeadLetters, LastError
from forstcore.pipelines.engine_input import EngineInput
from forstcore.pipelines.saved_offset import SavedOffset
from forstcore.processors import Processor
from forstcore.sinks import Output, Sink, Writer
from forstcore.sources import NOW, START, Lag, Notice, Reader, Source, without_password
from forstcore.sources._published import PublishedSource

__all__ = ["Pipeline", "PipelineCounts"]

T = TypeVar("T")

_LOGGER = logging.getLogger("forstcore")

_MOMENT = 1.0  # Seconds that a step before reading may still take after `drain`.
_LAG_TIMEOUT = 2.0  # Seconds for a source to report how much is unread.
_MAX_PART = 1 << 20  # Bytes of results that are written before the end of their input is reached.


class _DrainedError(Exception):
    """Reading was stopped on purpose."""


@dataclass(frozen=True, slots=True)
class PipelineCounts:
    """The counters of a pipeline since it was started.

    Attributes:
        bytes_in: bytes read from the source.
        results: results that the sink has confirmed.
        filtered: records that did not match the filter.
        given_back: records that a compiled processor gave back to its Python function.
        errors: rejected lines, and results that the sink refused, by error code.
    """

    bytes_in: int = 0
    results: int = 0
    filtered: int = 0
    given_back: int = 0
    errors: dict[str, int] = field(default_factory=dict)


class Pipeline:
    """Read a source, filter and process its records, and write the results to a sink.

    Args:
        config: its options.
        source: the source of records.
        processor: turns them into results.
        record_filter: the records to process; None for all.
        sink: the destination of results.
        errors: the destination of dead letters; None to count them only.
        state: the file for the source's offset, if the sink does not keep it.

    Attributes:
        config: as above.

    Thread-safety: belongs to the event loop in which it runs; it runs once.
    """

    def __init__(
        self,
        config: PipelineConfig,
        source: Source,
        processor: Processor,
        record_filter: Filter | None,
        sink: Sink,
        errors: Sink | None,
        state: Path,
    ) -> None:
        self.config = config
        self._source = source
        self._processor = processor
        self._filter = record_filter
        self._sink = sink
        self._errors = errors
        self._saved_offset = SavedOffset(state, config.name, config.source)
        self._reader: Reader | None = None
        self._measuring = asyncio.Lock()
        self._input: EngineInput | None = None
        self._engine: Engine | None = None
        self._confirmations: Confirmations | None = None
        self._dead_letters: DeadLetters | None = None
        self._drained = asyncio.Event()
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()

    @property
    def is_paused(self) -> bool:
        """Whether `pause` was called, and `resume` was not."""
        return not self._may_go_on.is_set()

    @property
    def is_exactly_once(self) -> bool | None:
        """Whether the sink stores, or commits, the offsets of the source with the results.

        None if that is known only once the brokers are connected.
        """
        return self._keeps_offsets or self._sink.acknowledges(self._source)

    @property
    def _keeps_offsets(self) -> bool:
        return self._sink.keeps_offsets and self._source.keeps == "offsets"

    @property
    def counts(self) -> PipelineCounts:
        """The counters so far."""
        engine, confirmations = self._engine, self._confirmations
        if engine is None or confirmations is None or self._dead_letters is None:
            return PipelineCounts()
        errors = self._dead_letters.bad_rows.corrected(engine.errors_by_code())
        if refused := self._dead_letters.refused:
            errors[SINK_REFUSED] = refused
        return PipelineCounts(
            engine.bytes_in, confirmations.results, engine.filtered, engine.given_back, errors
        )

    @property
    def last_error(self) -> LastError | None:
        """The error of the last rejected line or refused result; None if unknown."""
        return self._dead_letters.last_error if self._dead_letters is not None else None

    def problems(self) -> list[tuple[str, str]]:
        """Return the keys of sinks that are already known not to be writable."""
        found = []
        for key, sink in (("sink", self._sink), ("errors", self._errors)):
            if sink is not None:
                try:
                    sink.check()
                except SinkError as error:
                    found.append((key, error.reason))
        return found

    def files(self) -> list[tuple[str, str]]:
        """Return the keys of sinks that are files, and the files, which nothing else may write."""
        sinks = (("sink", self._sink), ("errors", self._errors))
        return [(key, sink.file) for key, sink in sinks if sink is not None and sink.file]

    def trouble(self) -> tuple[str, Notice] | None:
        """Return what cannot be read or written now, and why; None if all can."""
        found = [
            ("source", self._input.trouble if self._input is not None else None),
            ("sink", self._sink.trouble()),
            ("sink for errors", self._errors.trouble() if self._errors is not None else None),
            ("state", self._saved_offset.trouble),
        ]
        return next(((what, notice) for what, notice in found if notice is not None), None)

    @property
    def waits_for(self) -> str:
        """Which sink has to confirm before the pipeline can end: that for errors if it is down."""
        is_down = self._errors is not None and self._errors.trouble() is not None
        return "sink for errors" if is_down else "sink"

    async def lag(self) -> Lag | None:
        """Return how much of the source is unread; None if that is unknown."""
        async with self._measuring:
            if self._reader is None:
                return None
            try:
                async with asyncio.timeout(_LAG_TIMEOUT):
                    return await self._reader.lag()
            except TimeoutError:
                return None

    def pause(self) -> None:
        """Stop processing until `resume` is called."""
        self._may_go_on.clear()

    def resume(self) -> None:
        """Continue after `pause`."""
        self._may_go_on.set()

    def take_processor(self, known: Mapping[str, Processor]) -> None:
        """Switch to the processor of the same name after modules were reloaded.

        Records in progress are processed by the old one, so none is lost, or processed by both.

        Args:
            known: the processors by name, without built-in ones, which do not change.

        Raises:
            LookupError: there is no longer a processor of that name.
        """
        if not self._processor.place:
            return
        if self._processor.name not in known:
            raise LookupError(
                f"pipeline {self.config.name}: there is no processor {self._processor.name!r} any "
                "more; the previous one is kept"
            )
        self._processor = known[self._processor.name]
        if self._engine is not None:
            self._engine.replace_processor(self._processor)

    def drain(self) -> None:
        """Stop reading; `run` returns once the results of everything read are confirmed."""
        self._drained.set()
        if self._engine is not None:
            self._engine.end_input(_DrainedError())

    def finish(self) -> None:
        """Like `drain`, but first read what is in memory, which would be lost with the process."""
        if isinstance(self._source, PublishedSource) and not self.is_paused:
            self._source.end()
        else:
            self.drain()

    async def run(self) -> None:
        """Run until the source ends, or `drain` is called.

        Raises:
            SourceError: the source cannot be read.
            SinkError: the sink, or that for dead letters, cannot be written.
        """
        with suppress(_DrainedError):
            await self._open_and_run()

    async def _open_and_run(self) -> None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._source.close)
            stack.push_async_callback(self._sink.close)
            if self._errors is not None:
                stack.push_async_callback(self._errors.close)
            start = await self._unless_drained(self._start())
            self._source.check(start)
            reader = self._source.open(start, self.config.name)
            stack.push_async_callback(self._close, reader)
            self._reader = reader
            is_possible = self._sink.acknowledges(self._source) is not False
            opening = self._sink.open(reader if is_possible else None)
            writer = await self._unless_drained(opening)
            stack.push_async_callback(writer.close)
            dead_writer = None
            if self._errors is not None:
                dead_writer = await self._errors.open(None)
                stack.push_async_callback(dead_writer.close)
            origin = without_password(self.config.source)
            self._dead_letters = DeadLetters(self.config.name, origin, dead_writer)
            await self._run(reader, writer, self._dead_letters)

    async def _unless_drained(self, step: Coroutine[Any, Any, T]) -> T:
        """Wait for a step before reading begins, which waits for brokers that are down.

        Raises:
            _DrainedError: `drain` was called, so there will be nothing to read.
        """
        task = asyncio.ensure_future(step)
        drained = asyncio.ensure_future(self._drained.wait())
        try:
            await asyncio.wait([task, drained], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                # A short operation is not interrupted.
                await asyncio.wait([task], timeout=_MOMENT)
            if task.done():
                return task.result()
            raise _DrainedError
        finally:
            drained.cancel()
            task.cancel()
            await asyncio.wait([task, drained])

    async def _close(self, reader: Reader) -> None:
        # The reader must not be closed while it is being asked for the lag.
        async with self._measuring:
            self._reader = None
        await reader.close()

    async def _start(self) -> str:
        """Return where to start reading."""
        if self._source.keeps != "offsets":
            return self.config.start or NOW
        if self._sink.keeps_offsets:
            offset = await self._sink.offset()
        else:
            offset = await self._saved_offset.load()
        return offset or self.config.start or START

    async def _run(self, reader: Reader, writer: Writer, dead_letters: DeadLetters) -> None:
        is_exactly_once = self._keeps_offsets or writer.acknowledges
        saves_offset = self._source.keeps == "offsets" and not self._sink.keeps_offsets
        self._confirmations = Confirmations(
            None if writer.acknowledges else reader,
            dead_letters,
            self._saved_offset.save if saves_offset else None,
            self.config.max_unconfirmed,
        )
        executor = ThreadPoolExecutor(self.config.workers, "forstcore-worker")
        try:
            self._engine = Engine(
                self._processor,
                executor,
                max_line_size=self.config.max_line_size,
                workers=self.config.workers,
                worker_kind=self.config.worker_kind,
                filter=self._filter,
                keep_rejected=self._errors is not None,
            )
            self._input = EngineInput(
                self.config.name,
                reader,
                self._engine,
                dead_letters.bad_rows,
                self.config.max_unconfirmed if is_exactly_once else None,
                self._may_go_on,
            )
            if self._drained.is_set():
                self._engine.end_input(_DrainedError())
            await _both(
                self._process(self._engine, self._input, writer, dead_letters, self._confirmations),
                self._confirmations.run(),
            )
        finally:
            # Do not wait for a function that is still processing its last record.
            executor.shutdown(wait=False, cancel_futures=True)

    async def _process(
        self,
        engine: Engine,
        source: EngineInput,
        writer: Writer,
        dead_letters: DeadLetters,
        confirmations: Confirmations,
    ) -> None:
        parts: list[bytes] = []
        size = 0
        began_at = 0.0

        async def write(offset: str, receipts: tuple[object, ...]) -> None:
            nonlocal size
            output = Output(b"".join(parts), offset, receipts)
            parts.clear()
            size = 0
            await confirmations.wait_for_room()
            confirmations.add(output, await writer.write(output))
            if output.results and is_tracing():
                self._trace(output, began_at)

        try:
            async with aclosing(source.lines()) as lines, aclosing(engine.run(lines)) as results:
                async for part in results:
                    if rejected := engine.take_rejected():
                        await dead_letters.write_rejected(rejected)
                    if not parts:
                        began_at = time.monotonic()
                    parts.append(part)
                    size += len(part)
                    if batches := source.take_finished():
                        receipts = [each.receipt for each in batches if each.receipt is not None]
                        await write(batches[-1].offset, tuple(receipts))
                        if batches[-1].is_last:
                            await writer.flush()
                    elif size >= _MAX_PART and not source.is_exact:
                        await write("", ())
        except _DrainedError:
            _LOGGER.debug("pipeline %s: what was read is processed", self.config.name)
        await writer.flush()
        confirmations.end()

    def _trace(self, output: Output, began_at: float) -> None:
        """Export the span of a batch, from its first results until all are passed to the sink."""
        attributes: dict[str, str | int | float] = {
            "forstcore.pipeline": self.config.name,
            "forstcore.results": count_lines(output.results),
            "forstcore.bytes_out": len(output.results),
            "forstcore.offset": output.offset,
        }
        add_span("pipeline batch", began_at, attributes)


async def _both(*steps: Coroutine[Any, Any, None]) -> None:
    """Run until all have returned, or one has failed, which ends the others."""
    tasks = [asyncio.ensure_future(each) for each in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
