"""What a dataset came to: the manifest, and the part of it that each task writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypedDict

from forstcore._version import VERSION

__all__ = ["FailedLine", "Manifest", "ManifestInput", "Part", "manifest_of"]


class FailedLine(TypedDict):
    """The line that ended everything (``on_error="fail"``).

    Attributes:
        line: its place among the lines of its block, counted from 0.
        offset: the byte in the line.
        code, message: what is wrong.
    """

    line: int
    offset: int
    code: str
    message: str


class Part(TypedDict):
    """One part of the output, made of one block of the input.

    Attributes:
        part: name of its file.
        file: the input file.
        start, end: the block: bytes of that file. Its lines are those that begin in it;
            those of a compressed file are all lines.
        lines: input lines, blank ones included.
        records: lines that were processed.
        results: result lines.
        errors: lines that gave an error.
        errors_by_code: the errors by their code.
        errors_file: name of the file with these lines, None if there is none.
        bytes_in: bytes of the lines, after decompression.
        bytes_out: bytes of the part.
        digest: ``xxh3:`` and 16 hexadecimal digits over the part.
    """

    part: str
    file: str
    start: int
    end: int
    lines: int
    records: int
    results: int
    errors: int
    errors_by_code: dict[str, int]
    errors_file: str | None
    bytes_in: int
    bytes_out: int
    digest: str


class ManifestInput(TypedDict):
    """An input file: its path or URL, and its bytes as they are stored."""

    file: str
    size: int


class Manifest(TypedDict):
    """What a whole dataset came to.

    Attributes:
        version: of forstcore.
        plan: digest of what was to be done: inputs, blocks, processor and options.
        processor: its name.
        inputs: the input files, in order.
        lines, records, results, errors, bytes_in, bytes_out: sums over the parts.
        errors_by_code: the errors by their code.
        parts: what was written, in the order of the input.
    """

    version: str
    plan: str
    processor: str
    inputs: list[ManifestInput]
    lines: int
    records: int
    results: int
    errors: int
    bytes_in: int
    bytes_out: int
    errors_by_code: dict[str, int]
    parts: list[Part]


def manifest_of(
    plan: str, processor: str, inputs: Sequence[ManifestInput], parts: Sequence[Part]
) -> Manifest:
    """Sum up the parts."""
    codes: Counter[str] = Counter()
    for part in parts:
        codes.update(part["errors_by_code"])
    return {
        "version": VERSION,
        "plan": plan,
        "processor": processor,
        "inputs": list(inputs),
        "lines": sum(part["lines"] for part in parts),
        "records": sum(part["records"] for part in parts),
        "results": sum(part["results"] for part in parts),
        "errors": sum(part["errors"] for part in parts),
        "bytes_in": sum(part["bytes_in"] for part in parts),
        "bytes_out": sum(part["bytes_out"] for part in parts),
        "errors_by_code": dict(sorted(codes.items())),
        "parts": list(parts),
    }
