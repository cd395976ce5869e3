"""Run a whole stream through the core and record everything observable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from forstcore._proc import RecordStream, process_block, scan_path, scan_paths, use_scan_path

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
