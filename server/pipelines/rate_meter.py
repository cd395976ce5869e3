"""How fast a counter grows, over the last seconds."""

from __future__ import annotations

from collections import deque

__all__ = ["RateMeter"]

_SPAN = 5.0  # Seconds that the rate is about.


class RateMeter:
    """Measure the rate of a counter, of which samples are taken now and then."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def sample(self, now: float, value: float) -> None:
        """Take a sample.

        Args:
            now: the time in seconds, by any clock that does not jump.
            value: of the counter.
        """
        self._samples.append((now, value))
        # The oldest one is at least as old as the span, if there is one.
        while len(self._samples) > 2 and self._samples[1][0] <= now - _SPAN:
            self._samples.popleft()

    @property
    def per_second(self) -> float:
        """The rate; 0 before there are two samples."""
        if len(self._samples) < 2:
            return 0.0
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last > first else 0.0
