"""The caller is informed of records that a live stream skipped."""

from __future__ import annotations

import asyncio
import logging

import pytest

from forstcore import ForstStreamingClient, StreamingIntegration
from tests.servers import StartServer

LINE = b'{"id":"%d","data":"' + b"x" * 100 + b'"}\n'


def test_what_the_source_has_no_more_is_reported(
    start_one: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_one("--ring-size", "65536", "--no-access-log")

    async def publish(client: ForstStreamingClient, start: int, count: int) -> None:
        body = b"".join(LINE % number for number in range(start, start + count))
        url = f"{server.url}/sources/events"
        async with client.session().post(url, data=body) as response:
            assert response.status == 200

    async def run() -> None:
        async with ForstStreamingClient(server.url) as client:
            integration = StreamingIntegration(client)
            await publish(client, 0, 10)
            first = integration.process_real_time_data({"source": "events", "from": "start"})
            async with first:
                assert (await anext(first))["id"] == "0"
                assert first.missed == 0
            async with client.session().post(
                f"{server.url}/sources/events", data=LINE % 10
            ) as response:
                offset = (await response.json())["offset"]
            await publish(client, 11, 5_000)
            stream = integration.process_real_time_data({"source": "events", "from": offset})
            async with stream:
                found = int((await anext(stream))["id"])
            assert stream.missed == found - 11
            assert stream.missed > 0
            assert f"{stream.missed} records were missed" in caplog.text

    with caplog.at_level(logging.WARNING, "forstcore"):
        asyncio.run(run())
