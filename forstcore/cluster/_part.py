"""The tasks of workers: count the lines of a block, or process it into a part."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, TypeAlias

from distributed import get_worker

from forstcore._core.filter import Filter
from forstcore._io.digest import digest_text, new_digest
from forstcore._version import VERSION
from forstcore.cluster import _blocks
from forstcore.cluster._blocks import Block
from forstcore.cluster._errors_file import ErrorsFile
from forstcore.cluster._manifest import FailedLine, Part
from forstcore.cluster._output_directory import OutputDirectory
from forstcore.cluster._packed_processor import PackedProcessor
from forstcore.cluster._running_tasks import CancelledTaskError, is_ended, running
from forstcore.engine import Engine
from forstcore.errors import ClusterError, RecordError
from forstcore.formats.result_types import columns_of_results
from forstcore.formats.sample import Sample
from forstcore.formats.writing import writer_of
from forstcore.processors import Processor
from forstcore.wire import OnError

__all__ = ["PartFormat", "RunConfig", "count_block", "make_part", "report_of", "sample_block"]

PartFormat: TypeAlias = Literal["ndjson", "parquet"]


@dataclass(frozen=True)
class RunConfig:
    """Settings shared by all tasks of a run.

    Attributes:
        system: the file system of the input.
        output: the destination.
        packed: the processor.
        plan: digest of everything that determines the bytes of the parts.
        on_error, max_line_size, workers, buffer_size: as for `Engine`.
        filters: conditions of the filter; empty for all records.
        collect_errors: whether rejected lines are written to error files.
        width: digits of the number in the name of a part.
        part_format: the format of the parts.
        sample: the columns of Parquet parts; None before they are known.
        version: version of forstcore on the client.
        run: a name of the run that no other has.
    """

    system: Any
    output: OutputDirectory
    packed: PackedProcessor
    plan: str
    on_error: OnError
    filters: Mapping[str, Any]
    max_line_size: int
    workers: int
    buffer_size: int
    collect_errors: bool
    width: int
    part_format: PartFormat = "ndjson"
    sample: Sample | None = None
    version: str = VERSION
    run: str = field(default_factory=lambda: secrets.token_hex(8))

    def part_of(self, block: Block) -> str:
        """Return the name of a block's part."""
        return f"part-{block.number:0{self.width}d}.{self.part_format}"

    def errors_of(self, block: Block) -> str:
        """Return the name of the file with a block's rejected lines."""
        return f"errors-{block.number:0{self.width}d}.ndjson"


def report_of(part: str) -> str:
    """Return the name of a part's report, which exists until the manifest is written."""
    return f".{part.rpartition('.')[0]}.json"


def count_block(block: Block, config: RunConfig) -> int:
    """Count the lines of a block."""
    return _blocks.count(config.system, block)


def sample_block(block: Block, config: RunConfig) -> Sample:
    """Return the sample of a run, with the first results of a block."""
    processor = config.packed.unpack()
    sample = config.sample or Sample("parts", columns_of_results(processor.result_type))
    if not sample.is_full:
        # The run itself reports the invalid line that ends it.
        with suppress(RecordError), _processing(config):
            asyncio.run(_take_sample(block, config, processor, sample))
    return sample


def make_part(block: Block, config: RunConfig) -> Part | FailedLine:
    """Process a block into its part. The task is idempotent.

    Returns:
        The manifest entry of the part; or the invalid line that ends the run, without a part.

    Raises:
        CancelledTaskError: the part is no longer needed.
        ClusterError: this worker has another version of forstcore.
        LoadError: the processor cannot be loaded here.
        OSError: a file cannot be read or written.
        ResultFormatError: the format of the part cannot hold a result.
    """
    if config.version != VERSION:
        raise ClusterError(f"this worker has forstcore {VERSION}, not {config.version}")
    processor = config.packed.unpack()
    try:
        with _processing(config):
            return asyncio.run(_process(block, config, processor))
    except RecordError as error:
        return {
            "line": error.line - block.first_line,
            "offset": error.offset,
            "code": error.code,
            "message": error.message,
        }


@contextmanager
def _processing(config: RunConfig) -> Iterator[None]:
    try:
        with running(config.run):
            yield
    except (KeyboardInterrupt, SystemExit) as error:
        # Dask would wait forever for a task that raises one of these.
        raise ClusterError(f"the processor raised {type(error).__name__}") from None


async def _process(block: Block, config: RunConfig, processor: Processor) -> Part:
    """Write a part, and a report that lists its files.

    A processor that is not async runs in this thread: Dask starts one thread for each core.
    """
    is_cancelled = _cancellation_of_this_task(config.run)
    engine = _engine(block, config, processor, is_cancelled)
    source = _read(_blocks.pieces(config.system, block), in_thread=processor.is_async)
    name = config.part_of(block)
    async with AsyncExitStack() as stack:
        out = _PartFile(stack.enter_context(config.output.writing(name)))
        write: Callable[[bytes], object] = out.write
        if config.part_format == "parquet":
            columns = config.sample.columns if config.sample is not None else None
            writer = writer_of("parquet", out.write, name, columns)
            stack.callback(writer.close)
            write = writer.write
        errors = ErrorsFile(block, config.output, config.errors_of(block), stack)
        await stack.enter_async_context(aclosing(source))
        results = await stack.enter_async_context(aclosing(engine.run_or_raise(source)))
        async for chunk in results:
            if is_cancelled():
                raise CancelledTaskError
            if (rejected := engine.take_rejected()) is not None:
                errors.write(rejected)
            write(chunk)
        if is_cancelled():
            raise CancelledTaskError
        if config.part_format == "parquet":
            writer.finish()
        part: Part = {
            "part": name,
            "file": block.file.name,
            "start": block.start,
            "end": block.end,
            "lines": engine.lines,
            "records": engine.records,
            "results": engine.results,
            "errors": engine.errors,
            "filtered": engine.filtered,
            "given_back": engine.given_back,
            "errors_by_code": engine.errors_by_code(),
            "errors_file": errors.name if errors.has_written else None,
            "bytes_in": engine.bytes_in,
            "bytes_out": out.size,
            "digest": digest_text(out.digest),
        }
        # Write the report before the files are renamed, so that every file has a report. A
        # resumed run keeps a part only if its file exists, too.
        config.output.write_json(report_of(name), {"plan": config.plan, "part": part})
    return part


async def _take_sample(
    block: Block, config: RunConfig, processor: Processor, sample: Sample
) -> None:
    is_cancelled = _cancellation_of_this_task(config.run)
    engine = _engine(block, config, processor, is_cancelled)
    source = _read(_blocks.pieces(config.system, block), in_thread=processor.is_async)
    async with aclosing(source), aclosing(engine.run_or_raise(source)) as results:
        async for chunk in results:
            if is_cancelled():
                raise CancelledTaskError
            engine.take_rejected()
            sample.take(chunk)
            if sample.is_full:
                return


def _engine(
    block: Block, config: RunConfig, processor: Processor, is_cancelled: Callable[[], bool]
) -> Engine:
    return Engine(
        processor,
        None,
        on_error=config.on_error,
        max_line_size=config.max_line_size,
        first_line=block.first_line,
        workers=config.workers if processor.is_async else 1,
        buffer_size=config.buffer_size,
        filter=Filter(config.filters) if config.filters else None,
        keep_rejected=config.collect_errors,
        is_cancelled=is_cancelled,
    )


class _PartFile:
    """The file of a part, with its size and digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0
        self.digest = new_digest()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.digest.update(data)
        self.size += len(data)


async def _read(pieces: Iterator[bytes], *, in_thread: bool) -> AsyncGenerator[bytes, None]:
    """Yield pieces of a block; read in a thread to let async calls run meanwhile."""
    if in_thread:
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece
    else:
        for piece in pieces:
            yield piece


def _cancellation_of_this_task(run: str) -> Callable[[], bool]:
    """Return a function that returns whether the run, or the Dask task of this thread, has been
    cancelled."""
    try:
        worker = get_worker()
        key = worker.get_current_task()
    except (ValueError, KeyError):
        return lambda: is_ended(run)

    def is_cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled" or is_ended(run)

    return is_cancelled
