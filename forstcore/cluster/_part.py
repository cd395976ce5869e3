"""The tasks of workers: count the lines of a block, or process it into a part."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any

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
from forstcore.processors import Processor
from forstcore.wire import OnError

__all__ = ["RunConfig", "count_block", "make_part", "report_of"]


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
    version: str = VERSION
    run: str = field(default_factory=lambda: secrets.token_hex(8))

    def file_of(self, kind: str, block: Block) -> str:
        """Return the name of a block's file."""
        return f"{kind}-{block.number:0{self.width}d}.ndjson"


def report_of(part: str) -> str:
    """Return the name of a part's report, which exists until the manifest is written."""
    return f".{part.removesuffix('.ndjson')}.json"


def count_block(block: Block, config: RunConfig) -> int:
    """Count the lines of a block."""
    return _blocks.count(config.system, block)


def make_part(block: Block, config: RunConfig) -> Part | FailedLine:
    """Process a block into its part. The task is idempotent.

    Returns:
        The manifest entry of the part; or the invalid line that ends the run, without a part.

    Raises:
        CancelledTaskError: the part is no longer needed.
        ClusterError: this worker has another version of forstcore.
        LoadError: the processor cannot be loaded here.
        OSError: a file cannot be read or written.
    """
    if config.version != VERSION:
        raise ClusterError(f"this worker has forstcore {VERSION}, not {config.version}")
    processor = config.packed.unpack()
    try:
        with running(config.run):
            return asyncio.run(_process(block, config, processor))
    except (KeyboardInterrupt, SystemExit) as error:
        # Dask would wait forever for a task that raises one of these.
        raise ClusterError(f"the processor raised {type(error).__name__}") from None
    except RecordError as error:
        return {
            "line": error.line - block.first_line,
            "offset": error.offset,
            "code": error.code,
            "message": error.message,
        }


async def _process(block: Block, config: RunConfig, processor: Processor) -> Part:
    """Write a part, and a report that lists its files.

    A processor that is not async runs in this thread: Dask starts one thread for each core.
    """
    is_cancelled = _cancellation_of_this_task(config.run)
    engine = Engine(
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
    source = _read(_blocks.pieces(config.system, block), in_thread=processor.is_async)
    name = config.file_of("part", block)
    digest = new_digest()
    async with AsyncExitStack() as stack:
        out = stack.enter_context(config.output.writing(name))
        errors = ErrorsFile(block, config.output, config.file_of("errors", block), stack)
        await stack.enter_async_context(aclosing(source))
        results = await stack.enter_async_context(aclosing(engine.run_or_raise(source)))
        async for chunk in results:
            if is_cancelled():
                raise CancelledTaskError
            if (rejected := engine.take_rejected()) is not None:
                errors.write(rejected)
            out.write(chunk)
            digest.update(chunk)
        if is_cancelled():
            raise CancelledTaskError
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
            "bytes_out": engine.bytes_out,
            "digest": digest_text(digest),
        }
        # Write the report before the files are renamed, so that every file has a report. A
        # resumed run keeps a part only if its file exists, too.
        config.output.write_json(report_of(name), {"plan": config.plan, "part": part})
    return part


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
