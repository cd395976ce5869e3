"""The example: a simulator over MQTT, and a view in the terminal."""

from __future__ import annotations

import sys

from tests import children
from tests.servers import ROOT, StartServer
from tests.sources.brokers import Mosquitto
from tests.sources.live import Subscription


def test_the_view_shows_what_the_simulator_sends(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    topic = f"mqtt://127.0.0.1:{mosquitto.port}/sensors/+/temperature"
    server = start_one("--source", f"sensors={topic}")
    simulator = [sys.executable, "examples/sensors/simulator.py", "--port", str(mosquitto.port)]
    view = [sys.executable, "examples/sensors/view.py", "--server", server.url, "--count", "20"]
    with Subscription(server, "sensors") as probe:
        probe.began()
        with children.started([*simulator, "--rate", "200"], cwd=ROOT) as sending:
            try:
                done = children.run(view, cwd=ROOT, text=True)
            finally:
                sending.terminate()
    assert done.stderr == ""
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 20
    assert {line.split()[0] for line in lines} == {f"sensor-{number}" for number in range(1, 6)}
