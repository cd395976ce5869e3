"""The clients: each checks that it receives everything it should, once and in order."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp

from forstcore import ForstStreamingClient, RetryConfig, StreamingConfig, StreamOptions

__all__ = ["FOLLOWERS", "SENDERS", "Client", "Load"]

_CONFIG = StreamingConfig(
    chunk_size=1 << 14, retry=RetryConfig(attempts=100, delay=0.05, max_delay=0.5)
)
_RECORDS_OF_A_STREAM = 20_000
_LINES_OF_A_SOCKET = 5_000
_PAUSE = 0.05  # Seconds between two batches of a client.
_BATCH = 50
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
# Errors of a connection whose server ends.
_LOST = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Load:
    """The state that the clients share.

    Attributes:
        ending: set when senders have to end.
        due: ids of the live records in the order of the source, set when all are published.
        counts: counts of correct records and requests, by kind of client and proxy.
        resumed: how often clients resumed over another connection, by kind and proxy.
        published: ids that a server has confirmed.
    """

    def __init__(self) -> None:
        self.ending = asyncio.Event()
        self.due: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.counts: Counter[str] = Counter()
        self.resumed: Counter[str] = Counter()
        self.published: list[str] = []

    async def batches(self, count: int) -> AsyncIterator[range]:
        """Yield the numbers of records to send, some at a time, until the load ends."""
        for start in range(0, count, _BATCH):
            if self.ending.is_set():
                return
            yield range(start, min(start + _BATCH, count))
            await asyncio.sleep(_PAUSE)


Client = Callable[[Load, str, str], Awaitable[None]]
"""Called with the load, its own name and the URL of a load balancer."""


# ---------------------------------------------------------------- senders


async def built_in(load: Load, name: str, url: str) -> None:
    """Stream with resume through the built-in processor."""
    await _upload(load, name, url, "/streaming-process", _record, _processed)


async def large(load: Load, name: str, url: str) -> None:
    """Stream with resume through several workers."""
    await _upload(load, name, url, "/large-dataset-stream", _record, _processed)


async def compiled(load: Load, name: str, url: str) -> None:
    """Stream with resume through a compiled processor."""
    await _upload(load, name, url, "/totals", _order, _total)


async def _upload(
    load: Load,
    name: str,
    url: str,
    endpoint: str,
    make: Callable[[int], dict[str, Any]],
    due: Callable[[int], dict[str, Any]],
) -> None:
    sent = 0

    async def produce() -> AsyncIterator[dict[str, Any]]:
        nonlocal sent
        async for numbers in load.batches(_RECORDS_OF_A_STREAM):
            for number in numbers:
                sent += 1
                yield make(number)

    async with ForstStreamingClient(url, _CONFIG) as client:
        while not load.ending.is_set():
            sent = came = 0
            stream = client.stream_to_forst(endpoint, produce(), StreamOptions(resume=True))
            async for result in stream:
                assert result == due(came), f"{result} came, {due(came)} was due"
                came += 1
            assert came == sent, f"{came} results of {sent} records"
            load.counts[name] += came
            load.resumed[name] += stream.connections - 1


def _record(number: int) -> dict[str, Any]:
    return {"id": str(number), "data": "x" * 80}


def _processed(number: int) -> dict[str, Any]:
    return {"id": str(number), "result": f"processed_{'x' * 80}", "status": "success"}


def _order(number: int) -> dict[str, Any]:
    items = [{"price": 0.5, "count": number}, {"price": 2, "count": 1}]
    return {"id": number, "customer": "a", "items": items}


def _total(number: int) -> dict[str, Any]:
    return {"id": number, "customer": "a", "total": number / 2 + 2}


async def web_socket(load: Load, name: str, url: str) -> None:
    """Stream over WebSockets; after a loss, continue at the first unacknowledged line."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        while not load.ending.is_set():
            place = _Place()
            connections = 0
            while not place.has_ended:
                connections += 1
                assert connections < 1000, "no server takes the stream"
                try:
                    await _over_web_socket(session, url, place)
                except _LOST:
                    await asyncio.sleep(0.2)
            assert place.acked == _LINES_OF_A_SOCKET
            load.counts[name] += place.acked
            load.resumed[name] += connections - 1


@dataclass
class _Place:
    """The progress of a stream over several WebSockets."""

    acked: int = 0
    has_ended: bool = False


async def _over_web_socket(session: aiohttp.ClientSession, url: str, place: _Place) -> None:
    """Send unacknowledged lines over one connection, and read the results."""
    first = came = place.acked

    async def send() -> None:
        for start in range(first, _LINES_OF_A_SOCKET, _BATCH):
            numbers = range(start, min(start + _BATCH, _LINES_OF_A_SOCKET))
            await socket.send_str("\n".join(json.dumps(_record(each)) for each in numbers))
            await asyncio.sleep(_PAUSE)
        await socket.send_str(":end")

    async with session.ws_connect(f"{url}/streaming-process?forst-frames=1") as socket:
        sending = asyncio.create_task(send())
        try:
            async for message in socket:
                for line in message.data.splitlines():
                    if line.startswith(":ack "):
                        place.acked = first + int(line[5:])
                        assert place.acked == came, f"acknowledged after {came} results: {line}"
                    elif line.startswith(":end "):
                        place.acked, place.has_ended = came, True
                    elif not line.startswith(":"):
                        assert json.loads(line) == _processed(came)
                        came += 1
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def plain(load: Load, name: str, url: str) -> None:
    """Send short requests without control lines; a response is complete or visibly truncated."""
    numbers = range(500)
    body = b"".join(json.dumps(_record(number)).encode() + b"\n" for number in numbers)
    due = [_processed(number) for number in numbers]
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        while not load.ending.is_set():
            try:
                async with session.post(f"{url}/streaming-process", data=body) as response:
                    got = await response.read()
            except _LOST:
                load.resumed[name] += 1
                continue
            if response.status == 503:
                load.resumed[name] += 1
            else:
                assert response.status == 200, got
                assert [json.loads(line) for line in got.splitlines()] == due
                load.counts[name] += len(due)
            await asyncio.sleep(_PAUSE)


async def getter(load: Load, name: str, url: str) -> None:
    """Request documents over new connections; each request must be answered."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session:
        while not load.ending.is_set():
            for path in ("/healthz", "/version", "/processors", "/openapi.json", "/"):
                async with session.get(url + path) as response:
                    assert response.status == 200, (path, response.status, await response.text())
                    await response.read()
                load.counts[name] += 1
                await asyncio.sleep(_PAUSE)


async def publisher(load: Load, name: str, url: str) -> None:
    """Publish records, and continue after those that the server has confirmed."""
    number = 0
    # On a connection that is being closed, a client cannot tell whether a request was processed.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session:
        while not load.ending.is_set():
            ids = [f"{name} {each}" for each in range(number, number + _BATCH)]
            lines = (json.dumps({"id": each, "data": "x"}) for each in ids)
            body = "\n".join(lines).encode()
            async with session.post(f"{url}/sources/events", data=body) as response:
                document = await response.json(content_type=None)
            if response.status == 503:
                load.resumed[name] += 1
                # The response has the number of records published before the server began to stop.
                words = str(document["detail"]).partition(" published before that")[0].split()
                done = int(words[-3]) if len(words) > 2 and words[-1] in ("was", "were") else 0
            else:
                assert response.status == 200, document
                done = document["records"]
                assert done == _BATCH
            load.published += ids[:done]
            number += done
            load.counts[name] += done
            await asyncio.sleep(_PAUSE)


# ---------------------------------------------------------------- followers


async def client(load: Load, name: str, url: str) -> None:
    """Subscribe with the client, which resumes by itself."""
    async with ForstStreamingClient(url, _CONFIG) as forst:
        wanted = {"source": "events", "from": "start"}
        stream = forst.follow_forst("/real-time-process", wanted)

        async def ids() -> AsyncIterator[str]:
            async for result in stream:
                yield result["id"]

        await _follow(load, name, ids())
        load.resumed[name] += stream.connections - 1
        assert stream.missed == 0


async def event_source(load: Load, name: str, url: str) -> None:
    """Subscribe as EventSource does, resuming from the id of the last event."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:

        async def ids() -> AsyncIterator[str]:
            last_id = ""
            while True:
                headers = {"Accept": "text/event-stream"}
                if last_id:
                    headers["Last-Event-ID"] = last_id
                try:
                    async with session.get(
                        f"{url}/real-time-process?source=events&from=start", headers=headers
                    ) as response:
                        if response.status == 200:
                            async for event in _events(response):
                                last_id = event.id
                                assert event.kind in _EVENTS, event
                                if event.kind == "message":
                                    yield json.loads(event.data)["id"]
                        else:
                            assert response.status == 503, await response.text()
                except _LOST:
                    pass
                load.resumed[name] += 1
                await asyncio.sleep(0.2)

        await _follow(load, name, ids())


_EVENTS = ("message", "failure", "source")


class _Event(NamedTuple):
    kind: str
    data: str
    id: str


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[_Event]:
    """Yield the events of a response; those without an id have that of the last one."""
    fields = {"id": ""}
    async for line in response.content:
        name, _, text = line.decode().rstrip("\n").partition(":")
        if line.strip():
            fields[name] = text.removeprefix(" ")
        else:
            if data := fields.pop("data", ""):
                yield _Event(fields.pop("event", "message"), data, fields["id"])
            fields = {"id": fields["id"]}


async def live_socket(load: Load, name: str, url: str) -> None:
    """Subscribe over WebSockets; results count up to the last `:ack`."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:

        async def ids() -> AsyncIterator[str]:
            offset = "start"
            while True:
                query = f"source=events&from={offset}&forst-frames=1"
                held: list[str] = []
                announced = ""
                try:
                    async with session.ws_connect(f"{url}/real-time-process?{query}") as socket:
                        async for message in socket:
                            for line in message.data.splitlines():
                                if line.startswith(":offset "):
                                    announced = line[8:]
                                elif line.startswith(":ack "):
                                    offset = announced or offset
                                    for each in held:
                                        yield each
                                    held.clear()
                                elif not line.startswith(":"):
                                    held.append(json.loads(line)["id"])
                                assert not line.startswith(":missed")
                except _LOST:
                    pass
                load.resumed[name] += 1
                await asyncio.sleep(0.2)

        await _follow(load, name, ids())


async def _follow(load: Load, name: str, ids: AsyncIterator[str]) -> None:
    """Receive ids until all have arrived; each must arrive once, in the order of the source."""
    got: list[str] = []

    async def take() -> None:
        async for each in ids:
            got.append(each)
            load.counts[name] += 1
            if load.due.done() and len(got) >= len(load.due.result()):
                return

    taking = asyncio.create_task(take())
    ending = asyncio.create_task(_end_of(load))
    await asyncio.wait({taking, ending}, return_when=asyncio.FIRST_COMPLETED)
    if not taking.done() and len(got) < len(load.due.result()):
        await asyncio.wait({taking}, timeout=60)
    ending.cancel()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    if not taking.cancelled() and (error := taking.exception()) is not None:
        raise error
    due = await load.due
    assert len(got) == len(set(got)), "some came twice"
    assert got == due, f"{len(got)} of {len(due)} records came, {len(set(due) - set(got))} did not"


async def _end_of(load: Load) -> None:
    await asyncio.shield(load.due)


SENDERS: tuple[Client, ...] = (built_in, large, compiled, web_socket, plain, getter, publisher)
FOLLOWERS: tuple[Client, ...] = (client, event_source, live_socket)
