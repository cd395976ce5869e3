"""How the lines of a stream are treated, whatever its processor is."""

from __future__ import annotations

from dataclasses import dataclass

from forstcore._core.filter import Filter
from forstcore._proc import RecordStream
from forstcore.wire import OnError

__all__ = ["LineOptions"]


@dataclass(frozen=True)
class LineOptions:
    """Options that all runners take.

    Attributes:
        on_error, max_line_size, keep_rejected: as for `RecordStream`.
        record_filter: lets records through; None for all.

    Thread-safety: immutable.
    """

    on_error: OnError
    max_line_size: int
    keep_rejected: bool
    record_filter: Filter | None = None

    def stream(self, processor: object, first_line: int, growth: float) -> RecordStream:
        """Return a stream with these options; the arguments are those of `RecordStream`."""
        return RecordStream(
            on_error=self.on_error,
            max_line_size=self.max_line_size,
            first_line=first_line,
            filter=self.record_filter,
            processor=processor,
            growth=growth,
            keep_rejected=self.keep_rejected,
        )
