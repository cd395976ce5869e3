"""A proxy in front of a broker, whose connections can be cut."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from tests.faults.proxy import FaultProxy

__all__ = ["CuttingProxy"]


class CuttingProxy:
    """Forward connections to a port of this machine, from an event loop in a thread.

    Args:
        to: the port.
        port: the proxy's own port, 0 for any.

    Attributes:
        port: the proxy's own port.
    """

    def __init__(self, to: int, port: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._proxy = FaultProxy(to, listen_on=port)
        self.accept()
        self.port = self._proxy.port

    def accept(self) -> None:
        """Accept connections, after `refuse` again."""
        self._wait(self._proxy.start())

    def refuse(self) -> None:
        """Cut all connections, and accept no more."""
        self._wait(self._proxy.stop())

    def close(self) -> None:
        """Cut all connections, and end the thread."""
        self.refuse()
        self._wait(_wait_for_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(60)


async def _wait_for_others() -> None:
    """Wait until all other tasks of the event loop have ended, and their transports are closed."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    await asyncio.sleep(0)
