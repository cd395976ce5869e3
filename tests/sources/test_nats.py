"""NATS JetStream, with a real server that is killed and restarted."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import Batch, Notice, Reader, SourceLimits, _nats_pull, open_source
from tests.certificates import make_certificates
from tests.servers import Server, StartServer
from tests.sources.brokers import NatsServer
from tests.sources.jetstream import STREAM, add, add_stream, ask, url
from tests.sources.live import Subscription, numbers, refused


def start(start_one: StartServer, broker: NatsServer, options: str = "", *more: str) -> Server:
    return start_one("--source", f"readings={url(broker, options)}", *more)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()
            # Tasks that are cancelled end a little later.
            while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110 (no event)
                await asyncio.sleep(0.01)

    asyncio.run(bounded())


async def batch(reader: Reader) -> Batch:
    """Read a batch, in spite of notices."""
    while True:
        item = await reader.read()
        assert item is not None
        if isinstance(item, Batch):
            return item


async def ids(reader: Reader, count: int) -> list[str]:
    """Read the ids of so many records, and acknowledge them."""
    found: list[str] = []
    while len(found) < count:
        item = await batch(reader)
        found += [json.loads(line)["id"] for line in item.lines.splitlines()]
        if item.receipt is not None:
            await reader.acknowledge(item.receipt)
    return found


def test_live_and_from_a_number(start_one: StartServer, nats_server: NatsServer) -> None:
    add_stream(nats_server)
    add(nats_server, 0, 10)
    server = start(start_one, nats_server)
    with Subscription(server, "readings") as live:
        assert live.start() == "10"
        add(nats_server, 10, 1500)
        assert live.results(1)[0] == {"id": "10", "result": "processed_x", "status": "success"}
        found = live.ids(1489)
        assert found == numbers(11, 1500)
    for begin, expected in [
        ("10", numbers(10, 1500)),
        ("1234", numbers(1234, 1500)),
        ("start", numbers(0, 1500)),
    ]:
        with Subscription(server, "readings", begin) as live:
            assert live.ids(len(expected)) == expected
            assert live.missed == []
            while live.offset != "1500":
                live.next_line()


def test_a_server_that_is_killed_and_comes_back(
    start_one: StartServer, nats_server: NatsServer
) -> None:
    add_stream(nats_server)
    server = start(start_one, nats_server)
    with Subscription(server, "readings") as live:
        live.start()
        found: list[str] = []
        for done in range(0, 750, 250):
            add(nats_server, done, done + 200)
            nats_server.stop()
            live.states.clear()
            while "down" not in live.states:
                if (line := live.next_line()) is not None:
                    found.append(json.loads(line)["id"])
            nats_server.start()
            add(nats_server, done + 200, done + 250)
            while len(found) < done + 250:
                if (line := live.next_line()) is not None:
                    found.append(json.loads(line)["id"])
            assert live.states == ["down", "up"]
        assert found == numbers(0, 750)
        assert live.missed == []


def test_a_server_and_a_stream_that_are_not_there_yet(
    start_one: StartServer, nats_server: NatsServer
) -> None:
    nats_server.stop()
    server = start(start_one, nats_server)
    with Subscription(server, "readings", "start") as live:
        live.until_state("down")
        nats_server.start()
        add_stream(nats_server)
        add(nats_server, 0, 3)
        assert live.ids(3) == numbers(0, 3)


def test_a_stream_that_does_not_exist_is_named(
    start_one: StartServer, nats_server: NatsServer
) -> None:
    server = start(start_one, nats_server)
    with Subscription(server, "readings") as live:
        live.until_state("down")
        assert "stream not found: " in live.detail


def test_a_subject_selects(start_one: StartServer, nats_server: NatsServer) -> None:
    add_stream(nats_server)
    server = start(start_one, nats_server, "&subject=readings.*.cold")
    for number in range(20):
        add(nats_server, number, number + 1, f"readings.a.{'hot' if number % 2 else 'cold'}")
    with Subscription(server, "readings", "start") as live:
        assert live.ids(10) == [str(number) for number in range(0, 20, 2)]
        assert live.missed == []
        assert live.offset == "19"


@pytest.mark.parametrize(("options", "said"), [("", "84"), ("&subject=readings.>", "?")])
def test_what_was_deleted_is_missed(
    start_one: StartServer, nats_server: NatsServer, options: str, said: str
) -> None:
    add_stream(nats_server)
    add(nats_server, 0, 100)
    server = start(start_one, nats_server, options)
    ask(nats_server, lambda it: it.purge_stream(STREAM, seq=91))
    with Subscription(server, "readings", "6") as live:
        assert live.ids(10) == numbers(90, 100)
        assert live.missed == [said]
    with Subscription(server, "readings", "95") as live:
        assert live.ids(5) == numbers(95, 100)
        assert live.missed == []
    with Subscription(server, "readings", "start") as live:
        assert live.ids(10) == numbers(90, 100)
        assert live.missed == []


@pytest.mark.parametrize(("options", "missed"), [("", 3), ("&subject=readings.>", None)])
def test_messages_that_are_deleted_before_they_are_read(
    nats_server: NatsServer, options: str, missed: int | None
) -> None:
    add_stream(nats_server)

    async def scenario() -> None:
        source = open_source("a", url(nats_server, options))
        reader = source.open("now")
        assert await batch(reader) == Batch(b"", "0")
        # While the reader does not ask, the server keeps no messages for it.
        await asyncio.to_thread(add, nats_server, 0, 5)
        await asyncio.to_thread(ask, nats_server, lambda it: it.purge_stream(STREAM, seq=4))
        item = await batch(reader)
        assert (item.offset, item.missed) == ("5", missed)
        await reader.close()
        await source.close()

    run(scenario)


def test_a_stream_that_is_created_again(nats_server: NatsServer) -> None:
    add_stream(nats_server)
    add(nats_server, 0, 5)

    async def scenario() -> None:
        source = open_source("a", url(nats_server))
        live, late = source.open("start"), source.open("500")
        assert await ids(live, 5) == numbers(0, 5)
        reading = asyncio.create_task(batch(live))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(ask, nats_server, lambda it: it.delete_stream(STREAM))
        await asyncio.to_thread(add_stream, nats_server)
        # More than before: only the time of its creation tells that it is another one.
        await asyncio.to_thread(add, nats_server, 10, 20)
        first = await reading
        assert first.missed is None
        assert await ids(live, 10) == numbers(10, 20)
        assert (await batch(late)).missed is None
        assert await ids(late, 10) == numbers(10, 20)
        for reader in (live, late):
            await reader.close()
        await source.close()
        consumers = await asyncio.to_thread(ask, nats_server, lambda it: it.consumers_info(STREAM))
        assert consumers == []

    run(scenario)


def test_large_messages(nats_server: NatsServer) -> None:
    nats_server.stop()
    nats_server.more = "max_payload: 8M\n"
    nats_server.start()
    add_stream(nats_server)
    sizes = [10, 3_000_000, 10, 700_000, 700_000, 2_000_000, 2_000_000, 10]

    async def fill(it: Any) -> None:
        for size in sizes:
            await it.publish("readings.a", b'{"id":"%b"}' % (b"x" * size))

    ask(nats_server, fill)

    async def scenario() -> None:
        for options, start in (("", "start"), ("&durable=d", "now")):
            limits = SourceLimits(max_line_size=1_000_000)
            source = open_source("a", url(nats_server, options), limits)
            reader = source.open(start)
            found: list[bytes] = []
            while len(found) < len(sizes):
                found += (await batch(reader)).lines.splitlines()
            # Of one that is too long, only the start is kept.
            assert [len(line) for line in found] == [min(9 + each, 1_000_001) for each in sizes]
            await reader.close()
            await source.close()

    run(scenario)


def test_a_server_that_stops_answering(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_nats_pull, "_HEARTBEAT", 0.5)
    monkeypatch.setattr(_nats_pull, "_SILENCE", 3.0)
    add_stream(nats_server)

    async def scenario() -> None:
        source = open_source("a", url(nats_server))
        reader = source.open("now")
        await batch(reader)
        assert nats_server.process is not None
        nats_server.process.send_signal(signal.SIGSTOP)
        notice = await reader.read()
        assert isinstance(notice, Notice)
        assert notice.state == "down"
        nats_server.process.send_signal(signal.SIGCONT)
        await asyncio.to_thread(add, nats_server, 0, 3)
        assert await ids(reader, 3) == numbers(0, 3)
        await reader.close()
        await source.close()

    run(scenario)


def test_logging_in(nats_server: NatsServer) -> None:
    add_stream(nats_server)
    for config, good, bad in [
        ('authorization: { user: me, password: "s3cr&t" }\n', "me:s3cr%26t@", "me:secret@"),
        ('authorization: { token: "t0ken" }\n', "&token=t0ken", "&token=secret"),
    ]:
        nats_server.stop()
        nats_server.more = config
        nats_server.start()

        async def scenario(good: str = good, bad: str = bad) -> None:
            for login in (good, bad):
                place, options = (login, "") if "@" in login else ("", login)
                source = open_source(
                    "a", url(nats_server, options).replace("127", place + "127", 1)
                )
                reader = source.open("now")
                item = await reader.read()
                if login == good:
                    assert item == Batch(b"", "0")
                else:
                    assert isinstance(item, Notice)
                    assert "Authorization Violation" in item.detail
                    assert "secret" not in item.detail
                await reader.close()
                await source.close()

        run(scenario)


def test_tls(nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_certificates(tmp_path)
    add_stream(nats_server)
    monkeypatch.setenv("SSL_CERT_FILE", made.path("server.pem"))
    address = url(nats_server).replace("nats:", "natss:").replace("127.0.0.1", "localhost")

    async def scenario() -> None:
        for more in (
            "",
            f'tls {{ cert_file: "{made.path("server.pem")}", key_file: '
            f'"{made.path("server.key")}" }}\n',
        ):
            nats_server.stop()
            nats_server.more = more
            nats_server.start()
            source = open_source("a", address)
            reader = source.open("now")
            item = await reader.read()
            if more:
                assert item == Batch(b"", "0")
            else:
                assert isinstance(item, Notice)
                assert "does not use TLS" in item.detail
            await reader.close()
            await source.close()

    run(scenario)


@pytest.mark.parametrize("offset", ["x", "-1", "1-0", "1.5", "9" * 30])
def test_what_is_no_number_is_refused(offset: str) -> None:
    with pytest.raises(OffsetError, match="has sequence numbers such as"):
        open_source("a", "nats://localhost").check(offset)


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("h?stream=a.b", "stream=a.b"),
        ("h?stream=a&durable=a*", r"durable=a\*"),
        ("h?stream=a&ack_wait=3", "does not know: ack_wait"),
        ("h?stream=a&durable=b&ack_wait=0", "ack_wait=0, which must be seconds above 0"),
        ("h/subject?stream=a", "has the path /subject"),
        ("secret@h?stream=a", "user without a password"),
    ],
)
def test_bad_urls(rest: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as raised:
        open_source("a", f"nats://{rest}")
    assert "secret" not in str(raised.value)


def test_a_durable_consumer_has_no_offsets(start_one: StartServer, nats_server: NatsServer) -> None:
    server = start(start_one, nats_server, "&durable=workers")
    status, detail = refused(server, {"source": "readings", "from": "start"})
    assert status == 400
    assert "from: source 'readings' is read by the consumer 'workers'" in detail
