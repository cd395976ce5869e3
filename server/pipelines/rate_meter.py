"""The rate of a counter over the last seconds."""

from __future__ import annotations

from collections import deque

__all__ = ["RateMeter"]

_SPAN = 5.0  # Seconds over which the rate is measured.


class RateMeter:
    """Measure the rate of a counter from samples taken at any times."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def sample(self, now: float, value: float) -> None:
        """Take a sample.

        Args:
            now: the time in seconds, from any monotonic clock.
            value: the value of the counter.
        """
        self._samples.append((now, value))
        # Keep one sample that is at least as old as the span, if there is one.
        while len(self._samples) > 2 and self._samples[1][0] <= now - _SPAN:
            self._samples.popleft()

    @property
    def per_second(self) -> float:
        """The rate; 0 before there are two samples."""
        if len(self._samples) < 2:
            return 0.0
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last > first else 0.0
