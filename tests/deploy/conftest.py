"""Two servers, and a load balancer in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.certificates import Certificates
from tests.deploy.proxies import Proxy, start_haproxy, start_nginx
from tests.servers import Server, StartServer

StartProxy = Callable[..., Proxy]


@pytest.fixture
def servers(start_one: StartServer) -> list[Server]:
    """Two servers with short heartbeats, which wait for any reader."""
    options = ("--heartbeat", "0.2", "--stall", "60")
    return [start_one(*options), start_one(*options)]


@pytest.fixture(params=["nginx", "haproxy"])
def start_proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartProxy]:
    """Start a load balancer of each kind; it is stopped after the test."""
    yield from _starting(start_nginx if request.param == "nginx" else start_haproxy, tmp_path)


@pytest.fixture
def start_checking_proxy(tmp_path: Path) -> Iterator[StartProxy]:
    """Start the load balancer that checks whether servers are ready."""
    yield from _starting(start_haproxy, tmp_path)


@pytest.fixture
def proxy(servers: list[Server], start_proxy: StartProxy) -> Proxy:
    """A load balancer in front of the two servers."""
    return start_proxy(servers)


def _starting(
    start: Callable[[Path, Sequence[Server], Certificates | None], Proxy], directory: Path
) -> Iterator[StartProxy]:
    proxies: list[Proxy] = []

    def start_it(servers: Sequence[Server], certificate: Certificates | None = None) -> Proxy:
        try:
            proxies.append(start(directory, servers, certificate))
        except FileNotFoundError as missing:
            pytest.skip(f"needs {missing}")
        return proxies[-1]

    yield start_it
    for proxy in proxies:
        proxy.stop()
