"""Outputs that the sink has confirmed, and whose input is not acknowledged yet."""

from __future__ import annotations

import asyncio

from forstcore.pipelines.confirmations import Confirmations
from forstcore.pipelines.dead_letters import DeadLetters
from forstcore.sinks import Output


def test_what_a_slow_disk_has_to_save_is_bounded() -> None:
    """A process that is killed repeats no more than `max_unconfirmed` says."""
    saved: list[str] = []

    async def scenario() -> None:
        may_save = asyncio.Event()

        async def save(offset: str) -> None:
            await may_save.wait()
            saved.append(offset)

        letters = DeadLetters("a", "file:x", None)
        confirmations = Confirmations(None, letters, save, max_size=100_000)
        running = asyncio.create_task(confirmations.run())
        confirmed = asyncio.get_running_loop().create_future()
        confirmed.set_result(None)
        written = 0

        async def write() -> None:
            nonlocal written
            for number in range(100):
                await confirmations.wait_for_room()
                confirmations.add(Output(b"x" * 9_999 + b"\n", f"{number}"), confirmed)
                written += 1

        writing = asyncio.create_task(write())
        # Let everything run that does not wait for the disk.
        for _ in range(1000):
            await asyncio.sleep(0)
        assert written == 10
        may_save.set()
        await writing
        confirmations.end()
        await running
        assert confirmations.results == 100
        assert saved[-1] == "99"

    asyncio.run(scenario())
