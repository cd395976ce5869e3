"""Checking the bounds of a server from samples."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from tests.soak.samples import Sample

__all__ = ["broken_bounds", "early_rss", "late_rss"]

_EARLY = (0.1, 0.2)  # Shares of the time: after the initial growth, before a leak could show.
_LATE = (0.9, 1.0)


def broken_bounds(
    idle: Sample, loaded: Sequence[Sample], after: Sample, *, growth: float, pools: int
) -> Iterator[str]:
    """Describe each bound that was exceeded.

    Args:
        idle: before the load.
        loaded: under the load.
        after: when all streams are closed.
        growth: fraction by which memory may grow after the first minutes.
        pools: threads of pools, which are kept for the next stream.
    """
    for name in ("streams", "queued", "spooled", "descriptors", "tasks"):
        before, left = getattr(idle, name), getattr(after, name)
        if left > before:
            yield f"{name}: {left} when all streams are closed, {before} before the first"
    if after.threads > idle.threads + pools:
        yield f"threads: {after.threads} are left, {idle.threads} and {pools} of pools may be"
    if not loaded:
        return
    early = early_rss(loaded)
    for when, rss in (("at the end of the load", late_rss(loaded)), ("after it", after.rss)):
        if rss > early * (1 + growth):
            yield f"memory: {rss / 1e6:.1f} MB {when}, {early / 1e6:.1f} MB in its first minutes"


def early_rss(samples: Sequence[Sample]) -> float:
    """Return the median memory in the first minutes."""
    return _median_rss(samples, *_EARLY)


def late_rss(samples: Sequence[Sample]) -> float:
    """Return the median memory in the last minutes."""
    return _median_rss(samples, *_LATE)


def _median_rss(samples: Sequence[Sample], start: float, end: float) -> float:
    seconds = samples[-1].seconds
    found = [each.rss for each in samples if start * seconds <= each.seconds <= end * seconds]
    return statistics.median(found or [each.rss for each in samples])
