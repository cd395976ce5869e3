"""A server of its own for benchmarks of live streams."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["running_server"]

_LISTENS = re.compile(r"listens on http://([^\s:]+):(\d+)")


@contextmanager
def running_server(subscribers: int, *options: str) -> Iterator[tuple[int, tuple[str, int]]]:
    """Run the server for some subscribers; yield its process id and its address."""
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "server", "--port", "0", "--no-access-log"),
            *("--max-streams", str(subscribers + 10), *options),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        match = _LISTENS.search(server.stdout.readline())
        assert match is not None, "the server did not start"
        yield server.pid, (match[1], int(match[2]))
    finally:
        server.terminate()
        server.wait()
