"""What was freed is at hand for the next batches; the rest is given back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from forstcore._heap import trim

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


BATCHES = """
import resource, sys
from forstcore._heap import keep_freed

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if len(sys.argv) > 1:
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
    def faults(*arguments: str) -> int:
        command = [sys.executable, "-c", BATCHES, *arguments]
        return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    # A hundred times three blocks of 74 pages.
    assert faults(str(4 << 20)) < 1000 < 10_000 < faults()
