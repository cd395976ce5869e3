"""The counters of a stream, under the names that clients, logs and metrics know."""

from __future__ import annotations

from typing import Protocol

from forstcore import RejectedLines

__all__ = ["COUNTERS", "Counted", "came_to_nothing", "counters_of"]


class Counted(Protocol):
    """What counts a stream: a `RecordStream` or an `Engine`."""

    @property
    def lines(self) -> int: ...
    @property
    def records(self) -> int: ...
    @property
    def results(self) -> int: ...
    @property
    def failed(self) -> bool: ...
    def errors_by_code(self) -> dict[str, int]: ...
    def take_rejected(self) -> RejectedLines | None: ...


COUNTERS = {
    "lines": "Input lines, blank ones included.",
    "records": "Lines that were records, and were processed.",
    "errors": "Lines that were neither blank nor a record, and records that were refused.",
    "results": "Result lines.",
    "bytes_in": "Input bytes, after decompression.",
    "bytes_out": "Output bytes, before compression.",
}
"""Names and what they count, for people."""


def counters_of(stream: Counted) -> dict[str, int]:
    """Read the counters of a stream, in the order of `COUNTERS`."""
    return {name: getattr(stream, name) for name in COUNTERS}


def came_to_nothing(stream: Counted) -> bool:
    """Tell whether all lines of a stream were rejected, blank ones aside."""
    return not stream.records and any(stream.errors_by_code().values())
