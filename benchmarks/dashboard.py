"""Measure the CPU usage that the dashboard causes in the server, with and without viewers.

Linux only: it reads CPU times from the kernel's scheduler, in nanoseconds.
"""

from __future__ import annotations

import argparse
import http.client
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

_LISTENS = re.compile(r"listens on http://([^\s:]+):(\d+)")


def main() -> None:
    """Print a line for each number of open streams."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--streams", type=int, nargs="*", default=[0, 10, 100])
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each measurement")
    options = parser.parse_args()
    print(f"streams  no viewer  {options.viewers} viewers  the viewers' share   (% of a core)")
    for streams in options.streams:
        before, after = measure(streams, options.viewers, options.seconds)
        print(f"{streams:7}  {before:9.2f}  {after:10.2f}  {after - before:17.2f}", flush=True)


def measure(streams: int, viewers: int, seconds: float) -> tuple[float, float]:
    """Return the percentage of a core that a server takes without and with viewers."""
    command = [sys.executable, "-m", "server", "--port", "0", "--no-access-log"]
    server = subprocess.Popen([*command, "--timeout", "86400"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        match = _LISTENS.search(server.stdout.readline())
        assert match is not None
        host, port = match[1], int(match[2])
        opened = [_open_stream(host, port) for _ in range(streams)]
        time.sleep(2)
        before = _share(server.pid, seconds)
        for _ in range(viewers):
            threading.Thread(target=_look, args=(host, port), daemon=True).start()
        time.sleep(2)
        after = _share(server.pid, seconds)
        for connection in opened:
            connection.close()
        return before, after
    finally:
        server.kill()
        server.communicate()


def _open_stream(host: str, port: int) -> http.client.HTTPConnection:
    """Open a stream that sent a record, and is idle."""
    connection = http.client.HTTPConnection(host, port)
    connection.putrequest("POST", "/streaming-process")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders(b'b\r\n{"id":"1"}\n\r\n')
    return connection


def _look(host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port)
    connection.request("GET", "/dashboard/news")
    try:
        for _ in connection.getresponse():
            pass
    except (OSError, http.client.HTTPException):
        return  # The server was stopped.


def _share(process: int, seconds: float) -> float:
    started, before = time.monotonic(), _on_cpu(process)
    time.sleep(seconds)
    return 100 * (_on_cpu(process) - before) / (time.monotonic() - started)


def _on_cpu(process: int) -> float:
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


if __name__ == "__main__":
    main()
