"""Streams of a NATS server, and messages for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from tests.sources.brokers import NatsServer

__all__ = ["STREAM", "add", "add_stream", "ask", "url", "with_jetstream"]

STREAM = "READINGS"

T = TypeVar("T")


def url(broker: NatsServer, options: str = "") -> str:
    return f"nats://127.0.0.1:{broker.port}?stream={STREAM}{options}"


async def with_jetstream(
    broker: NatsServer, do: Callable[[Client, JetStreamContext], Awaitable[T]]
) -> T:
    """Call a function with a new connection."""
    async with await nats.connect(f"nats://127.0.0.1:{broker.port}") as connection:
        return await do(connection, connection.jetstream(timeout=60))


def ask(broker: NatsServer, do: Callable[[JetStreamContext], Awaitable[T]]) -> T:
    """Do the same in a separate event loop."""
    return asyncio.run(with_jetstream(broker, lambda _, jetstream: do(jetstream)))


def add_stream(broker: NatsServer, **config: Any) -> None:
    """Create the stream, with all subjects below `readings`."""
    ask(broker, lambda it: it.add_stream(name=STREAM, subjects=["readings.>"], **config))


async def add_all(
    jetstream: JetStreamContext, first: int, end: int, subject: str = "readings.a"
) -> None:
    """Publish records, and wait until they are stored."""
    stored = [
        await jetstream.publish_async(
            subject, json.dumps({"id": str(number), "data": "x"}).encode(), wait_stall=60
        )
        for number in range(first, end)
    ]
    for each in stored:
        await asyncio.wait_for(each, 60)


def add(broker: NatsServer, first: int, end: int, subject: str = "readings.a") -> None:
    """Do the same in a separate event loop."""
    ask(broker, lambda it: add_all(it, first, end, subject))
