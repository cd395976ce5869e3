"""The rate of a counter."""

from __future__ import annotations

from server.pipelines.rate_meter import RateMeter


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = RateMeter()
    assert meter.per_second == 0
    meter.sample(100.0, 50)
    assert meter.per_second == 0
    meter.sample(101.0, 60)
    assert meter.per_second == 10
    for second in range(2, 20):
        meter.sample(100.0 + second, 60 + second)
    assert meter.per_second == 1


def test_two_samples_at_the_same_time_have_no_rate() -> None:
    meter = RateMeter()
    meter.sample(1.0, 1)
    meter.sample(1.0, 2)
    assert meter.per_second == 0


def test_after_a_long_pause_the_rate_is_that_of_the_pause() -> None:
    meter = RateMeter()
    meter.sample(0.0, 0)
    meter.sample(100.0, 100)
    assert meter.per_second == 1
