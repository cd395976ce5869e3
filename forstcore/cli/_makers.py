"""What makes results of an input here: the engine, or compiled code over large blocks."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Protocol

from forstcore._core.rejected import RejectedLine
from forstcore._proc import Batcher
from forstcore.engine import Engine
from forstcore.engine.runners import batches_of
from forstcore.engine.sequencer import Outcome
from forstcore.processors import Processor

__all__ = ["BlockMaker", "EngineMaker", "Maker", "OnError"]

OnError = Literal["skip", "emit", "fail"]


class Maker(Protocol):
    """Makes results of an input."""

    @property
    def rejected(self) -> Iterable[RejectedLine]:
        """The lines that gave an error among those of the chunk that was yielded last."""

    def results_in(self, chunk: bytes) -> int:
        """Count the results in the chunk that was yielded last, its error lines left out."""

    def errors(self) -> dict[str, int]:
        """Count the errors so far by code."""

    def run(
        self, source: AsyncGenerator[bytes, None], on_error: OnError, *, keep_rejected: bool
    ) -> AsyncGenerator[bytes, None]:
        """Yield whole result lines; `rejected` tells of errors if they are kept."""


class EngineMaker:
    """Make results with the engine.

    Args:
        processor: what makes them.
        options: as for `Engine`.
    """

    def __init__(self, processor: Processor, **options: Any) -> None:
        self._processor = processor
        self._options = options
        self._engine: Engine | None = None
        self._told = 0

    @property
    def rejected(self) -> Iterable[RejectedLine]:
        return (self._engine and self._engine.take_rejected()) or ()

    def results_in(self, _chunk: bytes) -> int:
        told, self._told = self._told, self._engine.results if self._engine else 0
        return self._told - told

    def errors(self) -> dict[str, int]:
        return self._engine.errors_by_code() if self._engine else {}

    async def run(
        self, source: AsyncGenerator[bytes, None], on_error: OnError, *, keep_rejected: bool
    ) -> AsyncGenerator[bytes, None]:
        threads = ThreadPoolExecutor(self._options["workers"], "forstcore-worker")
        self._engine = Engine(
            self._processor,
            threads,
            on_error=on_error,
            keep_rejected=keep_rejected,
            **self._options,
        )
        results = self._engine.run(source)
        try:
            async for chunk in results:
                yield chunk
        finally:
            await results.aclose()
            # A function that takes its time is not waited for.
            threads.shutdown(wait=False, cancel_futures=True)
        if self._engine.failure is not None:
            raise self._engine.failure


class BlockMaker:
    """Make results with a native processor, a large block at a time in each thread.

    The engine hands out what has come as soon as a worker is free. A file is all there: with
    large blocks more of the time is spent in compiled code, and the bytes are the same.

    Args:
        processor: a native one.
        workers: blocks in work at once.
        max_line_size: as for `Engine`.
    """

    def __init__(self, processor: Processor, *, workers: int, max_line_size: int) -> None:
        self.rejected: Iterable[RejectedLine] = ()
        self._processor = processor
        self._workers = workers
        self._max_line_size = max_line_size
        self._codes: Counter[str] = Counter()
        self._results = 0

    def results_in(self, _chunk: bytes) -> int:
        return self._results

    def errors(self) -> dict[str, int]:
        return self._codes

    async def run(
        self, source: AsyncGenerator[bytes, None], on_error: OnError, *, keep_rejected: bool
    ) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        batches = batches_of(
            self._processor, on_error, self._max_line_size, keep_rejected=keep_rejected
        )
        batcher = Batcher(max_line_size=self._max_line_size)
        jobs: deque[asyncio.Future[Outcome]] = deque()
        stopped = threading.Event()

        def begin(lines: bytes, number: int) -> None:
            jobs.append(loop.run_in_executor(threads, batches.run, lines, number, stopped.is_set))

        async def first() -> bytes:
            outcome = await jobs.popleft()
            self._results = outcome.results
            self._codes.update(outcome.errors or {})
            self.rejected = outcome.rejected or ()
            self._failure = outcome.failure
            return outcome.output

        with ThreadPoolExecutor(self._workers, "forstcore-worker") as threads:
            try:
                async for piece in source:
                    number = batcher.lines + 1
                    if lines := batcher.feed(piece):
                        begin(lines, number)
                    while jobs and (len(jobs) > self._workers + 1 or jobs[0].done()):
                        yield await first()
                        if self._failure is not None:
                            raise self._failure
                number = batcher.lines + 1
                if lines := batcher.finish():
                    begin(lines, number)
                while jobs:
                    yield await first()
                    if self._failure is not None:
                        raise self._failure
            finally:
                stopped.set()
