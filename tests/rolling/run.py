"""One run: servers, load balancers, a source, the load, and the restarts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import traceback
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.proxies import Proxy, start_haproxy, start_nginx
from tests.rolling.load import FOLLOWERS, SENDERS, Client, Load
from tests.servers import ROOT, Server, free_port, launch
from tests.sources.brokers import RedisServer, redis_client

__all__ = ["Seen", "roll"]

_DRAIN_DELAY = 3.0  # HAProxy checks every second.
_SETTLE = 3.0  # Seconds until both load balancers use a server again.
_END = 180.0  # Seconds for all clients to end.


@dataclass
class Seen:
    """The outcome of a run.

    Attributes:
        counts: correct records and requests, by kind of client and load balancer.
        resumed: how often each of them resumed over another connection.
        restarts: number of restarted servers.
        failures: descriptions of all failures.
    """

    counts: Counter[str]
    resumed: Counter[str]
    restarts: int
    failures: list[str]


def roll(
    directory: Path, seconds: float, rounds: int, *, tell: Callable[[str], object] = bool
) -> Seen:
    """Keep two servers under load while they are restarted one after the other.

    Args:
        directory: directory for the files of all programs.
        seconds: minimum duration of the load.
        rounds: how often each server is restarted, spread over that time.
        tell: called with a line about each restart.

    Raises:
        FileNotFoundError: a load balancer is not installed.
    """
    with contextlib.ExitStack() as stack:
        redis = RedisServer(_folder(directory, "redis"))
        stack.callback(redis.stop)
        servers = _Servers(directory, redis.port)
        stack.callback(servers.kill)
        proxies = []
        for start in (start_nginx, start_haproxy):
            proxy = start(_folder(directory, start.__name__), servers.running)
            stack.callback(proxy.stop)
            proxies.append(proxy)
        return asyncio.run(_run(servers, proxies, redis, seconds, rounds, tell))


def _folder(directory: Path, name: str) -> Path:
    path = directory / name
    path.mkdir()
    return path


class _Servers:
    """Two servers, each on a port of its own.

    Args:
        directory: for their logs.
        redis_port: of the broker.

    Attributes:
        running: the servers.
    """

    def __init__(self, directory: Path, redis_port: int) -> None:
        self._directory = directory
        self._options = (
            *("--source", f"events=redis://127.0.0.1:{redis_port}/0?stream=events"),
            *("--processors", str(ROOT / "deploy/pipelines/totals.py")),
            *("--drain-delay", str(_DRAIN_DELAY), "--drain-timeout", "10"),
            *("--heartbeat", "1", "--no-access-log"),
        )
        self.running: list[Server] = []
        for _ in range(2):
            self.running.append(self._start(free_port()))

    def restart(self, place: int) -> int:
        """Restart a server; return the exit status of the old process."""
        server = self.running[place]
        status = server.stop()
        server.kill()
        self.running[place] = self._start(server.port)
        return status

    def kill(self) -> None:
        for server in self.running:
            server.kill()

    def _start(self, port: int) -> Server:
        log = self._directory / f"{port}-{time.monotonic_ns()}.log"
        return launch("--port", str(port), *self._options, log=log)

    def complaints(self) -> str:
        """Return what the servers have logged."""
        return "".join(path.read_text() for path in sorted(self._directory.glob("*.log")))


async def _run(
    servers: _Servers,
    proxies: list[Proxy],
    redis: RedisServer,
    seconds: float,
    rounds: int,
    tell: Callable[[str], object],
) -> Seen:
    load = Load()
    failures: list[str] = []
    restarts = 0

    async def run(client: Client, name: str, url: str) -> None:
        try:
            await client(load, name, url)
        except Exception:
            failures.append(f"{name}:\n{traceback.format_exc()}")
            load.ending.set()

    def start(clients: tuple[Client, ...]) -> set[asyncio.Task[None]]:
        return {
            asyncio.create_task(run(each, f"{each.__name__} {proxy.kind}", proxy.url))
            for each in clients
            for proxy in proxies
        }

    senders, followers = start(SENDERS), start(FOLLOWERS)
    began = time.monotonic()
    for number in range(rounds):
        await _until(load, began + seconds * (number + 1) / (rounds + 1))
        for place in range(2):
            if load.ending.is_set():
                break
            before = time.monotonic()
            status = await asyncio.to_thread(servers.restart, place)
            restarts += 1
            if status:
                failures.append(f"a server ended with status {status}")
            tell(
                f"{before - began:6.0f} s: server {place + 1} restarted in "
                f"{time.monotonic() - before:.1f} s"
            )
            await asyncio.to_thread(_await_ready, servers.running[place])
            await asyncio.sleep(_SETTLE)
    await _until(load, began + seconds)
    load.ending.set()
    _, late = await asyncio.wait(senders, timeout=_END)
    with redis_client(redis) as connection:
        entries: Any = connection.xrange("events")
        load.due.set_result([_id_of(fields) for _, fields in entries])
    _, too_late = await asyncio.wait(followers, timeout=_END)
    for task in late | too_late:
        failures.append(f"a client does not end: {task.get_coro()}")
        task.cancel()
    if sorted(load.published) != sorted(load.due.result()):
        failures.append(
            f"{len(load.published)} records were confirmed, {len(load.due.result())} are there"
        )
    if "Traceback" in (complaints := servers.complaints()):
        failures.append(f"a server complained:\n{complaints}")
    return Seen(load.counts, load.resumed, restarts, failures)


async def _until(load: Load, moment: float) -> None:
    """Wait until that moment of the monotonic clock, or until the load ends."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(load.ending.wait(), max(0.0, moment - time.monotonic()))


def _await_ready(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/readyz", timeout=60) as response:
        assert response.status == 200


def _id_of(fields: dict[str, str]) -> str:
    (text,) = fields.values()
    return str(json.loads(text)["id"])
