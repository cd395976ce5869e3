"""Background tasks, and cleanup that must run completely."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from forstcore.loading import Loader
from forstcore.sources import Source
from server import background
from server.background import create_logged_task, keep_running, log_failure
from server.config import ServerConfig
from server.live.feed_registry import FeedRegistry
from server.streams import registry as state
from server.streams.registry import StreamRegistry


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_what_fails_begins_anew(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_FIRST_DELAY", 0.01)
    failures: list[str] = []
    runs = 0
    begun = asyncio.Event()

    async def run() -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)
        if runs < 4:
            raise ValueError("once more")
        if runs == 4:
            raise ValueError("for another reason")
        begun.set()
        await asyncio.Event().wait()

    async def main() -> None:
        async with asyncio.timeout(60), keep_running("looking", run, failures.append):
            await begun.wait()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert failures == ["looking"] * 4
    # Each reason once, with its traceback.
    assert messages(caplog) == ["looking failed, and is restarted"] * 2
    assert all(record.exc_info for record in caplog.records)


def test_a_failure_in_a_task_of_its_own_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("unseen")

    async def main() -> None:
        task = create_logged_task("a task", fail())
        await asyncio.wait([task])
        await log_failure("an end", fail())
        cancelled = create_logged_task("another", asyncio.sleep(10))
        cancelled.cancel()
        await asyncio.wait([cancelled])

    asyncio.run(main())
    assert messages(caplog) == ["a task failed: an error of the server", "an end failed"]


class Stuck:
    """A stream that does not end, whatever one does."""

    request = SimpleNamespace(protocol=None)
    asked = 0

    def snapshot(self) -> SimpleNamespace:
        return SimpleNamespace(queued=0, spooled=0)

    def drain(self) -> None:
        self.asked += 1

    def interrupt(self, _error: Exception) -> None:
        self.asked += 1


def test_a_stream_that_does_not_end_holds_nothing_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_LAST_STREAMS", 0.05)
    stuck = Stuck()

    async def main() -> None:
        shared = StreamRegistry(ServerConfig(), Loader(()))
        with monkeypatch.context() as patches:
            patches.setattr(shared.metrics, "ended", lambda _stream, _snapshot: None)
            patches.setattr(state, "log_stream", lambda _snapshot: None)
            with shared.admit(cast(Any, stuck)):
                await shared.drain(0.05)
        assert shared.close()

    asyncio.run(main())
    assert stuck.asked == 2
    assert messages(caplog) == ["streams that do not end are left behind: 1"]


def test_each_source_is_closed_whatever_another_says(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[str] = []

    class Closing:
        def __init__(self, name: str) -> None:
            self.name = name

        async def close(self) -> None:
            closed.append(self.name)
            if self.name == "first":
                raise OSError("the broker has gone")

    async def main() -> None:
        feeds = FeedRegistry(ServerConfig(), lambda _name: cast(Any, None))
        feeds.sources = {name: cast(Source, Closing(name)) for name in ("first", "second")}
        await feeds.close()

    asyncio.run(main())
    assert closed == ["first", "second"]
    assert messages(caplog) == ["closing the source 'first' failed"]
