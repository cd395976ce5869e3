"""Progress of pipelines: a line for each on the terminal, redrawn in place, and summaries."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Sequence

from forstcore._plural import plural
from forstcore.pipelines import Pipeline
from forstcore.sources import Lag

__all__ = ["PipelineProgress"]

_EVERY = 0.2  # Seconds between updates.
_LAG_INTERVAL = 1.0  # Seconds between two measurements of the lag.


class PipelineProgress:
    """Show the progress of pipelines.

    Args:
        pipelines: the pipelines.
        shown: whether to show it; None to show it if standard error is a terminal.
    """

    def __init__(self, pipelines: Sequence[Pipeline], shown: bool | None) -> None:
        self._running = list(pipelines)
        self._is_shown = sys.stderr.isatty() if shown is None else shown
        self._started = time.monotonic()
        self._last = self._started
        self._results: dict[str, int] = {}
        self._lags: dict[str, Lag | None] = {}
        self._drawn = 0

    async def measure(self) -> None:
        """Measure the lag of the sources until cancelled, if progress is shown."""
        while self._is_shown:
            running = tuple(self._running)
            lags = await asyncio.gather(*(each.lag() for each in running))
            self._lags = {each.config.name: lag for each, lag in zip(running, lags, strict=True)}
            await asyncio.sleep(_LAG_INTERVAL)

    def draw(self) -> None:
        """Redraw the lines if they are due."""
        now = time.monotonic()
        if not self._is_shown or now - self._last < _EVERY:
            return
        seconds, self._last = now - self._last, now
        width = shutil.get_terminal_size().columns - 1
        lines = [line for each in self._running for line in self._lines(each, seconds)]
        self._clear()
        sys.stderr.writelines(f"{line[:width]}\n" for line in lines)
        self._drawn = len(lines)
        sys.stderr.flush()

    def report(self, text: str) -> None:
        """Write what happened."""
        self._clear()
        sys.stderr.write(f"forstcore: {text}\n")
        sys.stderr.flush()

    def end(self, pipeline: Pipeline) -> None:
        """Write the summary of a pipeline that has ended."""
        self._running.remove(pipeline)
        counts = pipeline.counts
        seconds = time.monotonic() - self._started
        name = pipeline.config.name
        self.report(
            f"{name}: {counts.results:,} {plural(counts.results, 'result')} of "
            f"{counts.bytes_in / 1e6:,.1f} MB written in {seconds:,.1f} s"
        )
        if counts.errors:
            rejected = sum(counts.errors.values())
            codes = ", ".join(f"{code} {count:,}" for code, count in sorted(counts.errors.items()))
            lines = plural(rejected, "line was", "lines were")
            self.report(f"{name}: {rejected:,} {lines} rejected: {codes}")

    def _lines(self, pipeline: Pipeline, seconds: float) -> list[str]:
        name, counts = pipeline.config.name, pipeline.counts
        more = counts.results - self._results.get(name, 0)
        self._results[name] = counts.results
        errors = sum(counts.errors.values())
        line = (
            f"{name}  {counts.results:,} {plural(counts.results, 'result')}  "
            f"{more / seconds:,.0f}/s  {errors:,} {plural(errors, 'error')}"
        )
        if (lag := self._lags.get(name)) is not None:
            line += f"  {lag} not read"
        if (trouble := pipeline.trouble()) is not None:
            what, notice = trouble
            # In a line of its own, because it is long.
            return [line, f"  the {what} is down: {notice.detail}"]
        return [line]

    def _clear(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0
