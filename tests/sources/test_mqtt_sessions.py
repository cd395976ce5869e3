"""MQTT sessions: acknowledgements, and several that share a broker."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from forstcore.errors import SourceError
from forstcore.sources import open_source
from tests import children
from tests.servers import ROOT, StartServer, wait_until
from tests.sources.brokers import Flapping, Mosquitto
from tests.sources.live import Subscription, consumer, numbers
from tests.sources.topics import publisher, send, url


def test_what_is_not_acknowledged_comes_again(start_one: StartServer, mosquitto: Mosquitto) -> None:
    """Unacknowledged messages go to the next equal subscriber; acknowledged ones do not."""
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
    """Messages that were already delivered are not repeated over the next connection."""
    server = start_one("--source", f"a={url(mosquitto, 'sensors/#?client=me')}")
    with Subscription(server, "a", acks=True) as live:
        live.began()
        with publisher(mosquitto) as client:
            send(client, 0, 20)
        assert live.ids(20) == numbers(0, 20)
        while live.acked < 20:
            live.next_line()
        # The broker saves the messages that it has sent every second.
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
    """Sessions are separate by subscription: none gets what another has filtered."""
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


def test_a_session_that_two_servers_have_is_reported(
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


@pytest.mark.long
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
            # The broker saves its messages every second.
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
