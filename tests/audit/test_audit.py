"""A short audit; `make audit` runs longer ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.audit.plan import Plan
from tests.audit.processes import can_mount, fake_clock_library
from tests.audit.run import run

if not Path("/proc/self/fd").exists():
    pytest.skip("needs /proc", allow_module_level=True)


def test_a_plan_follows_from_its_seed() -> None:
    plans = [Plan.draw(seed, 60) for seed in (1, 1, 2)]
    assert plans[0] == plans[1]
    assert str(plans[0]) == str(plans[1])
    assert plans[0].events != plans[2].events
    happens = {
        (event.target, event.action) for seed in range(20) for event in Plan.draw(seed, 60).events
    }
    assert len(happens) == 11


def test_a_plan_without_what_the_machine_lacks_is_otherwise_the_same() -> None:
    for seed in range(20):
        whole = Plan.draw(seed, 60)
        plan = whole.with_what_there_is(fake_clock=False, tiny_disk=False)
        assert not plan.setup.fake_clock
        assert not plan.setup.tiny_disk
        left_out = set(whole.events) - set(plan.events)
        assert {event.action for event in left_out} <= {"clock", "full disk"}
        assert not {"clock", "full disk"} & {event.action for event in plan.events}


@pytest.mark.long
def test_every_result_once_whatever_happens(tmp_path: Path) -> None:
    # A seed with every kind of event in a short time.
    plan = Plan.draw(353, 6, 0.5).with_what_there_is(
        fake_clock=fake_clock_library() is not None, tiny_disk=can_mount()
    )
    report = asyncio.run(run(plan, tmp_path))
    assert report.good, f"{plan}\n{report}"
    assert report.account.received == report.account.sent > 1000
    assert report.losses > 0
    assert {"server kill", "client kill", "proxy kill", "server stop"} <= set(report.events)
    assert report.runs > 1
