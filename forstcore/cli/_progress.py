"""Progress of a command: a line on the terminal, redrawn in place, and a final summary."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from forstcore._plural import plural

__all__ = ["Progress", "ProgressCounts"]

_EVERY = 0.1  # Seconds between updates.
_ERASE = "\r\x1b[K"


class _InputProgress(Protocol):
    """An input: its size in bytes, None if unknown, and the bytes read so far."""

    @property
    def size(self) -> int | None: ...
    @property
    def taken(self) -> int: ...


@dataclass
class ProgressCounts:
    """Counters so far.

    Attributes:
        bytes_in: bytes of the input, decompressed.
        results: result lines.
        given_back: returns the number of records that a compiled processor gave back.
        errors: returns the number of errors of each code.
    """

    bytes_in: int = 0
    results: int = 0
    given_back: Callable[[], int] = int
    errors: Callable[[], dict[str, int]] = field(default=dict)


class Progress:
    """Show the progress of a command.

    Args:
        inputs: the input.
        counts: the counters.
        shown: whether to show it; None to show it if standard error is a terminal.

    Attributes:
        is_shown: whether it is shown.
    """

    def __init__(self, inputs: _InputProgress, counts: ProgressCounts, shown: bool | None) -> None:
        self._inputs = inputs
        self._counts = counts
        self.is_shown = sys.stderr.isatty() if shown is None else shown
        self._started = time.monotonic()
        self._next = self._started + _EVERY
        self._is_drawn = False

    def tick(self) -> None:
        """Redraw the line if it is due."""
        if self.is_shown and (now := time.monotonic()) >= self._next:
            self._next = now + _EVERY
            self._is_drawn = True
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(_ERASE + self._line(now - self._started)[:width])
            sys.stderr.flush()

    def clear(self) -> None:
        """Erase the line, so that other output can be written."""
        if self._is_drawn:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
            self._is_drawn = False

    def end(self, verb: str) -> None:
        """Write the summary if progress is shown, and the number of rejected lines if any."""
        self.clear()
        seconds = time.monotonic() - self._started
        errors = self._counts.errors()
        rejected = sum(errors.values())
        if self.is_shown:
            rate = self._counts.bytes_in / 1e6 / max(seconds, 1e-9)
            results, given_back = self._counts.results, self._counts.given_back()
            sys.stderr.write(
                f"{results:,} {plural(results, 'result')} of {self._counts.bytes_in / 1e6:,.1f} MB "
                f"{verb} in {seconds:,.1f} s ({rate:,.0f} MB/s)"
                f"{_given_back(given_back) if given_back else ''}\n"
            )
        if rejected:
            codes = ", ".join(f"{code} {count:,}" for code, count in sorted(errors.items()))
            lines = plural(rejected, "line was", "lines were")
            sys.stderr.write(f"forstcore: {rejected:,} {lines} rejected: {codes}\n")

    def _line(self, seconds: float) -> str:
        counts, size, taken = self._counts, self._inputs.size, self._inputs.taken
        errors, given_back = sum(counts.errors().values()), counts.given_back()
        parts = []
        if size:
            share = min(taken / size, 1.0)
            filled = int(share * 20)
            parts.append(f"{'█' * filled}{'░' * (20 - filled)} {share:4.0%}")
        parts += [
            f"{counts.bytes_in / 1e6 / seconds:,.0f} MB/s",
            f"{counts.results / seconds:,.0f} records/s",
            f"{errors:,} {plural(errors, 'error')}",
        ]
        if given_back:
            parts.append(f"{given_back:,} given back")
        if size and taken:
            left = seconds * (size - taken) / taken
            parts.append(f"{int(left // 60)}:{int(left % 60):02d} left")
        return "  ".join(parts)


def _given_back(records: int) -> str:
    return f", {records:,} {plural(records, 'record')} given back to Python"
