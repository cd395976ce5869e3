"""The history of the figures of the dashboard."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from forstcore.loading import Loader
from server.config import ServerConfig
from server.dashboard.figures import Figures
from server.streams.registry import StreamRegistry


def test_points_do_not_pile_up_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1e9
    monkeypatch.setattr(time, "time", lambda: now)

    async def look() -> None:
        nonlocal now
        figures = Figures(StreamRegistry(ServerConfig(), Loader(())))
        for step_back in (0.0, 1e6):
            now -= step_back
            for _ in range(400):
                figures.look(0.0)
                now += 1
            assert len(figures.points) == 301
            assert figures.points[0].time == now - 301

    # In a thread, because the event loop of the tests' browser runs in this one.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, look()).result()
