"""The counters of a stream, under the names that clients, logs and metrics know."""

from __future__ import annotations

from forstcore import RecordStream

__all__ = ["COUNTERS", "counters_of"]

COUNTERS = {
    "lines": "Input lines, blank ones included.",
    "records": "Lines that were valid records.",
    "errors": "Lines that were neither blank nor a record.",
    "results": "Result lines.",
    "bytes_in": "Input bytes, after decompression.",
    "bytes_out": "Output bytes, before compression.",
}
"""Names and what they count, for people."""


def counters_of(stream: RecordStream) -> dict[str, int]:
    """Read the counters of a stream, in the order of `COUNTERS`."""
    return {name: getattr(stream, name) for name in COUNTERS}
