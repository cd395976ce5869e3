"""The counters of a stream, by the names that `forstcore.wire` declares."""

from __future__ import annotations

from typing import Protocol

from forstcore import RejectedLines
from forstcore.wire import COUNTERS, OPTIONAL_COUNTERS

__all__ = ["Counted", "came_to_nothing", "counters_of", "optional_counters_of"]


class Counted(Protocol):
    """An object with the counters of a stream: a `RecordStream` or an `Engine`."""

    @property
    def lines(self) -> int: ...
    @property
    def records(self) -> int: ...
    @property
    def results(self) -> int: ...
    @property
    def filtered(self) -> int: ...
    @property
    def given_back(self) -> int: ...
    @property
    def failed(self) -> bool: ...
    def errors_by_code(self) -> dict[str, int]: ...
    def take_rejected(self) -> RejectedLines | None: ...


def counters_of(stream: Counted) -> dict[str, int]:
    """Return the counters of a stream, in the order of `COUNTERS`."""
    return {name: getattr(stream, name) for name in COUNTERS}


def optional_counters_of(stream: Counted) -> dict[str, int]:
    """Return those counters of `OPTIONAL_COUNTERS` that are not 0."""
    counters = {name: int(getattr(stream, name)) for name in OPTIONAL_COUNTERS}
    return {name: count for name, count in counters.items() if count}


def came_to_nothing(stream: Counted) -> bool:
    """Return whether all lines of a stream except blank ones were rejected."""
    return not stream.records and any(stream.errors_by_code().values())
