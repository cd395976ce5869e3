"""nginx and HAProxy with the configurations in deploy/, on free ports."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import children
from tests.certificates import Certificates
from tests.servers import ROOT, Server, free_port

__all__ = ["Proxy", "replaced", "start_haproxy", "start_nginx"]

DEPLOY = ROOT / "deploy"
# Debian installs these programs outside the PATH of users.
_PATH = os.environ.get("PATH", "") + ":/usr/sbin"
_START_SECONDS = 10.0


@dataclass
class Proxy:
    """A running load balancer.

    Attributes:
        kind: ``nginx`` or ``haproxy``.
        process: it, or the first process of it.
        port: where it listens on the loopback.
    """

    kind: str
    process: subprocess.Popen[bytes]
    port: int

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rss(self) -> int:
        """Resident memory of all its processes in bytes."""
        pid = self.process.pid
        pages = sum(
            int(Path(f"/proc/{each}/statm").read_text().split()[1])
            for each in (pid, *children.of(pid))
        )
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Replace texts that must occur exactly once in a file."""
    for old, new in pairs:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def start_nginx(
    directory: Path, servers: Sequence[Server], certificate: Certificates | None = None
) -> Proxy:
    """Start nginx with deploy/nginx.conf in front of two servers.

    Args:
        directory: for its files.
        servers: where streams go.
        certificate: ends TLS with this, if given.

    Raises:
        FileNotFoundError: there is no nginx.
    """
    port = free_port()
    tls = ""
    if certificate is not None:
        tls = f"ssl_certificate {certificate.path('server.pem')}; "
        tls += f"ssl_certificate_key {certificate.path('server.key')}; "
    text = replaced(
        (DEPLOY / "nginx.conf").read_text(),
        (
            "listen 8080 so_keepalive=on;",
            f"{tls}listen 127.0.0.1:{port}{' ssl' if tls else ''} so_keepalive=on;",
        ),
        *_addresses(servers),
    )
    path = directory / "nginx.conf"
    path.write_text(text)
    return _start(
        "nginx",
        directory,
        ("-c", path, "-e", directory / "error.log", "-g", f"daemon off; pid {directory / 'pid'};"),
        port,
    )


def start_haproxy(
    directory: Path, servers: Sequence[Server], certificate: Certificates | None = None
) -> Proxy:
    """Start HAProxy with deploy/haproxy.cfg in front of two servers; see `start_nginx`.

    Raises:
        FileNotFoundError: there is no haproxy.
    """
    port = free_port()
    tls = ""
    if certificate is not None:
        both = directory / "both.pem"
        names = ("server.pem", "server.key")
        both.write_text("".join(Path(certificate.path(name)).read_text() for name in names))
        tls = f" ssl crt {both}"
    text = replaced(
        (DEPLOY / "haproxy.cfg").read_text(),
        ("bind :8080", f"bind 127.0.0.1:{port}{tls}"),
        # HAProxy does not start if its limit of open files is too low.
        ("    maxconn 16384\n", "    maxconn 500\n"),
        *_addresses(servers),
    )
    path = directory / "haproxy.cfg"
    path.write_text(text)
    return _start("haproxy", directory, ("-db", "-f", path), port)


def _addresses(servers: Sequence[Server]) -> list[tuple[str, str]]:
    one, two = servers
    return [
        ("127.0.0.1:8081", f"{one.host}:{one.port}"),
        ("127.0.0.1:8082", f"{two.host}:{two.port}"),
    ]


def _start(name: str, directory: Path, options: Sequence[str | Path], port: int) -> Proxy:
    program = shutil.which(name, path=_PATH)
    if program is None:
        raise FileNotFoundError(name)
    log = directory / "log"
    with log.open("wb") as output:
        process = children.start(
            [program, *options], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            _pass_through(port)
            return Proxy(name, process, port)
        time.sleep(0.02)
    children.end(process)
    raise RuntimeError(f"{name} does not start: {log.read_text()}")


def _pass_through(port: int) -> None:
    """Connect, and wait until the connection is no longer counted as a stream."""
    with socket.create_connection(("127.0.0.1", port), _START_SECONDS) as probe:
        probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        # A TLS server refuses this, which ends the connection as well.
        with contextlib.suppress(ConnectionResetError):
            while probe.recv(1 << 16):
                pass
