"""The manifest of a dataset, and its entries for the parts, which the tasks return."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypedDict

from forstcore._version import VERSION

__all__ = ["FailedLine", "Manifest", "ManifestInput", "Part", "manifest_of"]


class FailedLine(TypedDict):
    """The invalid line that ended the run (``on_error="fail"``).

    Attributes:
        line: index among the lines of its block, from 0.
        offset: offset of the error in the line, in bytes.
        code, message: the error.
    """

    line: int
    offset: int
    code: str
    message: str


class Part(TypedDict):
    """One part of the output, the results of one block of the input.

    Attributes:
        part: name of its file.
        file: the input file.
        start, end: the block, as a range of bytes of that file. It contains the lines that
            begin in it; for a compressed file, all lines.
        lines: input lines, including blank ones.
        records: lines that were processed.
        results: result lines.
        errors: lines that were rejected.
        filtered: records that did not match the filter; `records` includes them.
        given_back: records that a compiled processor gave back to its Python function.
        errors_by_code: number of errors of each code.
        errors_file: name of the file with the rejected lines, None if there is none.
        bytes_in: bytes of the lines, after decompression.
        bytes_out: bytes of the part, as stored.
        digest: digest of the part, as text.
    """

    part: str
    file: str
    start: int
    end: int
    lines: int
    records: int
    results: int
    errors: int
    filtered: int
    given_back: int
    errors_by_code: dict[str, int]
    errors_file: str | None
    bytes_in: int
    bytes_out: int
    digest: str


class ManifestInput(TypedDict):
    """An input file: its path or URL, and its size as stored."""

    file: str
    size: int


class Manifest(TypedDict):
    """The contents of ``manifest.json``.

    Attributes:
        version: version of forstcore.
        plan: digest of the run: inputs, blocks, processor and options.
        processor: name of the processor.
        inputs: the input files, in order.
        lines, records, results, errors, filtered, given_back, bytes_in, bytes_out: sums over the
            parts.
        errors_by_code: number of errors of each code.
        parts: the parts, in the order of the input.
    """

    version: str
    plan: str
    processor: str
    inputs: list[ManifestInput]
    lines: int
    records: int
    results: int
    errors: int
    filtered: int
    given_back: int
    bytes_in: int
    bytes_out: int
    errors_by_code: dict[str, int]
    parts: list[Part]


def manifest_of(
    plan: str, processor: str, inputs: Sequence[ManifestInput], parts: Sequence[Part]
) -> Manifest:
    """Return the manifest of a dataset with these parts."""
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
        "filtered": sum(part["filtered"] for part in parts),
        "given_back": sum(part["given_back"] for part in parts),
        "bytes_in": sum(part["bytes_in"] for part in parts),
        "bytes_out": sum(part["bytes_out"] for part in parts),
        "errors_by_code": dict(sorted(codes.items())),
        "parts": list(parts),
    }
