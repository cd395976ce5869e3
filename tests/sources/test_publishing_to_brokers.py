"""Publishing by `POST /sources/{name}` to the brokers of sources, and `GET /sources`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from server.config import ServerConfig
from server.live.kept_writers import KeptWriters
from server.live.publisher import BrokerPublisher
from tests import children
from tests.servers import ROOT, Server, StartServer, free_port, wait_until
from tests.sources import jetstream, topics
from tests.sources.brokers import Mosquitto, NatsServer, RedisServer, redis_client
from tests.sources.live import Subscription, lines_of, numbers, publish


def sources(server: Server) -> dict[str, dict[str, Any]]:
    """Return what `GET /sources` answers, by name."""
    with urllib.request.urlopen(f"{server.url}/sources") as answer:
        return {each["name"]: each for each in json.load(answer)["sources"]}


def check(server: Server, name: str) -> None:
    """Check that a subscriber receives published records."""
    with Subscription(server, name) as live:
        live.began()
        status, answer = publish(
            server, lines_of(0, 700) + b"no record\n" + lines_of(700, 900), name
        )
        assert status == 200, answer
        assert (answer["records"], answer["errors"]) == (900, 1)
        assert "offset" not in answer
        assert live.ids(900) == numbers(0, 900)


def test_redis(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start_one("--source", f"sensors=redis://127.0.0.1:{redis_server.port}/0")
    check(server, "sensors")
    with redis_client(redis_server) as redis:
        # All of it was there before the answer.
        publish(server, lines_of(900, 901), "sensors")
        assert redis.xlen("sensors") == 901


def test_requests_use_the_same_connection(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    server = start_one("--source", f"sensors=redis://127.0.0.1:{redis_server.port}/0")

    def publish_some(first: int, end: int) -> None:
        for number in range(first, end):
            status, answer = publish(server, lines_of(number, number + 1), "sensors")
            assert (status, answer["records"]) == (200, 1)

    def connections() -> Any:
        with redis_client(redis_server) as redis:
            return redis.info("stats")["total_connections_received"]

    publish_some(0, 2)
    before = connections()
    publish_some(2, 20)
    # And the one that asks.
    assert connections() == before + 1
    # A broker that has ended meanwhile has lost nothing that was confirmed.
    redis_server.stop()
    redis_server.start()
    publish_some(20, 30)
    with redis_client(redis_server) as redis:
        assert redis.xlen("sensors") == 30


def test_connections_that_are_not_used_are_few_and_end(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.live.kept_writers._IDLE", 1.0)
    config = ServerConfig(source=(f"sensors=redis://127.0.0.1:{redis_server.port}/0",))

    def connected() -> int:
        with redis_client(redis_server) as redis:
            return len(redis.client_list()) - 1

    async def scenario() -> None:
        writers = KeptWriters(config)
        publishers = [BrokerPublisher(writers, "sensors") for _ in range(20)]
        for each in publishers:
            await each.publish(lines_of(0, 1))
            await each.finish()
        assert await asyncio.to_thread(connected) == 20
        for each in publishers:
            await each.close()
        await asyncio.to_thread(wait_until, lambda: connected() <= 8)
        await asyncio.to_thread(wait_until, lambda: connected() == 0)
        last = BrokerPublisher(writers, "sensors")
        await last.publish(lines_of(1, 2))
        await last.finish()
        await last.close()
        await writers.close()
        assert await asyncio.to_thread(connected) == 0

    asyncio.run(scenario())


def test_mqtt(start_one: StartServer, mosquitto: Mosquitto) -> None:
    server = start_one("--source", f"sensors={topics.url(mosquitto, 'a/b%20c?topic=place')}")
    check(server, "sensors")


def test_nats(start_one: StartServer, nats_server: NatsServer) -> None:
    jetstream.add_stream(nats_server)
    server = start_one(
        *("--source", f"sensors={jetstream.url(nats_server, '&subject=readings.a')}"),
        *("--source", f"all={jetstream.url(nats_server)}"),
    )
    check(server, "sensors")
    status, answer = publish(server, lines_of(0, 1), "all")
    assert status == 409
    assert "name one by subject=" in answer["detail"]


def test_where_nothing_can_be_published(
    start_one: StartServer, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    server = start_one(
        *("--source", f"files=file:{tmp_path}/*.ndjson"),
        *("--source", f"many={topics.url(mosquitto, 'a/%2B')}"),
    )
    for name, reason in [("files", "which has no broker"), ("many", "which is not a single one")]:
        status, answer = publish(server, lines_of(0, 1), name)
        assert status == 409
        assert reason in answer["detail"]


def test_a_broker_that_is_down(start_one: StartServer) -> None:
    server = start_one("--source", f"sensors=redis://127.0.0.1:{free_port()}/0", "--timeout", "3")
    status, answer = publish(server, lines_of(0, 3), "sensors")
    assert status == 502
    assert "the broker has not confirmed all records" in answer["detail"]
    assert "0 records were published before that" in answer["detail"]


def test_the_command(start_one: StartServer, redis_server: RedisServer) -> None:
    server = start_one("--source", f"sensors=redis://127.0.0.1:{redis_server.port}/0")
    done = children.run(
        [sys.executable, "-m", "forstcore", "publish", "sensors", "--server", server.url],
        cwd=ROOT,
        input=lines_of(0, 50),
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr
    with redis_client(redis_server) as redis:
        assert redis.xlen("sensors") == 50


def test_sources_are_listed(start_one: StartServer, redis_server: RedisServer) -> None:
    port = redis_server.port
    server = start_one(
        *("--source", f"sensors=redis://me:secret@127.0.0.1:{free_port()}/0"),
        *("--source", f"orders=redis://127.0.0.1:{port}/0"),
        *("--source", "events=memory:"),
    )
    with (
        Subscription(server, "sensors") as live,
        Subscription(server, "orders", filters={"a": 1}) as one,
        Subscription(server, "orders", filters={"a": 2}) as other,
    ):
        live.until_state("down")
        start = one.start()
        other.start()
        listed = sources(server)
        assert list(listed) == ["events", "orders", "sensors"]
        assert "secret" not in json.dumps(listed)
        assert listed["events"] == {
            "name": "events",
            "url": "memory:",
            "state": "up",
            "trouble": None,
            "offset": None,
            "subscribers": 0,
            "readers": 0,
            "missed": 0,
        }
        orders, sensors = listed["orders"], listed["sensors"]
        assert (orders["state"], orders["subscribers"], orders["readers"]) == ("up", 2, 1)
        assert orders["offset"] == start
        assert (sensors["state"], sensors["subscribers"]) == ("down", 1)
        assert sensors["trouble"]
