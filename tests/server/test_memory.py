"""Freed memory is reused for the next batches, and the rest returned to the kernel."""

from __future__ import annotations

import contextlib
import os
import sys
import time

import pytest

from forstcore._heap import trim
from tests import children
from tests.server.raw import RawStream
from tests.servers import StartServer

pytestmark = pytest.mark.real_start

FRAGMENTS = """
import os
from pathlib import Path
from forstcore._heap import trim

def rss():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

blocks = [os.urandom(100) * 640 for _ in range(1000)]
del blocks[::2]
before = rss()
blocks = blocks[::50]
kept = rss()
trim(0)
print(before, kept, rss())
"""


@pytest.mark.skipif(trim is None, reason="this C library keeps less, and has no malloc_trim")
def test_what_is_free_between_blocks_goes_back() -> None:
    done = children.run(
        [sys.executable, "-c", FRAGMENTS],
        check=True,
        # Blocks of this size come from the heap then, as the server's do after a while.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20)},
    )
    before, kept, left = map(int, done.stdout.split())
    assert before - kept < 10_000_000
    assert kept - left > 20_000_000


BATCHES = """
import resource, sys
from forstcore._heap import keep_freed

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

keep_freed(int(sys.argv[1]))
for turn in range(200):
    if turn == 100:
        before = faults()
    blocks = [b"x" * 300_000 for _ in range(3)]
    del blocks
print(faults() - before)
"""


@pytest.mark.skipif(trim is None, reason="this C library keeps less, and has no mallopt")
def test_large_blocks_come_from_what_was_freed() -> None:
    def faults(kept: int) -> int:
        command = [sys.executable, "-c", BATCHES, str(kept)]
        return int(children.run(command, check=True).stdout)

    # A hundred times three blocks of 74 pages.
    assert faults(4 << 20) < 1000 < 10_000 < faults(1 << 16)


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others give pages back later")
@pytest.mark.parametrize("path", ["/streaming-process", "/large-dataset-stream"])
def test_streams_that_idle_hold_little(start_server: StartServer, path: str) -> None:
    server = start_server("--heartbeat", "0.4", "--takeover", "on", "--timeout", "300")
    lines = b'{"id":"1","data":"%b"}\n' % (b"x" * 100) * 4000
    count = 50
    with contextlib.ExitStack() as stack:

        def stream() -> RawStream:
            return stack.enter_context(RawStream((server.host, server.port), path))

        def answers(one: RawStream) -> None:
            one.send(lines)
            for _ in range(4000):
                assert one.read_line().startswith(b'{"id":"1","result":"processed_')

        def held() -> int:
            """Return the bytes that each of many new streams holds once it idles."""
            before = server.rss()
            for one in [stream() for _ in range(count)]:
                streams.append(one)
                answers(one)
            deadline = time.monotonic() + 10
            while (each := (server.rss() - before) // count) > 60_000:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            return each

        streams: list[RawStream] = []
        answers(stream())
        # What is read into, the last piece of input and its results would each be more. Holes in
        # the heap of a busy server can be, too, but not each time.
        assert any(held() < 60_000 for _ in range(6))
        for one in streams:
            answers(one)
