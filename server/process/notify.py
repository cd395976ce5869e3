"""Messages to the service manager: systemd's protocol of `sd_notify`."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping

__all__ = ["ServiceManager"]

_MICROSECONDS = 1_000_000


class ServiceManager:
    """Notify the service manager of the server's state; without one, do nothing.

    The variables are removed from the environment, since child processes must not use them.

    Args:
        environ: has `NOTIFY_SOCKET`, a path or `@` and an abstract name, and `WATCHDOG_USEC`.

    Attributes:
        watchdog_interval: seconds between two calls of `is_alive`, None without a watchdog.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_interval: float | None = None
        watchdog = environ.pop("WATCHDOG_USEC", "")
        process = environ.pop("WATCHDOG_PID", str(os.getpid()))
        if address and watchdog.isdecimal() and process == str(os.getpid()):
            # Half of the time after which the service counts as hanging, as recommended.
            self.watchdog_interval = int(watchdog) / _MICROSECONDS / 2

    def is_ready(self, address: str) -> None:
        """Report that the server is serving, or has finished reloading."""
        self._send("READY=1", f"STATUS=Listening on {address}")

    def is_reloading(self) -> None:
        """Report that the server is reloading; call `is_ready` afterwards."""
        self._send(
            "RELOADING=1",
            # Must be the clock that systemd uses, or `systemctl reload` would wait forever.
            f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}",
            "STATUS=Reloading",
        )

    def is_stopping(self) -> None:
        """Report that the server is ending its streams, and will exit."""
        self._send("STOPPING=1", "STATUS=Waiting for streams to end")

    def is_alive(self) -> None:
        """Reset the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # The server works without a service manager, and must not wait for it.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.setblocking(False)
            end.connect(self._address)
            end.send("\n".join(lines).encode())
