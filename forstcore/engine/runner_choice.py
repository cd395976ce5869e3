"""Which runner processes the batches of a stream."""

from __future__ import annotations

from forstcore._core.filter import Filter
from forstcore.engine.compiled_runner import CompiledRunner
from forstcore.engine.runners import BatchRunner, NativeRunner, PythonRunner
from forstcore.processors import Processor
from forstcore.wire import OnError

__all__ = ["runner_of"]


def runner_of(
    processor: Processor,
    on_error: OnError,
    max_line_size: int,
    *,
    keep_rejected: bool,
    record_filter: Filter | None = None,
) -> BatchRunner:
    """Return the runner for one stream.

    Args:
        processor: the processor, which is not async.
        on_error, max_line_size, keep_rejected: as for `RecordStream`.
        record_filter: lets records through; None for all.
    """
    if processor.kind != "native" and processor.program is not None:
        return CompiledRunner(
            processor,
            processor.program,
            on_error,
            max_line_size,
            keep_rejected=keep_rejected,
            record_filter=record_filter,
        )
    kind = NativeRunner if processor.kind == "native" else PythonRunner
    return kind(
        processor,
        on_error,
        max_line_size,
        keep_rejected=keep_rejected,
        record_filter=record_filter,
    )
