"""Measure how long commands take to start, and how long it takes to compile twenty functions.

Each run is a process of its own, and the shortest CPU time of each counts, user and system.
`python -m benchmarks.startup --help` lists the options.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.building import BenchmarkError
from benchmarks.marginal import installed
from benchmarks.results import machine
from benchmarks.startup.routes import write_routes

_FORSTCORE: Final = (sys.executable, "-m", "forstcore")
_COMPILE: Final = """
import time
from forstcore.loading import Loader
processors = Loader([{routes!r}]).load().values()
started = time.process_time()
{import_compiler}
for each in processors:
    assert each.compilation_report.compiled
print(time.process_time() - started)
"""
_START_SECONDS: Final = 30.0


def cpu_seconds(command: tuple[str, ...], environment: dict[str, str]) -> float:
    """Return the CPU time of a process."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    return _usage_of(process, 0)


def reported(command: tuple[str, ...], environment: dict[str, str]) -> float:
    """Return the time that a process prints."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(done.stderr)
    return float(done.stdout)


def server_seconds(routes: str, environment: dict[str, str]) -> float:
    """Return the CPU time of a server until it accepts connections, its end included."""
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory, "socket"))
        command = (sys.executable, "-m", "server", "--unix-socket", path, "--processors", routes)
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + _START_SECONDS
        with socket.socket(socket.AF_UNIX) as probe:
            while probe.connect_ex(path):
                if process.poll() is not None or time.monotonic() > end:
                    process.kill()
                    raise BenchmarkError("the server does not start")
                time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        return _usage_of(process, 0)


def _usage_of(process: subprocess.Popen[bytes], expected: int) -> float:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        raise BenchmarkError(f"{process.args!r} ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run the measurements and print the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument("--repeat", type=int, default=15, help="runs of each (default: 15)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        routes = str(Path(directory, "routes.py"))
        write_routes(Path(routes))
        record = Path(directory, "record.ndjson")
        record.write_text('{"id":"1","data":"x","fahrenheit":70,"sensor":"s","at":1}\n')
        environment = installed()
        process = (*_FORSTCORE, "process", str(record))
        compiled = (*process, "--processors", routes, "--processor", "to-celsius")
        python = (sys.executable, "-c")
        without = _COMPILE.format(routes=routes, import_compiler="")
        apart = _COMPILE.format(
            routes=routes,
            import_compiler="import forstcore.compiled\nstarted = time.process_time()",
        )
        rows: dict[str, Callable[[], float]] = {
            "python": partial(cpu_seconds, (*python, "pass"), environment),
            "import forstcore": partial(cpu_seconds, (*python, "import forstcore"), environment),
            "forstcore process": partial(cpu_seconds, process, environment),
            "the same, compiled": partial(cpu_seconds, compiled, environment),
            "forstcore check": partial(cpu_seconds, (*_FORSTCORE, "check", routes), environment),
            "server": partial(server_seconds, routes, environment),
            "compile 20 functions": partial(reported, (*python, apart), environment),
            "the same, first use": partial(reported, (*python, without), environment),
        }
        best = dict.fromkeys(rows, float("inf"))
        for _ in range(options.repeat):
            for name, measure in rows.items():
                best[name] = min(best[name], measure())
    print(machine())
    print(f"{'':24}{'CPU ms':>8}")
    for name, seconds in best.items():
        print(f"{name:24}{seconds * 1e3:8.1f}")


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
