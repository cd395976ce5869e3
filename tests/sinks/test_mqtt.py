"""MQTT as a sink, with a real Mosquitto that is ended, and that refuses."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputRefusedError, open_sink
from tests.servers import wait_until
from tests.sinks.writing import opened, outputs, run, until, write
from tests.sources.brokers import Mosquitto


def url(broker: Mosquitto) -> str:
    return f"mqtt://127.0.0.1:{broker.port}/results/a"


@contextmanager
def subscriber(broker: Mosquitto) -> Iterator[list[int]]:
    """Note the results that arrive, also after the broker comes back."""
    found: list[int] = []

    def note(_: paho.Client, __: object, message: paho.MQTTMessage) -> None:
        found.append(json.loads(message.payload)["n"])

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="reader", clean_session=False)
    subscribed = threading.Event()
    client.on_message = note
    client.on_subscribe = lambda *_: subscribed.set()
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe("results/#", qos=1)
    assert subscribed.wait(60)
    try:
        yield found
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_broker_that_ends_and_comes_back(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        async with opened(url(mosquitto)) as (sink, writer):
            assert await sink.offset() == ""
            for first in range(0, 300, 100):
                confirmed = await write(writer, *outputs(first, first + 100))
                await confirmed[3]
                # A broker that is killed forgets the latest messages that it has confirmed.
                await asyncio.to_thread(mosquitto.stop, signal.SIGTERM)
                await asyncio.to_thread(mosquitto.start)
                await asyncio.gather(*confirmed)

    with subscriber(mosquitto) as found:
        run(scenario)
        wait_until(lambda: found[-1:] == [299])
    assert sorted(set(found)) == list(range(300))
    # All unconfirmed results are sent again.
    assert all(after <= before + 1 for before, after in pairwise(found))


def test_messages_that_are_too_large(mosquitto: Mosquitto) -> None:
    mosquitto.stop(signal.SIGTERM)
    mosquitto.more = "max_packet_size 2000\n"
    mosquitto.start()

    async def scenario() -> None:
        async with opened(url(mosquitto)) as (sink, writer):
            large = b'{"n":"%b"}\n' % (b"x" * 2000)
            (refused,) = await write(writer, Output(large + b'{"n":1}\n' + large + b'{"n":2}\n'))
            with pytest.raises(OutputRefusedError) as raised:
                await refused
            assert set(raised.value.lines) == {0, 2}
            # Just as large as it may be.
            text = b'{"n":3,"x":"%b"}\n'
            room = 2000 - 16 - len("results/a") - len(text % b"") + 1
            (confirmed,) = await write(writer, Output(text % (b"x" * room)))
            await confirmed
            assert sink.trouble() is None

    with subscriber(mosquitto) as found:
        run(scenario)
        wait_until(lambda: found == [1, 2, 3])


def test_a_client_that_may_not_publish(mosquitto: Mosquitto, tmp_path: Path) -> None:
    mosquitto.stop(signal.SIGTERM)
    rules = tmp_path / "acl"
    rules.write_text("topic read results/#\n")
    mosquitto.more = f"acl_file {rules}\n"
    mosquitto.start()

    async def scenario() -> None:
        async with opened(url(mosquitto)) as (_, writer):
            (confirmed,) = await write(writer, *outputs(0, 3))
            with pytest.raises(SinkError, match="not authorized"):
                await confirmed

    run(scenario)


def test_a_broker_that_is_not_there_yet(mosquitto: Mosquitto) -> None:
    mosquitto.stop(signal.SIGTERM)

    async def scenario() -> None:
        async with opened(url(mosquitto)) as (sink, writer):
            (confirmed,) = await write(writer, *outputs(0, 3))
            await until(sink.trouble)
            await asyncio.to_thread(mosquitto.start)
            await confirmed
            assert sink.trouble() is None

    run(scenario)


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("h", "names no topic"),
        ("h?topic=b", "names no topic: mqtt://host:1883/TOPIC"),
        ("h/a?topic=b", "does not know: topic"),
        ("h/a/%23", "the topic a/#, which is not a single one"),
        ("h/a?qos=0", "qos=0, which must be one of 1"),
        ("u:secret@h/a?client=b", "does not know: client"),
    ],
)
def test_bad_urls(rest: str, reason: str) -> None:
    with pytest.raises(SinkError, match=reason) as raised:
        open_sink("out", f"mqtt://{rest}")
    assert "secret" not in str(raised.value)
