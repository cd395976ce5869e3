"""Brokers that stop responding: memory use is bounded, and everything arrives afterwards."""

from __future__ import annotations

import asyncio
import signal

import pytest

from forstcore.sinks import Output, SinkLimits
from tests import children
from tests.sinks.writing import opened, run, until
from tests.sources.brokers import Broker
from tests.sources.jetstream import add_stream


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("redis_server", "redis://127.0.0.1:{}/0?stream=a"),
        ("nats_server", "nats://127.0.0.1:{}?subject=readings.a"),
        ("mosquitto", "mqtt://127.0.0.1:{}/a"),
    ],
)
@pytest.mark.parametrize("is_connected", [False, True])
def test_a_broker_that_stops_answering(
    request: pytest.FixtureRequest, name: str, url: str, is_connected: bool
) -> None:
    broker: Broker = request.getfixturevalue(name)
    if name == "nats_server":
        add_stream(request.getfixturevalue(name))
    output = Output(b'{"x":"%b"}\n' % (b"x" * 50_000))
    taken: list[asyncio.Future[None]] = []

    async def scenario() -> None:
        limits = SinkLimits(buffer_size=200_000)
        async with opened(url.format(broker.port), limits) as (sink, writer):
            await sink.offset()
            if is_connected:
                await (await writer.write(output))

            async def write_all() -> None:
                for _ in range(20):
                    taken.append(asyncio.ensure_future(await writer.write(output)))

            assert broker.process is not None
            broker.process.send_signal(signal.SIGSTOP)
            # It confirms results until all of its threads have stopped, which makes room.
            pid = broker.process.pid
            await until(lambda: children.is_stopped(pid))
            writing = asyncio.create_task(write_all())
            await until(lambda: len(taken) == 4)
            await asyncio.sleep(0.2)
            assert len(taken) == 4
            broker.process.send_signal(signal.SIGCONT)
            await writing
            await asyncio.gather(*taken)
            assert sink.trouble() is None

    run(scenario)
