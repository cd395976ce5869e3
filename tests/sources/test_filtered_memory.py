"""Records that match no filter are not kept in memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.servers import StartServer
from tests.sources.live import Subscription, highest, publish

SLOW = """
import time
import forstcore

@forstcore.processor("slow")
def slow(record: dict):
    time.sleep(3)
    return record
"""


@pytest.mark.long
def test_lines_behind_a_slow_record_that_no_filter_wants(
    start_one: StartServer, tmp_path: Path
) -> None:
    module = tmp_path / "slow_records.py"
    module.write_text(SLOW)
    server = start_one("--processors", str(module), "--ring-size", "2000000")
    wanted = {"id": {"prefix": "a"}}
    unwanted = b'{"id":"b","data":"%b"}\n' % (b"x" * 1000) * 500
    with Subscription(server, "events", "start", processor="slow", filters=wanted) as live:
        live.start()
        publish(server, b'{"id":"a1"}\n')
        time.sleep(0.5)
        with highest(server) as most:
            for _ in range(150):
                publish(server, unwanted)
        publish(server, b'{"id":"a2"}\n')
        assert live.ids(2) == ["a1", "a2"]
    # 75 MB went by meanwhile.
    assert most[0] < 30 << 20
