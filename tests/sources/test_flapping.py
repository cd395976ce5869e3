"""Brokers that keep dropping connections: the rate of connections and log lines is limited."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

import pytest

from forstcore.sources import Notice, open_source
from forstcore.sources._broker_log import BrokerLog
from tests.servers import StartServer
from tests.sources.brokers import Flapping
from tests.sources.live import Subscription

CONNACK = b"\x20\x03\x00\x00\x00"
CONNACK_NOT_AUTHORIZED = b"\x20\x03\x00\x87\x00"
SUBACK = b"\x90\x04\x00\x01\x00\x01"

URLS = [
    "redis://127.0.0.1:{}/0",
    "redis://127.0.0.1:{}/0?group=a",
    "mqtt://127.0.0.1:{}/topic",
    "nats://127.0.0.1:{}?stream=a",
    "nats://127.0.0.1:{}?stream=a&durable=b",
]


def refusing_mqtt(_: bytes) -> bytes:
    return CONNACK_NOT_AUTHORIZED


def passing_mqtt(data: bytes) -> bytes:
    """Accept the connection and the subscription, and no more."""
    return {b"\x10": CONNACK, b"\x82": SUBACK}.get(data[:1], b"")


def passing_redis(data: bytes) -> bytes:
    """Accept the commands that start a connection and XGROUP CREATE, but fail all reads."""
    if b"XREADGROUP" in data or b"XINFO" in data:
        return b""
    return b"+OK\r\n" * (data.count(b"\r\n*") + 1)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "forstcore")
    return caplog


async def notices(url: str, seconds: float, start: str = "now") -> list[Notice]:
    """Read a source for a while; return its notices about the broker."""
    source = open_source("a", url)
    reader = source.open(start)
    found: list[Notice] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                item = await reader.read()
                if isinstance(item, Notice):
                    found.append(item)
    await reader.close()
    await source.close()
    return found


@pytest.mark.parametrize(
    ("url", "start"),
    [
        *((url, "now") for url in URLS),
        ("redis://127.0.0.1:{}/0", "start"),
        ("redis://127.0.0.1:{}/0", "1-1"),
        ("nats://127.0.0.1:{}?stream=a", "start"),
        ("nats://127.0.0.1:{}?stream=a", "7"),
    ],
)
def test_a_broker_that_drops_every_connection(
    url: str, start: str, log: pytest.LogCaptureFixture
) -> None:
    with Flapping() as broker:
        found = asyncio.run(notices(url.format(broker.port), 3, start))
    assert [each.state for each in found] == ["down"]
    # The pauses are half of 0.1, 0.2, 0.4 … seconds at least.
    assert 3 <= broker.connections <= 8
    assert len(log.records) == 1


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("mqtt://127.0.0.1:{}/topic", passing_mqtt),
        ("redis://127.0.0.1:{}/0?group=a", passing_redis),
    ],
)
def test_a_broker_that_accepts_and_drops(
    url: str, answer: Callable[[bytes], bytes], log: pytest.LogCaptureFixture
) -> None:
    with Flapping(answer) as broker:
        found = asyncio.run(notices(url.format(broker.port), 4))
    assert {each.state for each in found} == {"down", "up"}
    # A connection that was made does not make the pauses short again.
    assert broker.connections <= 24
    assert len(log.records) <= 12


def test_a_broker_that_refuses_the_client() -> None:
    with Flapping(refusing_mqtt) as broker:
        found = asyncio.run(notices(f"mqtt://me:secret@127.0.0.1:{broker.port}/topic", 3))
    assert [each.state for each in found] == ["down"]
    assert "not authorized" in found[0].detail
    assert "secret" not in found[0].detail
    assert broker.connections <= 8


@pytest.mark.parametrize(
    "url", ["redis://nowhere.invalid/0", "mqtt://nowhere.invalid/topic", "nats://nowhere.invalid"]
)
def test_a_name_that_nobody_knows(url: str, log: pytest.LogCaptureFixture) -> None:
    found = asyncio.run(notices(url, 2))
    assert [each.state for each in found] == ["down"]
    assert len(log.records) == 1


def test_many_readers_of_a_broker_that_is_away_share_the_log(start_one: StartServer) -> None:
    with Flapping() as broker, contextlib.ExitStack() as stack:
        server = start_one("--source", f"a=redis://127.0.0.1:{broker.port}/0?group=g")
        streams = [stack.enter_context(Subscription(server, "a")) for _ in range(40)]
        for stream in streams:
            stream.until_state("down")
        server.stop()
    assert server.process.stderr is not None
    lines = [line for line in server.process.stderr if line.startswith("source a")]
    assert len(lines) <= 11


def test_log_lines_that_are_left_out_are_counted(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    broker_log = BrokerLog("a")
    for _ in range(50):
        broker_log.write(logging.WARNING, "away")
    now[0] = 31.0
    broker_log.write(logging.WARNING, "away")
    messages = [record.getMessage() for record in log.records]
    assert messages[:10] == ["source a: away"] * 10
    assert messages[10:] == ["source a: away (40 log lines about this source were suppressed)"]
