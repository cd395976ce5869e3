"""What a worker does: a block of the input becomes a part of the output."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, Literal

from xxhash import xxh3_64

from forstcore._version import VERSION
from forstcore.cluster import _blocks
from forstcore.cluster._blocks import Block
from forstcore.cluster._making import Made, is_cancelled_here, results_of
from forstcore.cluster._manifest import Failure, Part
from forstcore.cluster._rejecting import Rejecting
from forstcore.cluster._shipping import Shipment
from forstcore.cluster._target import Target
from forstcore.engine import EngineOptions
from forstcore.errors import ClusterError, RecordError

__all__ = ["Task", "count_block", "make_part", "report_of"]


@dataclass(frozen=True)
class Task:
    """What all tasks of a run have in common.

    Attributes:
        system: the file system of the input.
        target: the destination.
        shipment: the processor.
        plan: digest of what determines the bytes of each part.
        on_error, max_line_size, workers, buffer_size: as for `Engine`.
        collect_errors: whether lines that give an error are written down.
        width: digits of the number of a part.
        version: that of forstcore where the run was begun.
    """

    system: Any
    target: Target
    shipment: Shipment
    plan: str
    on_error: Literal["skip", "emit", "fail"]
    max_line_size: int
    workers: int
    buffer_size: int
    collect_errors: bool
    width: int
    version: str = VERSION

    def file_of(self, kind: str, block: Block) -> str:
        """Name the file of a block."""
        return f"{kind}-{block.number:0{self.width}d}.ndjson"

    def options(self, block: Block) -> EngineOptions:
        """Return the options with which a block is processed."""
        return {
            "on_error": self.on_error,
            "max_line_size": self.max_line_size,
            "first_line": block.first_line,
            "workers": self.workers,
            "buffer_size": self.buffer_size,
        }


def report_of(part: str) -> str:
    """Name the file in which it is told what a part came to, until there is a manifest."""
    return f".{part.removesuffix('.ndjson')}.json"


def count_block(block: Block, task: Task) -> int:
    """Count the lines of a block."""
    return _blocks.count(task.system, block)


def make_part(block: Block, task: Task) -> Part | Failure:
    """Process a block into its part; made twice, it is the same.

    Returns:
        What it came to; or the line that has to end everything, and no part.

    Raises:
        ClusterError: this worker has another version of forstcore.
        LoadError: the processor cannot be made here.
        OSError: something cannot be read or written.
    """
    if task.version != VERSION:
        raise ClusterError(f"this worker has forstcore {VERSION}, not {task.version}")
    processor = task.shipment.unpack()
    name = task.file_of("part", block)
    made = Made()
    digest = xxh3_64()
    size = 0
    try:
        with ExitStack() as stack:
            out = stack.enter_context(task.target.writing(name))
            pieces = _blocks.pieces(task.system, block)
            rejecting = None
            if task.collect_errors:
                name_of_errors = task.file_of("errors", block)
                rejecting = Rejecting(block, task.target, name_of_errors, stack)
            results = results_of(
                pieces,
                processor,
                made,
                is_cancelled_here(),
                task.options(block),
                keep_rejected=task.collect_errors,
            )
            for chunk in stack.enter_context(closing(results)):
                if rejecting is not None and made.rejected is not None:
                    rejecting.write(made.rejected)
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            part: Part = {
                "part": name,
                "file": block.file.name,
                "start": block.start,
                "end": block.end,
                "lines": made.lines,
                "records": made.records,
                "results": made.results,
                "errors": made.codes.total(),
                "errors_by_code": dict(made.codes),
                "errors_file": task.file_of("errors", block)
                if rejecting and rejecting.has_written
                else None,
                "bytes_in": made.bytes_in,
                "bytes_out": size,
                "digest": f"xxh3:{digest.hexdigest()}",
            }
            # Before the files get their names, so that every file is listed by a report. Resuming
            # takes a part only if its file is there, too.
            task.target.write_json(report_of(name), {"plan": task.plan, "part": part})
    except (KeyboardInterrupt, SystemExit) as error:
        # Dask would wait for ever for a task that ends by one of these.
        raise ClusterError(f"the processor raised {type(error).__name__}") from None
    except RecordError as error:
        return {
            "line": error.line - block.first_line,
            "offset": error.offset,
            "code": error.code,
            "message": error.message,
        }
    return part
