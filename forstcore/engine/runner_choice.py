"""Which runner processes the batches of a stream."""

from __future__ import annotations

from forstcore.config import WorkerKind
from forstcore.engine.compiled_runner import CompiledRunner
from forstcore.engine.line_options import LineOptions
from forstcore.engine.runners import BatchRunner, NativeRunner, PythonRunner
from forstcore.processors import Processor

__all__ = ["runner_of"]


def runner_of(
    processor: Processor,
    options: LineOptions,
    worker_kind: WorkerKind | None = None,
    *,
    may_have_processes: bool = False,
) -> BatchRunner:
    """Return the runner for one stream.

    Args:
        processor: the processor, which is not async.
        options: how lines are treated.
        worker_kind: what its workers are, if it does not declare that itself.
        may_have_processes: whether workers may be processes at all.
    """
    if processor.kind == "native":
        return NativeRunner(processor, options)
    # Compiled processors need no processes, unless they are declared to have them.
    has_processes = processor.worker_kind == "processes" or (
        (processor.worker_kind, worker_kind, processor.program) == (None, "processes", None)
    )
    if has_processes and may_have_processes:
        # Not imported at the top: most streams have no processes.
        from forstcore.engine.process_runner import ProcessRunner

        return ProcessRunner(processor, options)
    if processor.program is not None:
        return CompiledRunner(processor, processor.program, options)
    return PythonRunner(processor, options)
