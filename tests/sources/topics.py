"""Messages for the topics of a Mosquitto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.sources.brokers import Mosquitto

__all__ = ["publisher", "send", "url"]


@contextmanager
def publisher(broker: Mosquitto) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def url(broker: Mosquitto, rest: str) -> str:
    return f"mqtt://127.0.0.1:{broker.port}/{rest}"


def send(client: paho.Client, first: int, end: int, topic: str = "sensors/1") -> None:
    """Publish with QoS 1, and wait until the broker has it all."""
    sent = [
        client.publish(topic, json.dumps({"id": str(number), "data": "x"}), qos=1)
        for number in range(first, end)
    ]
    for each in sent:
        each.wait_for_publish(20)
        assert each.is_published()
