"""MQTT topics, with a real Mosquitto that is killed and restarted."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest

from forstcore.errors import SourceError
from forstcore.sources import SourceLimits, open_source
from tests.servers import StartServer
from tests.sources.brokers import Mosquitto
from tests.sources.live import Subscription, highest, numbers, refused
from tests.sources.topics import publisher, send, url


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
            # Stored messages may arrive before the source is reported as up.
            while len(set(found)) < done or "up" not in live.states:
                if (line := live.next_line()) is not None:
                    found.append(json.loads(line)["id"])
            assert live.states == ["down", "up"]
        assert set(found) == set(numbers(0, done))
        assert live.missed == []


@pytest.mark.parametrize("options", ["", "?client=me"])
def test_a_broker_that_has_lost_a_session(
    start_one: StartServer, mosquitto: Mosquitto, options: str
) -> None:
    """The messages of the session are lost, and their number is unknown."""
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#' + options)}")
    with Subscription(server, "a") as live:
        live.began()
        assert live.missed == []
        mosquitto.stop(signal.SIGKILL)
        live.until_state("down")
        mosquitto.forget()
        mosquitto.start()
        live.until_state("up")
        with publisher(mosquitto) as client:
            # It subscribes before it is reported as up.
            send(client, 0, 1)
        assert live.ids(1) == ["0"]
        assert live.missed == ["?"]


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
    assert detail == "from: source 'a' has no earlier records: from must be now"


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


def test_messages_that_are_too_long(start_one: StartServer, mosquitto: Mosquitto) -> None:
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#?client=me&topic=t')}")
    headers = {"Forst-On-Error": "emit"}
    with Subscription(server, "a", headers=headers, processor="pass") as live:
        live.began()
        with publisher(mosquitto) as client, highest(server) as most:
            for turn in range(6):
                send(client, turn, turn + 1)
                payload = b'{"x":"%b"}' % (b"y" * 30_000_000)
                client.publish("sensors/large", payload, qos=1).wait_for_publish(30)
            found = live.results(12)
    assert [each.get("code", each.get("id")) for each in found] == [
        *("0", "line_too_long", "1", "line_too_long", "2", "line_too_long"),
        *("3", "line_too_long", "4", "line_too_long", "5", "line_too_long"),
    ]
    assert most[0] < 40 << 20
