"""Runners turn the input of a command into results. `EngineRunner` does so in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Protocol, TypeAlias

from forstcore._core.filter import Filter
from forstcore._core.rejected import RejectedLine
from forstcore._io.line_file import LineFile
from forstcore.config import WorkerKind
from forstcore.engine import Engine
from forstcore.processors import Processor
from forstcore.wire import OnError

__all__ = ["EngineRunner", "Pieces", "Runner"]

Pieces: TypeAlias = AsyncIterable[bytes] | Iterable[bytes | LineFile]
"""The input of a runner; what is not async does not block. Lines of the files may be taken."""


class Runner(Protocol):
    """Turns an input into results."""

    @property
    def rejected(self) -> Iterable[RejectedLine]:
        """The rejected lines of the last chunk."""

    def results_in(self, chunk: bytes) -> int:
        """Return the number of results in the last chunk, without error lines."""

    def errors(self) -> dict[str, int]:
        """Return the number of errors of each code so far."""

    def given_back(self) -> int:
        """Return the number of records that a compiled processor gave back so far."""

    def run(
        self, source: Pieces, on_error: OnError, *, keep_rejected: bool
    ) -> AsyncGenerator[bytes, None]:
        """Yield chunks of whole result lines; if `keep_rejected`, `rejected` has their errors."""


class EngineRunner:
    """Process the input with the engine, in this process.

    Args:
        processor: the processor.
        workers, worker_kind, buffer_size, max_line_size, filter: as for `Engine`.
    """

    def __init__(
        self,
        processor: Processor,
        *,
        workers: int,
        worker_kind: WorkerKind,
        buffer_size: int,
        max_line_size: int,
        filter: Filter | None = None,
    ) -> None:
        self._processor = processor
        self._workers = workers
        self._worker_kind = worker_kind
        self._buffer_size = buffer_size
        self._max_line_size = max_line_size
        self._filter = filter
        self._engine: Engine | None = None
        self._counted = 0

    @property
    def rejected(self) -> Iterable[RejectedLine]:
        return (self._engine and self._engine.take_rejected()) or ()

    def results_in(self, _chunk: bytes) -> int:
        counted, self._counted = self._counted, self._engine.results if self._engine else 0
        return self._counted - counted

    def errors(self) -> dict[str, int]:
        return self._engine.errors_by_code() if self._engine else {}

    def given_back(self) -> int:
        return self._engine.given_back if self._engine else 0

    async def run(
        self, source: Pieces, on_error: OnError, *, keep_rejected: bool
    ) -> AsyncGenerator[bytes, None]:
        threads = ThreadPoolExecutor(self._workers, "forstcore-worker")
        self._engine = Engine(
            self._processor,
            threads,
            on_error=on_error,
            max_line_size=self._max_line_size,
            workers=self._workers,
            worker_kind=self._worker_kind,
            buffer_size=self._buffer_size,
            filter=self._filter,
            alone=True,
            keep_rejected=keep_rejected,
        )
        try:
            async with aclosing(self._engine.run_or_raise(source)) as results:
                async for chunk in results:
                    yield chunk
        finally:
            # Do not wait for a function that is still processing its last record.
            threads.shutdown(wait=False, cancel_futures=True)
