"""Running whole streams through the core and recording everything observable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from forstcore import Filter, RecordError
from forstcore._proc import Batcher, RecordStream, scan_path, scan_paths, use_scan_path
from fuzz.cuts import alone, cut

__all__ = ["MODES", "Options", "Run", "invariant"]

OnError = Literal["skip", "emit", "fail"]
MODES: list[OnError] = ["skip", "emit", "fail"]


@dataclass(frozen=True)
class Options:
    """Arguments of `RecordStream`."""

    on_error: OnError = "emit"
    max_line_size: int = 1 << 20
    first_line: int = 1
    filter: Filter | None = None
    processor: object = None

    def stream(self) -> RecordStream:
        """Create a stream."""
        return RecordStream(
            on_error=self.on_error,
            max_line_size=self.max_line_size,
            first_line=self.first_line,
            filter=self.filter,
            processor=self.processor,
        )


@dataclass(frozen=True)
class Run:
    """The output and the final state of a stream."""

    output: bytes
    lines: int
    records: int
    errors: int
    results: int
    filtered: int
    codes: dict[str, int]
    failure: tuple[str, str, int, int] | None


def _failure(stream: RecordStream) -> tuple[str, str, int, int]:
    """Return the error that a further call on a failed stream raises."""
    try:
        stream.feed(b"{}\n")
    except RecordError as error:
        return error.code, error.message, error.line, error.offset
    raise AssertionError("a stream that has failed takes more")


def _run(chunks: Iterable[bytes], options: Options) -> Run:
    """Feed the chunks until the stream fails, and finish it if it does not."""
    stream = options.stream()
    parts = []
    fed = 0
    for chunk in chunks:
        parts.append(stream.feed(alone(chunk)))
        fed += len(chunk)
        if stream.failed:
            break
    if not stream.failed:
        parts.append(stream.finish())
    output = b"".join(parts)
    codes = stream.errors_by_code()
    assert stream.bytes_in == fed
    assert stream.bytes_out == len(output)
    assert sum(codes.values()) == stream.errors
    return Run(
        output,
        stream.lines,
        stream.records,
        stream.errors,
        stream.results,
        stream.filtered,
        codes,
        _failure(stream) if stream.failed else None,
    )


def _batches(chunks: Iterable[bytes], max_line_size: int) -> list[bytes]:
    """Group the chunks into batches of whole lines."""
    batcher = Batcher(max_line_size=max_line_size)
    batches = [batcher.feed(alone(chunk)) for chunk in chunks]
    assert batcher.pending <= max_line_size + 1
    batches.append(batcher.finish())
    assert batcher.lines == b"".join(batches).count(b"\n")
    return batches


def invariant(text: bytes, turns: list[int], options: Options) -> Run:
    """Run an input, and check that the outcome depends on neither chunk sizes nor scan path.

    Args:
        text: the input.
        turns: sizes of the chunks, used cyclically.
        options: arguments of the stream.

    Returns:
        The common outcome of all runs.
    """
    chunks = list(cut(text, turns))
    before = scan_path()
    runs = {}
    try:
        for path in scan_paths():
            use_scan_path(path)
            runs[path, "whole"] = _run([text], options)
            runs[path, "cut"] = _run(chunks, options)
        runs[path, "batches"] = _run(_batches(chunks, options.max_line_size), options)
    finally:
        use_scan_path(before)
    expected = runs["portable", "whole"]
    for how, run in runs.items():
        assert run == expected, f"{how} differs from the whole input on the portable path"
    return expected
