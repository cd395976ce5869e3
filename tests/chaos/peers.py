"""The brokers and servers of a pipeline, and their faults."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from redis import Redis
from redis.exceptions import RedisError

from tests.chaos.proxy import CuttingProxy
from tests.servers import ROOT
from tests.sources.brokers import Broker, Mosquitto, NatsServer, RedisServer
from tests.sources.kafka_server import KafkaServer

__all__ = ["MAKERS", "HttpReceiver", "Peer", "PeerAction"]

PeerAction = Literal["kill", "end", "stop", "cut", "refuse"]

_PATIENCE = 60.0  # Seconds for Redis to read its data.


class HttpReceiver(Broker):
    """An HTTP server that receives results, and sometimes fails.

    Attributes:
        log_file: the file of its results.
    """

    program = sys.executable
    patience = 60.0

    @property
    def log_file(self) -> Path:
        return self._directory / "received"

    @property
    def requested_again(self) -> int:
        """How many results it has received, and answered so that they came again."""
        again = self.log_file.with_name("received.again")
        return sum(map(int, again.read_text().split())) if again.exists() else 0

    def arguments(self) -> list[str]:
        receiver = ROOT / "tests" / "chaos" / "receiver.py"
        return [str(receiver), str(self.port), str(self.log_file)]


class _PatientMosquitto(Mosquitto):
    """Mosquitto that writes to disk only at its end: with a long queue it would do nothing else."""

    more = (
        "autosave_on_changes false\n"
        "autosave_interval 0\n"
        "max_inflight_messages 2000\n"
        "set_tcp_nodelay true\n"
    )


class _LoadedRedis(RedisServer):
    """Redis that has read its data when it has started: readers of results get no errors then."""

    def start(self) -> None:
        super().start()
        deadline = time.monotonic() + _PATIENCE
        with Redis(port=self.port) as client:
            while True:
                try:
                    client.ping()
                    return
                except RedisError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)


class Peer:
    """A broker or server behind a proxy.

    Args:
        broker: the broker.
        actions: its possible faults.

    Attributes:
        broker, actions: as above.
        port: the port of the proxy.
    """

    def __init__(self, broker: Broker, actions: tuple[PeerAction, ...]) -> None:
        self.broker = broker
        self.actions = actions
        if isinstance(broker, KafkaServer):
            # Its clients connect to the address that it advertises.
            self._proxy = CuttingProxy(broker.proxied_port, broker.proxy_port)
        else:
            self._proxy = CuttingProxy(broker.port)
        self.port = self._proxy.port

    def do(self, action: PeerAction, seconds: float) -> None:
        """Cause a fault that lasts for some seconds."""
        if action == "cut":
            self._proxy.refuse()
            self._proxy.accept()
        elif action == "refuse":
            self._proxy.refuse()
            time.sleep(seconds)
            self._proxy.accept()
        elif action == "stop":
            assert self.broker.process is not None
            self.broker.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self.broker.process.send_signal(signal.SIGCONT)
        else:
            self.broker.stop(signal.SIGKILL if action == "kill" else signal.SIGTERM)
            time.sleep(seconds)
            self.broker.start()

    def close(self) -> None:
        """End it."""
        self._proxy.close()
        self.broker.stop()


def _peer(make: Callable[[Path], Broker], *actions: PeerAction) -> Callable[[Path], Peer]:
    return lambda directory: Peer(make(directory), actions)


MAKERS: dict[str, Callable[[Path], Peer]] = {
    "kafka": _peer(KafkaServer, "kill", "stop", "cut", "cut", "refuse"),
    "redis": _peer(_LoadedRedis, "kill", "end", "stop", "cut", "cut", "refuse"),
    "nats": _peer(NatsServer, "kill", "end", "stop", "cut", "cut", "refuse"),
    # When Mosquitto is killed, it forgets what it has acknowledged.
    "mqtt": _peer(_PatientMosquitto, "end", "stop", "cut", "cut", "refuse"),
    "http": _peer(HttpReceiver, "kill", "end", "stop", "cut", "cut", "refuse"),
}
"""Creates a peer of each kind, each in its own directory."""
