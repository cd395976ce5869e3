"""MQTT topics, with a real Mosquitto that is killed and comes back."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forstcore.errors import SourceError
from forstcore.sources import SourceLimits, open_source
from tests import children
from tests.servers import ROOT, StartServer, wait_until
from tests.sources.brokers import Flapping, Mosquitto
from tests.sources.live import Subscription, consumer, highest, refused


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


# Acknowledgements.


def test_what_is_not_acknowledged_comes_again(start_one: StartServer, mosquitto: Mosquitto) -> None:
    """To the next subscriber that wants the same; and nothing that is acknowledged does."""
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#?client=me')}")
    with Subscription(server, "a", acks=True) as live, publisher(mosquitto) as client:
        live.began()
        assert live.delivery == "at-least-once"
        send(client, 0, 50)
        assert live.ids(50) == numbers(0, 50)
        while live.acked < 50:
            live.next_line()
        send(client, 50, 100)
        assert live.ids(50) == numbers(50, 100)
        live.acknowledge(50)
        time.sleep(0.3)
    with Subscription(server, "a", acks=True) as live:
        assert live.ids(50) == numbers(50, 100)
        while live.acked < 50:
            live.next_line()
        live.send(b":ack 50\n")
        live.end()
        live.read_rest()
    with Subscription(server, "a", acks=True) as live, publisher(mosquitto) as client:
        live.began()
        send(client, 100, 101)
        assert live.ids(1) == ["100"]


def test_a_consumer_that_takes_one_and_dies_loses_none(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    options = ("--source", f"jobs={url(mosquitto, 'sensors/#?client=me')}")
    server = start_one(*options)
    with consumer(server, pause=60) as first, publisher(mosquitto) as client:
        assert first.stdout is not None
        sending = threading.Thread(target=send, args=(client, 0, 500))
        # Its session has to be there before anything is sent.
        wait_until(lambda: "me-" in mosquitto.log())
        time.sleep(0.5)
        sending.start()
        assert first.stdout.readline() == "0\n"
        sending.join()
        first.kill()
    server.stop(signal.SIGKILL)
    server = start_one(*options)
    with consumer(server) as second:
        assert second.stdout is not None
        found: set[str] = set()
        while len(found) < 500:
            found.add(second.stdout.readline().strip())
        second.kill()
    assert found == set(numbers(0, 500))


def test_acknowledgements_while_the_broker_is_away(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    """What was given out already does not come again over the next connection."""
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#?client=me')}")
    with Subscription(server, "a", acks=True) as live:
        live.began()
        with publisher(mosquitto) as client:
            send(client, 0, 20)
        assert live.ids(20) == numbers(0, 20)
        while live.acked < 20:
            live.next_line()
        # It writes down every second what it has sent.
        time.sleep(2.5)
        mosquitto.stop()
        live.until_state("down")
        live.acknowledge(10)
        mosquitto.start()
        live.until_state("up")
        with publisher(mosquitto) as client:
            send(client, 20, 21)
        assert live.ids(1) == ["20"]
        live.acknowledge(20)
        time.sleep(0.5)
    with Subscription(server, "a", acks=True) as live:
        assert live.ids(1) == ["20"]


def test_what_may_be_sent_ahead_is_bounded(start_one: StartServer, mosquitto: Mosquitto) -> None:
    server = start_one(
        *("--source", f"a={url(mosquitto, 'sensors/#?client=me')}", "--buffer-size", "50")
    )
    with Subscription(server, "a", acks=True) as live, publisher(mosquitto) as client:
        live.began()
        sending = threading.Thread(target=send, args=(client, 0, 3000))
        sending.start()
        found = live.ids(50)
        sending.join()
        while len(found) < 3000:
            live.acknowledge(live.acked)
            found += live.ids(1)
        assert found == numbers(0, 3000)


def test_a_source_without_a_client_is_at_most_once(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#')}")
    with Subscription(server, "a", acks=True) as live:
        live.began()
        assert live.delivery == "at-most-once"
        assert live.headers["forst-delivery"] == "at-most-once"


def test_subscribers_that_acknowledge_have_sessions_of_their_own(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    """By what they want: none is given what another has filtered."""
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#?client=me')}")
    ones = {"id": {"prefix": "1"}}

    def both() -> None:
        with (
            Subscription(server, "a", acks=True, filters=ones) as some,
            Subscription(server, "a", acks=True) as everything,
        ):
            some.began()
            everything.began()
            with publisher(mosquitto) as client:
                send(client, 0, 20)
            assert everything.ids(20) == numbers(0, 20)
            assert some.ids(11) == [each for each in numbers(0, 20) if each[0] == "1"]

    both()
    with Subscription(server, "a", acks=True) as everything:
        assert everything.ids(20) == numbers(0, 20)
    with Subscription(server, "a", acks=True, filters=ones) as some:
        assert some.ids(11) == [each for each in numbers(0, 20) if each[0] == "1"]


def test_a_session_that_two_servers_have_is_told(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    options = ("--source", f"a={url(mosquitto, 'sensors/#?client=me')}")
    servers = [start_one(*options) for _ in range(2)]
    with Subscription(servers[0], "a") as first, Subscription(servers[1], "a") as second:
        for each in (first, second):
            each.began()
        while "does another client use the session 'me-1'?" not in first.detail:
            first.next_line()


def test_a_session_that_is_taken_over() -> None:
    """As brokers tell that do tell it: the one that had it does not take it back."""

    def answer(data: bytes) -> bytes:
        if data[:1] == b"\x82":
            return b"\x90\x04\x00\x01\x00\x01" + b"\xe0\x01\x8e"
        return b"\x20\x03\x00\x00\x00"

    async def scenario(port: int) -> None:
        reader = open_source("a", f"mqtt://127.0.0.1:{port}/t?client=me").open("now")
        await reader.read()
        try:
            async with asyncio.timeout(60):
                await reader.read()
        finally:
            await reader.close()

    with (
        Flapping(answer) as broker,
        pytest.raises(SourceError, match="another client uses the session 'me-1'"),
    ):
        asyncio.run(scenario(broker.port))
    assert broker.connections == 1


def test_shared_subscriptions(start_one: StartServer, mosquitto: Mosquitto) -> None:
    """The broker gives each message to one of them, and so do we."""
    server = start_one("--source", f"a={url(mosquitto, '$share/group/sensors/#')}")
    with Subscription(server, "a") as first, Subscription(server, "a") as second:
        first.began()
        second.began()
        with publisher(mosquitto) as client:
            send(client, 0, 100)
        found = first.ids(50) + second.ids(50)
    assert sorted(found, key=int) == numbers(0, 100)


@pytest.mark.parametrize("takes", ["client=me", "topic=t&client=me"])
def test_a_session_and_several_processes_are_refused(takes: str) -> None:
    done = children.run(
        [
            *(sys.executable, "-m", "server", "--port", "0", "--processes", "2"),
            *("--source", f"a=mqtt://user:secret@localhost/t?{takes}"),
        ],
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert "source 'a' has a client, whose session only one process can hold" in done.stderr
    assert "secret" not in done.stderr


def test_each_of_several_processes_gets_everything(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#')}", "--processes", "2")
    with ExitStack() as stack:
        streams = [stack.enter_context(Subscription(server, "a")) for _ in range(6)]
        for stream in streams:
            stream.began()
        with publisher(mosquitto) as client:
            send(client, 0, 20)
        for stream in streams:
            assert stream.ids(20) == numbers(0, 20)


# Messages of any size.


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


def test_nothing_is_lost_while_everything_is_killed(
    start_one: StartServer, mosquitto: Mosquitto
) -> None:
    """Consumers, servers and the broker, by SIGKILL."""
    total = 1500
    options = ("--source", f"jobs={url(mosquitto, 'sensors/#?client=me')}")
    server = start_one(*options)
    taken: set[str] = set()

    def end(process: subprocess.Popen[str]) -> None:
        with process:
            process.kill()
            assert process.stdout is not None
            taken.update(line.strip() for line in process.stdout)

    process = consumer(server, 0.001)
    wait_until(lambda: "me-" in mosquitto.log())
    time.sleep(1)
    for turn in range(6):
        with publisher(mosquitto) as client:
            send(client, turn * 250, turn * 250 + 250)
        if turn % 3 == 0:
            end(process)
            process = consumer(server, 0.001)
        elif turn % 3 == 1:
            server.stop(signal.SIGKILL)
            server = start_one(*options)
            end(process)
            process = consumer(server, 0.001)
        else:
            # It writes down every second what it has.
            time.sleep(1.5)
            mosquitto.stop()
            mosquitto.start()
    deadline = time.monotonic() + 60
    while len(taken) < total and time.monotonic() < deadline:
        time.sleep(3)
        end(process)
        process = consumer(server)
    end(process)
    assert taken == set(numbers(0, total))
