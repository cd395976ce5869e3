"""What was freed is given back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from server.memory import trim

FRAGMENTS = """
import os
from pathlib import Path
from server.memory import trim

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
    done = subprocess.run(
        [sys.executable, "-c", FRAGMENTS],
        stdout=subprocess.PIPE,
        check=True,
        # Blocks of this size come from the heap then, as the server's do after a while.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20)},
    )
    before, kept, left = map(int, done.stdout.split())
    assert before - kept < 10_000_000
    assert kept - left > 20_000_000
