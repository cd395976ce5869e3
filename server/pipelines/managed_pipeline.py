"""A pipeline that is started, paused and stopped while the server runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from forstcore.errors import ForstError, PipelineConfigError
from forstcore.pipelines import LastError, Pipeline
from forstcore.sources import Lag, without_password
from server.pipelines.rate_meter import RateMeter

__all__ = ["ACTIONS", "Action", "ManagedPipeline"]

_LOGGER = logging.getLogger("forstcore")

Action = Literal["start", "pause", "stop"]
ACTIONS: tuple[Action, ...] = ("start", "pause", "stop")


class ManagedPipeline:
    """A pipeline, which can be started again after it has ended.

    Args:
        pipeline: the pipeline, which has not run yet.
        load: loads it again from its file, with the current processors.

    Attributes:
        pipeline: the pipeline of the current or the last run.
    """

    def __init__(self, pipeline: Pipeline, load: Callable[[], Pipeline]) -> None:
        self.pipeline = pipeline
        self._load = load
        self._is_new = True
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._starts_again = False  # Once it has stopped.
        self._failure: LastError | None = None
        self._last_error: LastError | None = None  # Of runs that have ended.
        self._rate = RateMeter()
        self._lag: Lag | None = None
        self._totals: Counter[str] = Counter()  # Of runs that have ended.

    @property
    def is_running(self) -> bool:
        """Whether it runs, or is paused."""
        return self._task is not None and not self._task.done()

    @property
    def state(self) -> str:
        """The current state."""
        if self.is_running:
            if self._is_stopping:
                return "stopping"
            return "paused" if self.pipeline.is_paused else "running"
        if self._failure is not None:
            return "failed"
        return "stopped" if self._is_stopping else "ended"

    def begin(self, wanted: str) -> None:
        """Start it in this process, which may have taken it over from one that has died.

        Args:
            wanted: the last requested action, empty if there was none.
        """
        if wanted:
            # Its file may have changed since this process read it.
            self._is_new = False
        if wanted == "stop":
            self._is_stopping = True
            return
        try:
            self.start()
        except (PipelineConfigError, LookupError, OSError) as error:
            self._failure = LastError(time.time(), f"its file was changed: {error}")
            return
        if wanted == "pause":
            self.pause()

    def control(self, action: Action) -> None:
        """Start, pause or stop it.

        Raises:
            PipelineConfigError, LookupError, OSError: as `start`.
        """
        {"start": self.start, "pause": self.pause, "stop": self.stop}[action]()

    def start(self) -> None:
        """Start it, or resume it if it is paused; do nothing if it is running.

        If it is stopping, it is started again once it has stopped.

        Raises:
            PipelineConfigError, LookupError, OSError: it can no longer be read from its file.
        """
        if self.is_running:
            self._starts_again = self._is_stopping
            self.pipeline.resume()
            return
        if not self._is_new:
            self.pipeline = self._load()
        self._is_new = self._is_stopping = False
        self._failure = None
        self._task = asyncio.create_task(self._run(self.pipeline))

    def pause(self) -> None:
        """Stop processing until it is started again."""
        if self.is_running:
            self.pipeline.pause()

    def stop(self) -> None:
        """Stop reading, and end once everything read is confirmed."""
        self._starts_again = False
        if self.is_running:
            self._is_stopping = True
            self.pipeline.drain()

    async def close(self, seconds: float) -> None:
        """Stop it at shutdown, and cancel it if it has not ended after `seconds`."""
        self._starts_again = False
        if self._task is None:
            return
        if self.is_running and not self._is_stopping:
            self._is_stopping = True
            self.pipeline.finish()
        _, running = await asyncio.wait([self._task], timeout=seconds)
        if running:
            # The next process reads unconfirmed records again.
            _LOGGER.warning(
                "pipeline %s: its %s did not confirm in time", self._name, self.pipeline.waits_for
            )
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def lag(self) -> Lag | None:
        """How much of its source is unread; None if that is unknown, or it does not run."""
        return self._lag if self.is_running else None

    async def measure(self) -> None:
        """Measure its rate and its lag; call this about once a second."""
        self._rate.sample(time.monotonic(), self.totals()["results"])
        self._lag = await self.pipeline.lag() if self.is_running else None

    def totals(self) -> Counter[str]:
        """Return the counters of all its runs: bytes_in, results, filtered and errors."""
        return self._totals + self._counts() if self.is_running else self._totals

    def document(self) -> dict[str, Any]:
        """Describe it, without passwords."""
        config = self.pipeline.config
        totals = self.totals()
        trouble = self.pipeline.trouble() if self.is_running else None
        detail = f"the {trouble[0]} is down: {trouble[1].detail}" if trouble else None
        last_error = self.pipeline.last_error or self._last_error
        if self._failure is not None:
            last_error = self._failure
        return {
            "name": config.name,
            "state": self.state,
            "source": without_password(config.source),
            "processor": config.processor or "pass",
            "sink": without_password(config.sink),
            "errors_sink": without_password(config.errors) if config.errors else None,
            **{name: totals[name] for name in ("bytes_in", "results", "filtered", "errors")},
            "results_per_second": round(self._rate.per_second, 1),
            "lag": self.lag.amount if self.lag else None,
            "lag_unit": self.lag.unit if self.lag else None,
            "trouble": detail,
            "last_error": last_error.text if last_error else None,
            "last_error_time": _as_text(last_error.time) if last_error else None,
        }

    @property
    def _name(self) -> str:
        return self.pipeline.config.name

    def _counts(self) -> Counter[str]:
        counts = self.pipeline.counts
        return Counter(
            bytes_in=counts.bytes_in,
            results=counts.results,
            filtered=counts.filtered,
            errors=sum(counts.errors.values()),
        )

    async def _run(self, pipeline: Pipeline) -> None:
        try:
            await pipeline.run()
        except (ForstError, OSError) as error:
            self._failure = LastError(time.time(), str(error))
            _LOGGER.error("pipeline %s has failed: %s", self._name, error)
        except Exception as error:
            self._failure = LastError(time.time(), f"{type(error).__name__}: {error}")
            _LOGGER.exception("pipeline %s ended by an error of the server", self._name)
        finally:
            self._totals += self._counts()
            self._last_error = self._failure or pipeline.last_error or self._last_error
            if self._starts_again:
                self._starts_again = False
                # This task has ended by then.
                asyncio.get_running_loop().call_soon(self.begin, "start")


def _as_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
