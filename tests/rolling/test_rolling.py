"""A short run; `python -m tests.rolling` makes long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rolling.load import FOLLOWERS, SENDERS
from tests.rolling.run import roll

PROXIES = ("nginx", "haproxy")


@pytest.mark.long
def test_nothing_is_lost_while_servers_are_restarted(tmp_path: Path) -> None:
    try:
        seen = roll(tmp_path, seconds=20, rounds=1)
    except FileNotFoundError as missing:
        pytest.skip(f"needs {missing}")
    assert seen.failures == []
    assert seen.restarts == 2
    clients = {f"{each.__name__} {kind}" for each in (*SENDERS, *FOLLOWERS) for kind in PROXIES}
    assert {name for name, count in seen.counts.items() if count} == clients
    # Each server was restarted, so every follower has lost its connection at least once.
    assert all(seen.resumed[f"{each.__name__} {kind}"] for each in FOLLOWERS for kind in PROXIES)
