"""Writers that lose their connection: everything is confirmed in order, in bounded memory."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Coroutine
from typing import Any

import pytest

from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputRefusedError, SinkLimits
from tests.sinks.tcp_sink import TcpServer, TcpWriter


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await scenario

    asyncio.run(limited())


def note(confirmed: list[int], number: int, _: asyncio.Future[None]) -> None:
    confirmed.append(number)


def outputs(count: int) -> list[Output]:
    return [Output(b"%d\n" % number) for number in range(count)]


def test_lost_connections_lose_nothing_and_keep_the_order() -> None:
    calls = 0

    async def answer(_: bytes) -> object:
        nonlocal calls
        calls += 1
        if calls % 7 == 0:
            raise ConnectionError
        return {}

    async def scenario() -> None:
        async with TcpServer(answer) as server:
            writer = TcpWriter(server.port, SinkLimits())
            confirmed: list[int] = []
            waiting = []
            for number, output in enumerate(outputs(20)):
                future = asyncio.ensure_future(await writer.write(output))
                future.add_done_callback(functools.partial(note, confirmed, number))
                waiting.append(future)
            await waiting[-1]
            await asyncio.sleep(0)
            assert confirmed == list(range(20))
            await writer.close()
        # Those that are not confirmed are sent again from the first on.
        received = [int(each) for each in server.outputs]
        assert sorted(set(received)) == list(range(20))
        for before, after in itertools.pairwise(received):
            assert after <= before + 1

    run(scenario())


def test_a_sink_that_is_down_holds_back_what_is_beyond_the_buffer() -> None:
    async def scenario() -> None:
        server = TcpServer()
        await server.start()
        await server.stop()
        writer = TcpWriter(server.port, SinkLimits(buffer_size=10_000))
        waiting = []

        async def write_all() -> None:
            for number in range(100):
                waiting.append(await writer.write(Output(b"%999d\n" % number)))

        writing = asyncio.create_task(write_all())
        while writer.trouble is None:  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.01)
        assert writer.trouble.state == "down"
        assert 1 <= len(waiting) <= 10
        await server.start()
        await writing
        for each in waiting:
            await each
        assert writer.trouble is None
        assert [int(each) for each in server.outputs] == list(range(100))
        await writer.close()
        await server.stop()

    run(scenario())


def test_an_output_larger_than_the_buffer_is_taken() -> None:
    async def scenario() -> None:
        async with TcpServer() as server:
            writer = TcpWriter(server.port, SinkLimits(buffer_size=1))
            for _ in range(3):
                await (await writer.write(Output(b"x" * 100_000 + b"\n")))
            await writer.close()
            assert len(server.outputs) == 3

    run(scenario())


def test_refused_lines_are_reported_and_the_others_go_on() -> None:
    async def answer(results: bytes) -> object:
        return {"1": "too odd"} if results.startswith(b"bad") else {}

    async def scenario() -> None:
        async with TcpServer(answer) as server:
            writer = TcpWriter(server.port, SinkLimits())
            texts = (b"1\n", b"bad\nworse\n", b"2\n")
            first, second, third = [await writer.write(Output(text)) for text in texts]
            await first
            with pytest.raises(OutputRefusedError) as caught:
                await second
            assert caught.value.lines == {1: "too odd"}
            await third
            await writer.close()

    run(scenario())


@pytest.mark.parametrize("is_full", [False, True])
def test_a_sink_that_cannot_go_on_fails_all_that_waits(is_full: bool) -> None:
    async def answer(_: bytes) -> object:
        return "is forbidden"

    async def scenario() -> None:
        async with TcpServer(answer) as server:
            writer = TcpWriter(server.port, SinkLimits(buffer_size=1 if is_full else 10_000))
            first = await writer.write(Output(b"1\n"))
            if is_full:
                with pytest.raises(SinkError, match="sink 'tcp' is forbidden"):
                    await writer.write(Output(b"2\n"))
            else:
                second = await writer.write(Output(b"2\n"))
                with pytest.raises(SinkError, match="sink 'tcp' is forbidden"):
                    await second
            with pytest.raises(SinkError, match="sink 'tcp' is forbidden"):
                await first
            with pytest.raises(SinkError, match="sink 'tcp' is forbidden"):
                await writer.write(Output(b"3\n"))
            await writer.close()

    run(scenario())


def test_a_bug_of_a_writer_ends_it_with_its_reason() -> None:
    async def answer(_: bytes) -> object:
        return 5

    async def scenario() -> None:
        async with TcpServer(answer) as server:
            writer = TcpWriter(server.port, SinkLimits())
            with pytest.raises(SinkError, match="cannot be written: AttributeError: 'int'"):
                await (await writer.write(Output(b"1\n")))
            await writer.close()

    run(scenario())
