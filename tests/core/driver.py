"""Run a whole stream through the core and record everything observable."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from forstcore._proc import RecordStream, process_block, scan_path, scan_paths, use_scan_path
from tests.servers import wait_until

from .reference import OnError


@dataclass(frozen=True)
class Run:
    """The output and the end state of one stream."""

    output: bytes
    lines: int
    records: int
    errors: int
    results: int
    bytes_out: int
    failed: bool


def run(
    chunks: Iterable[bytes], *, on_error: OnError = "emit", max_line_size: int = 1 << 20
) -> Run:
    """Feed the chunks until the stream fails, and finish it if it does not."""
    stream = RecordStream(on_error=on_error, max_line_size=max_line_size)
    parts = []
    fed = 0
    for chunk in chunks:
        parts.append(stream.feed(chunk))
        fed += len(chunk)
        if stream.failed:
            break
    if not stream.failed:
        parts.append(stream.finish())
        # A stream that fails may stop counting anywhere in its last chunk.
        assert stream.bytes_in == fed
    return Run(
        b"".join(parts),
        stream.lines,
        stream.records,
        stream.errors,
        stream.results,
        stream.bytes_out,
        stream.failed,
    )


def cut(data: bytes, size: int) -> Iterable[bytes]:
    """Cut an input into chunks of one size."""
    return (data[at : at + size] for at in range(0, len(data), size))


def on_every_path(data: bytes | memoryview) -> dict[str, bytes]:
    """Process a block on every scan path; the path stays as it was."""
    before = scan_path()
    outputs = {}
    try:
        for path in scan_paths():
            use_scan_path(path)
            outputs[path] = process_block(data, on_error="emit")
    finally:
        use_scan_path(before)
    return outputs


def differing(outputs: dict[str, bytes]) -> list[str]:
    """Name the scan paths whose output is not that of the portable one."""
    return [path for path, output in outputs.items() if output != outputs["portable"]]


HOLD = b'{"hold":true}\n'
"""A record that keeps the processor `hold` of `tests/native` in a call."""


@contextlib.contextmanager
def held(cases: ModuleType, stream: RecordStream, data: bytes = b"") -> Iterator[list[bytes]]:
    """Run the block while another thread is in `feed` of a stream with the processor `hold`.

    Args:
        cases: the native processors.
        stream: the stream.
        data: more input of the call after `HOLD`.

    Yields:
        The results of the call, after the block.
    """
    chunk = HOLD + data.ljust(1 << 15, b"\n")  # The GIL is kept for small chunks.
    results: list[bytes] = []
    thread = threading.Thread(target=lambda: results.append(stream.feed(chunk)))
    thread.start()
    try:
        wait_until(cases.is_holding)
        yield results
    finally:
        cases.release()
        thread.join()
