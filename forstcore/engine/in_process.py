"""Process an iterable or a file in this process, without a server."""

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
from forstcore._io.chunker import Grouper, ProducerError, check_unused, group
from forstcore._io.compressed import decompressed
from forstcore._io.sync_iterator import check_no_loop, steps
from forstcore.engine import Engine, EngineOptions
from forstcore.errors import RecordError
from forstcore.formats import Format, UnknownFormatError, format_of
from forstcore.formats.output_file import formatted, opened_file
from forstcore.processors import Processor, as_processor
from forstcore.wire import IN_PLACE_MODES

__all__ = ["Counts", "Source", "process", "process_file"]

_PIECE = 1 << 18  # Bytes per read.

_Item: TypeAlias = bytes | str | Mapping[str, Any]
Source: TypeAlias = bytes | str | os.PathLike[str] | BinaryIO | Iterable[_Item]
"""An input: the path of NDJSON, ``.gz`` and ``.zst`` decompressed; a binary file, NDJSON as bytes,
or an iterable of records or of NDJSON (bytes or text, split anywhere)."""


class Counts(TypedDict):
    """Totals of a whole input.

    Attributes:
        lines: input lines, including blank ones.
        records: lines that were processed.
        errors: lines that were rejected.
        results: result lines.
        filtered: records that did not match the filter; `records` includes them.
        given_back: records that a compiled processor gave back to its Python function.
        bytes_in, bytes_out: bytes before and after processing.
        errors_by_code: number of errors of each code.
    """

    lines: int
    records: int
    errors: int
    results: int
    filtered: int
    given_back: int
    bytes_in: int
    bytes_out: int
    errors_by_code: dict[str, int]


def process(
    source: Source, processor: object = None, **options: Unpack[EngineOptions]
) -> Generator[bytes, None, None]:
    """Process an input and iterate over its results, the same bytes that a server would send.

    Processing starts with the first iteration. Closing the generator stops the workers.

    Args:
        source: a path, a binary file, NDJSON as bytes, or an iterable of NDJSON (bytes or
            text, split anywhere) or of records.
        processor: a function, the capsule of a native processor, the name of a declared one,
            or None for the built-in one. A function has the options with which it is declared;
            give the name if there are several declarations with different options.
        options: ``on_error``, ``max_line_size``, ``first_line``, ``workers``, ``worker_kind``,
            ``buffer_size``, ``order`` and ``filter``, as for `Engine`.

    Yields:
        Chunks of whole result lines.

    Raises:
        LookupError, TypeError, ValueError: an argument is invalid.
        RecordError: the error that ended the stream (``on_error="fail"``), after all earlier
            results and the error line.
        TypeError: an event loop is running in this thread; use another (`asyncio.to_thread`).
        Exception: whatever `source` raised.

    Thread-safety: the generator belongs to one thread; it calls functions in others.
    """
    return _steps(source, as_processor(processor), options)


def process_file(
    source: Source,
    target: str | os.PathLike[str],
    processor: object = None,
    **options: Unpack[EngineOptions],
) -> Counts:
    """Process an input into a file, which is created or replaced only when it is complete.

    Args:
        source, processor, options: as for `process`.
        target: path of the file. Its name says the format, as on the command line: ``.csv``,
            ``.tsv``, ``.parquet``, any other is NDJSON; ``.gz`` and ``.zst`` compress. An existing
            file is replaced, even if it is the source; its owner and mode are kept.

    Returns:
        Totals of the input. The bytes of results are those of NDJSON.

    Raises:
        OSError: the file cannot be written.
        ValueError: ``on_error`` is ``emit``, and the format has no place for error lines.
        ResultFormatError: the format cannot hold a result.
        FormatMissingError: the format needs a package that is not installed.
        Exception: as `process`.
    """
    how = as_processor(processor)
    check_no_loop("call it in another")
    name = os.fsdecode(target)
    kind = _format_of(name)
    if kind != "ndjson" and options.get("on_error") in IN_PLACE_MODES:
        raise ValueError(f"{name}: error lines (on_error='emit') are for NDJSON only")

    async def copy() -> Counts:
        engine = Engine(how, threads, **options)
        # The error line is the last one before the error that ends the stream.
        drops_error_line = kind != "ndjson" and options.get("on_error") == "fail"
        held = b""
        try:
            async with aclosing(_outputs(source, engine)) as outputs:
                async for output in outputs:
                    if drops_error_line:
                        output, held = held, output
                    write(output)
        except RecordError:
            write(held[: held.rfind(b"\n", 0, -1) + 1])
            raise
        write(held)
        return {
            "lines": engine.lines,
            "records": engine.records,
            "errors": engine.errors,
            "results": engine.results,
            "filtered": engine.filtered,
            "given_back": engine.given_back,
            "bytes_in": engine.bytes_in,
            "bytes_out": engine.bytes_out,
            "errors_by_code": engine.errors_by_code(),
        }

    with (
        _threads(options) as threads,
        opened_file(target) as write_bytes,
        formatted(write_bytes, name, kind, how.result_type) as write,
    ):
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
        name = os.fsdecode(source)
        if _format_of(name) != "ndjson":
            raise ValueError(f"{name}: is not NDJSON; `forstcore process` reads CSV and Parquet")
        with Path(source).open("rb") as file:
            yield decompressed(file, name)
    elif hasattr(source, "read") or isinstance(source, bytes | bytearray | memoryview):
        yield source
    else:
        check_unused(source)
        yield _encoded(source)


def _format_of(name: str) -> Format:
    """Return the format of a file by its name; NDJSON if that says none."""
    try:
        return format_of(name)
    except UnknownFormatError:
        return "ndjson"


def _encoded(source: Iterable[Any]) -> Iterator[Any]:
    try:
        for item in source:
            yield item.encode() if isinstance(item, str) else item
    finally:
        if isinstance(source, GeneratorType):
            source.close()


def _threads(options: EngineOptions) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(options.get("workers", 10), "forstcore-worker")
