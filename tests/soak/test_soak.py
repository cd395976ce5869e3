"""A few seconds of a soak; `make soak` runs a long one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.soak.__main__ import save
from tests.soak.bounds import broken_bounds
from tests.soak.hostile import HOSTILE
from tests.soak.live import LIVE
from tests.soak.samples import Sample
from tests.soak.soak import soak
from tests.soak.streams import STREAMS

SAMPLE = Sample(0, 50_000_000, 8, 2, 5, 0, 0, 0, 0)


def course(*rss: int) -> list[Sample]:
    return [replace(SAMPLE, seconds=number, rss=each) for number, each in enumerate(rss)]


def judged(after: Sample, loaded: list[Sample]) -> list[str]:
    return list(broken_bounds(SAMPLE, loaded, after, growth=0.1, pools=4))


@pytest.mark.long
def test_everything_is_right_and_comes_back(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    # In such a short time, memory has not yet reached its final level.
    seen = soak(8, seed=1, growth=2.0, interval=0.25)
    assert seen.reasons == []
    assert set(seen.streams) == {client.__name__ for client, _ in (*STREAMS, *LIVE, *HOSTILE)}
    assert max(sample.streams for sample in seen.samples) > 10
    save(seen, 8 / 60, 1, tmp_path)
    assert (tmp_path / "soak.svg").read_text().count("descriptors") == 1
    assert (tmp_path / "soak.json").stat().st_size > 1000


def test_bounds_that_hold() -> None:
    steady = course(*[80_000_000] * 100)
    assert judged(replace(SAMPLE, rss=87_000_000, threads=6), steady) == []


@pytest.mark.parametrize("name", ["streams", "queued", "spooled", "descriptors", "tasks"])
def test_what_does_not_come_back_is_named(name: str) -> None:
    (reason,) = judged(replace(SAMPLE, **{name: 9}), course(*[80_000_000] * 100))
    assert reason.startswith(f"{name}: 9 when all streams are closed")


def test_threads_beyond_the_pools_are_named() -> None:
    (reason,) = judged(replace(SAMPLE, threads=7), course(*[80_000_000] * 100))
    assert reason == "threads: 7 are left, 2 and 4 of pools may be"


def test_memory_that_grows_is_named() -> None:
    growing = course(*range(80_000_000, 100_000_000, 200_000))
    during, after = judged(replace(SAMPLE, rss=100_000_000), growing)
    assert during == "memory: 98.9 MB at the end of the load, 82.9 MB in its first minutes"
    assert after == "memory: 100.0 MB after it, 82.9 MB in its first minutes"
