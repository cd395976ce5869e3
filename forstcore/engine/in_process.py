"""The engine without a server: for an iterable or a file, in this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from types import GeneratorType
from typing import Any, BinaryIO, TypeAlias, TypedDict, Unpack

from forstcore._heap import retain_freed
from forstcore._io.atomic_file import written_whole
from forstcore._io.chunker import Grouper, ProducerError, check_unused, group
from forstcore._io.sync_iterator import check_no_loop, steps
from forstcore.engine import Engine, EngineOptions
from forstcore.processors import Processor, as_processor

__all__ = ["Counts", "Source", "process", "process_file"]

_PIECE = 1 << 18  # Bytes that are read at a time.

_Item: TypeAlias = bytes | str | Mapping[str, Any]
Source: TypeAlias = bytes | str | os.PathLike[str] | BinaryIO | Iterable[_Item]
"""What can be processed: a path, a binary file, NDJSON as bytes, or an iterable of NDJSON, as bytes
or text cut anywhere, or of records."""


class Counts(TypedDict):
    """What a whole input came to.

    Attributes:
        lines: input lines, blank ones included.
        records: lines that were processed.
        errors: lines that gave an error.
        results: result lines.
        bytes_in, bytes_out: bytes before and after processing.
        errors_by_code: the errors by their code.
    """

    lines: int
    records: int
    errors: int
    results: int
    bytes_in: int
    bytes_out: int
    errors_by_code: dict[str, int]


def process(
    source: Source, processor: object = None, **options: Unpack[EngineOptions]
) -> Generator[bytes, None, None]:
    """Process an input; iterate over its results, the same bytes as a server would send.

    Nothing happens before the first of them is asked for, and closing the generator ends the
    workers.

    Args:
        source: a path, a binary file, NDJSON as bytes, or an iterable of NDJSON (bytes or
            text, cut anywhere) or of records.
        processor: a function, the capsule of a native processor, the name of a declared one,
            or None for the built-in one.
        options: ``on_error``, ``max_line_size``, ``first_line``, ``workers``, ``buffer_size``
            and ``order``, as for `Engine`.

    Yields:
        Whole result lines, some at a time.

    Raises:
        LookupError, TypeError, ValueError: an argument cannot be used.
        RecordError: the error that ended the stream (``on_error="fail"``), behind all results
            before it and the error line.
        TypeError: an event loop runs in this thread; call it in another (`asyncio.to_thread`).
        Exception: whatever `source` raised.

    Thread-safety: the generator belongs to one thread; functions are called in others.
    """
    return _steps(source, as_processor(processor), options)


def process_file(
    source: Source,
    target: str | os.PathLike[str],
    processor: object = None,
    **options: Unpack[EngineOptions],
) -> Counts:
    """Process an input into a file, which appears when it is complete, and otherwise not.

    Args:
        source, processor, options: as for `process`.
        target: path of the file; one that is there is replaced, also if it is the source, and
            hands on its owner and mode.

    Returns:
        What the input came to.

    Raises:
        OSError: the file cannot be written.
        Exception: as `process`.
    """
    how = as_processor(processor)
    check_no_loop("call it in another")

    async def copy() -> Counts:
        engine = Engine(how, threads, **options)
        async with aclosing(_outputs(source, engine)) as outputs:
            async for output in outputs:
                file.write(output)
        return {
            "lines": engine.lines,
            "records": engine.records,
            "errors": engine.errors,
            "results": engine.results,
            "bytes_in": engine.bytes_in,
            "bytes_out": engine.bytes_out,
            "errors_by_code": engine.errors_by_code(),
        }

    with _threads(options) as threads, written_whole(target) as file:
        return asyncio.run(copy())


def _steps(
    source: Source, processor: Processor, options: EngineOptions
) -> Generator[bytes, None, None]:
    with _threads(options) as threads:

        async def run() -> AsyncGenerator[bytes, None]:
            engine = Engine(processor, threads, **options)
            async with aclosing(_outputs(source, engine)) as outputs:
                async for output in outputs:
                    yield output

        with closing(steps(run)) as outputs:
            yield from outputs


async def _outputs(source: Source, engine: Engine) -> AsyncGenerator[bytes, None]:
    retain_freed()
    with _opened(source) as producer:
        grouper = group(producer, _PIECE)
        try:
            async with aclosing(engine.run_or_raise(_taken(grouper))) as outputs:
                async for output in outputs:
                    if output:
                        yield output
        finally:
            await grouper.close()


async def _taken(grouper: Grouper) -> AsyncIterator[bytes]:
    try:
        while chunk := await grouper.take():
            yield chunk
    except ProducerError as carrier:
        raise carrier.error from None


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            yield file
    elif hasattr(source, "read") or isinstance(source, bytes | bytearray | memoryview):
        yield source
    else:
        check_unused(source)
        yield _encoded(source)


def _encoded(source: Iterable[Any]) -> Iterator[Any]:
    try:
        for item in source:
            yield item.encode() if isinstance(item, str) else item
    finally:
        if isinstance(source, GeneratorType):
            source.close()


def _threads(options: EngineOptions) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(options.get("workers", 10), "forstcore-worker")
