"""Refusals that are retried, and after which time."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import time

import pytest

from forstcore import (
    ForstStreamingClient,
    RequestRefusedError,
    RetryConfig,
    StreamingConfig,
    StreamOptions,
)
from forstcore._io.retry_after import retry_after_seconds
from tests.client.streams import ENDPOINT, collect, record
from tests.servers import Server


class Gateway:
    """Refuses the first connections, as a proxy that limits their rate, and forwards the others.

    Attributes:
        arrivals: when each connection came.
    """

    def __init__(self, server: Server, status: int, refusals: int, retry_after: str = "") -> None:
        self.arrivals: list[float] = []
        self._server = server
        self._refusals = refusals
        self._connections: list[asyncio.Task[None]] = []
        self._refusal = (
            f"HTTP/1.1 {status} No\r\nRetry-After: {retry_after}\r\n"
            "Connection: close\r\nContent-Length: 8\r\n\r\ntoo many"
        ).encode()

    async def results(self, options: StreamOptions) -> list[object]:
        """Stream one record through the gateway."""
        async with await asyncio.start_server(self._accept, "127.0.0.1", 0) as gateway:
            port = gateway.sockets[0].getsockname()[1]
            try:
                async with ForstStreamingClient(f"http://127.0.0.1:{port}", QUICK_RETRY) as client:
                    return await collect(client.stream_to_forst(ENDPOINT, [record(1)], options))
            finally:
                await asyncio.gather(*self._connections)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.arrivals.append(time.monotonic())
        task = asyncio.current_task()
        assert task is not None
        self._connections.append(task)
        if len(self.arrivals) > self._refusals:
            onward, back = await asyncio.open_connection("127.0.0.1", self._server.port)
            await asyncio.gather(_pass_on(reader, back), _pass_on(onward, writer))
            return
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._refusal)
        await _close(writer)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


QUICK_RETRY = StreamingConfig(retry=RetryConfig(attempts=3, delay=0.001))


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_refusal_by_a_proxy_is_retried(server: Server, status: int, resume: bool) -> None:
    gateway = Gateway(server, status, 2)
    assert len(asyncio.run(gateway.results(StreamOptions(resume=resume)))) == 1
    assert len(gateway.arrivals) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_it_is_retried_after_the_time_that_it_names(server: Server, status: int) -> None:
    gateway = Gateway(server, status, 1, "1")
    assert len(asyncio.run(gateway.results(StreamOptions()))) == 1
    first, second = gateway.arrivals
    assert second - first >= 0.9


def test_attempts_are_limited(server: Server) -> None:
    gateway = Gateway(server, 429, 100)
    with pytest.raises(RequestRefusedError, match="too many") as caught:
        asyncio.run(gateway.results(StreamOptions(resume=True)))
    assert (caught.value.status, caught.value.retriable) == (429, True)
    assert len(gateway.arrivals) == 3


def test_values_of_retry_after() -> None:
    def seconds(retry_after: str, date: str = "") -> float | None:
        return retry_after_seconds({"Retry-After": retry_after, "Date": date})

    assert seconds("7") == 7
    assert seconds("99999999999999999999") == seconds("301") == 300
    soon = seconds(email.utils.formatdate(time.time() + 60, usegmt=True))
    assert soon is not None
    assert 50 < soon <= 60
    assert seconds(email.utils.formatdate(time.time() - 60, usegmt=True)) == 0
    server = time.time() - 1e6  # Its clock is wrong.
    dates = [email.utils.formatdate(server + more, usegmt=True) for more in (0, 60)]
    assert seconds(dates[1], dates[0]) == 60
    assert seconds(dates[1], "soon") == 0
    assert seconds("Sun, 06 Nov 1994 08:50:07 -0000", "Sun, 06 Nov 1994 08:49:37 GMT") == 30
    assert [seconds(each) for each in ("", "soon", "-3", "1.5")] == [None] * 4
    assert retry_after_seconds({}) is None
