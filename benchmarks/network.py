"""Keep TCP from pacing the loopback."""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_CONGESTION_CONTROL: Final = Path("/proc/sys/net/ipv4/tcp_congestion_control")
_IN_NAMESPACE: Final = "FORSTCORE_BENCHMARK_NAMESPACE"
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1


def unpaced_network(arguments: Sequence[str], module: str = "benchmarks.server") -> str:
    """Ensure that TCP does not pace the loopback; return a description of its configuration.

    Congestion controls such as BBR send segments by a timer at an estimated rate, so that both ends
    sleep although neither is the bottleneck. The benchmark must not change the setting of the
    machine. If it is one of these, the program (`module`) therefore restarts itself in a separate
    network namespace, which has its own setting and loopback.
    """
    try:
        setting = _CONGESTION_CONTROL.read_text().strip()
    except OSError:
        return "congestion control unknown"
    if os.environ.get(_IN_NAMESPACE):
        if setting != "reno":
            _set_up_namespace()
        return "reno, in a network namespace of its own"
    if setting in {"cubic", "reno"}:
        return setting
    unshare = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    program = [sys.executable, "-m", module, *arguments]
    if shutil.which("unshare") and not subprocess.run([*unshare, "true"], check=False).returncode:
        os.environ[_IN_NAMESPACE] = "1"
        os.execvp(unshare[0], [*unshare, *program])
    return f"{setting}, which may pace the loopback: figures may be limited by it"


def _set_up_namespace() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        fcntl.ioctl(anything, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
    _CONGESTION_CONTROL.write_text("reno")  # the one that is available in every namespace
