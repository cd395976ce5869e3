"""The tables of costs: medians, with the lowest and the highest figure, beside the compiled way."""

from __future__ import annotations

import statistics
from operator import truediv
from typing import Final

__all__ = ["COMPILED", "table"]

COMPILED: Final = "forstcore, compiled"


def table(
    kept: float,
    unit: str,
    costs: dict[str, list[float]],
    rates: dict[str, list[float]] | None = None,
    *,
    starts: dict[str, list[float]] | None = None,
) -> str:
    """Return a table with a row for each way.

    A way is compared with the compiled one round by round, because the speed of a machine that is
    shared drifts from one minute to the next; the table has the median of these ratios.

    Args:
        kept: percentage of the records that are results.
        unit: of the costs.
        costs: by way, one for each round; those of `COMPILED` are what the others are compared
            with.
        rates: records per second, by way; None for no such column.
        starts: milliseconds of CPU time of the start, by way; None for no such column.
    """
    title = f"{kept:.0f} % kept"
    head = f"{title:28}{unit:>16}{'low-high':>14}{'× compiled':>12}"
    lines = [head + ("" if rates is None else f"{'records/s':>12}")]
    lines[0] += "" if starts is None else f"{'start, ms':>12}"
    for name, each in costs.items():
        median = statistics.median(each)
        spread = f"{min(each):.2f}-{max(each):.2f}"
        ratio = statistics.median(map(truediv, each, costs[COMPILED]))
        row = f"{name:28}{median:16.2f}{spread:>14}{ratio:12.1f}"
        rate = "" if rates is None else f"{statistics.median(rates[name]):12,.0f}"
        start = "" if starts is None else f"{statistics.median(starts[name]):12,.0f}"
        lines.append(row + rate + start)
    return "\n".join(lines)
