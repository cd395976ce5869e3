"""MQTT topics, with a real Mosquitto that is killed and comes back."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forstcore.errors import SourceError
from forstcore.sources import SourceLimits, open_source
from forstcore.sources.mqtt import _Inbox
from tests.servers import StartServer
from tests.sources.brokers import Mosquitto
from tests.sources.live import Subscription, refused


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


def numbers(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


def test_live_with_wildcards(start_one: StartServer, mosquitto: Mosquitto) -> None:
    server = start_one(
        *("--source", f"one={url(mosquitto, 'sensors/+/temperature')}"),
        *("--source", f"all={url(mosquitto, 'sensors/#')}"),
    )
    with Subscription(server, "one") as one, Subscription(server, "all") as everything:
        one.began()
        everything.began()
        with publisher(mosquitto) as client:
            send(client, 0, 10, "sensors/a/temperature")
            send(client, 10, 20, "sensors/a/humidity")
            send(client, 20, 30, "elsewhere")
            send(client, 30, 40, "sensors/b/temperature")
        assert one.ids(20) == numbers(0, 10) + numbers(30, 40)
        assert everything.ids(30) == numbers(0, 20) + numbers(30, 40)
        while one.acked != 20:
            assert one.next_line() is None
        assert one.offset == ""


def test_payloads_become_records(start_one: StartServer, mosquitto: Mosquitto) -> None:
    source = url(mosquitto, "a/%23?topic=from")
    server = start_one("--source", f"a={source}", "--max-line-size", "2000")
    headers = {"Forst-On-Error": "emit"}
    with Subscription(server, "a", processor="pass", headers=headers) as live:
        live.began()
        with publisher(mosquitto) as client:
            for payload in (
                b'{"id":\n"1"}\r\n',
                b" {}",
                b"",
                b"no JSON",
                b"[1]",
                b'{"from":"me"}',
                b'{"id":"%b"}' % (b"x" * 3000),
                b"\xff",
                b'{"id":"last"}',
            ):
                client.publish("a/ü", payload, qos=1).wait_for_publish(10)
        found: list[Any] = live.results(8)
    assert found[0] == {"from": "a/ü", "id": "1"}
    assert found[1] == {"from": "a/ü"}
    assert [each.get("code") for each in found[2:7]] == [
        "invalid_json",
        "not_an_object",
        None,
        "line_too_long",
        "invalid_json",
    ]
    assert found[4] == {"from": "me"}
    assert found[7] == {"from": "a/ü", "id": "last"}


def test_a_broker_that_is_killed_and_comes_back(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#')}")
    found: list[str] = []
    with Subscription(server, "a") as live:
        live.began()
        done = 0
        for _ in range(3):
            with publisher(mosquitto) as client:
                send(client, done, done + 100)
            done += 100
            live.states.clear()
            mosquitto.stop()
            while "down" not in live.states:
                if (line := live.next_line()) is not None:
                    found.append(json.loads(line)["id"])
            mosquitto.start()
            with publisher(mosquitto) as client:
                send(client, done, done + 100)
            done += 100
            while len(set(found)) < done:
                if (line := live.next_line()) is not None:
                    found.append(json.loads(line)["id"])
            assert live.states == ["down", "up"]
        assert set(found) == set(numbers(0, done))
        assert live.missed == []


def test_a_named_client_gets_what_came_while_its_server_was_gone(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    options = ("--source", f"a={url(mosquitto, 'sensors/#?client=me')}")
    server = start_one(*options)
    with Subscription(server, "a") as live, publisher(mosquitto) as client:
        live.began()
        send(client, 0, 10)
        assert live.ids(10) == numbers(0, 10)
        server.stop(signal.SIGKILL)
        send(client, 10, 200)
    server = start_one(*options)
    with Subscription(server, "a") as live:
        missing = set(numbers(10, 200))
        while missing:
            missing -= set(live.ids(1))


def test_a_broker_that_is_not_there_yet(start_one: StartServer, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#')}")
    with Subscription(server, "a") as live:
        live.until_state("down")
        mosquitto.start()
        live.until_state("up")
        live.began()
        with publisher(mosquitto) as client:
            send(client, 0, 3)
        assert live.ids(3) == numbers(0, 3)


def test_several_readings_at_once(start_one: StartServer, mosquitto: Mosquitto) -> None:
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#?client=me')}")
    with (
        Subscription(server, "a") as first,
        Subscription(server, "a", processor="pass") as second,
        Subscription(server, "a", filters={"id": {"prefix": "1"}}) as third,
    ):
        for each in (first, second, third):
            each.began()
        with publisher(mosquitto) as client:
            send(client, 0, 20)
        assert first.ids(20) == second.ids(20) == numbers(0, 20)
        assert third.ids(11) == [each for each in numbers(0, 20) if each[0] == "1"]


def test_a_flood_over_a_subscriber_that_comes_and_goes(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#')}")
    with Subscription(server, "a") as live:
        live.began()

        def flood() -> None:
            with publisher(mosquitto) as client:
                send(client, 0, 1000)

        thread = threading.Thread(target=flood)
        thread.start()
        for _ in range(5):
            with Subscription(server, "a") as other:
                other.began()
        assert live.ids(1000) == numbers(0, 1000)
        thread.join()


def test_there_are_no_offsets(start_one: StartServer, mosquitto: Mosquitto) -> None:
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#')}")
    status, detail = refused(server, {"source": "a", "from": "start"})
    assert status == 400
    assert detail == "from: source 'a' is live only: from can be nothing but now"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mqtt://host", "names no topic"),
        ("mqtt://host/?qos=1", "names no topic"),
        ("mqtt://host/a?qos=3", "has qos=3, which must be 0, 1 or 2"),
        ("mqtt://host/a?retain=1", "does not know: retain"),
    ],
)
def test_bad_urls(url: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        open_source("a", url, SourceLimits())


def test_what_nobody_reads_is_bounded_and_counted() -> None:
    from aiomqtt import Message, Topic

    inbox = _Inbox()
    for number in range(200):
        payload = b"%3d" % number + b"x" * 1_000_000
        inbox.put_nowait(Message(Topic("a"), payload, 1, False, 0, None))
    assert inbox.missed + inbox.qsize() == 200
    assert inbox.qsize() == 16
    assert bytes(inbox.get_nowait().payload or b"")[:3] == b"184"
