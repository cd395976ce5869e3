"""Base class of writers, which survive the loss of their connection."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Sequence

from forstcore._cancelling import check_cancelled
from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputDroppedError, OutputRefusedError, SinkLimits
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._reconnecting import Reconnecting

__all__ = ["BrokerWriter"]


class BrokerWriter(Reconnecting):
    """Write to a sink in order; reconnect and resend whenever the connection is lost.

    Outputs that arrive while others are being sent are sent together afterwards. A subclass
    implements `_connect`, `_send` and `_disconnect`; it calls `_confirm` for each output.

    Args:
        name: name of the sink, for errors.
        log: the log of the sink.
        limits: the bytes that are held until they are confirmed.

    Attributes:
        acknowledges: as for `Writer`.

    Thread-safety: belongs to the event loop in which it is made.
    """

    acknowledges = False

    def __init__(self, name: str, log: BrokerLog, limits: SinkLimits) -> None:
        super().__init__(name, log)
        self._limits = limits
        self._unconfirmed: deque[tuple[Output, asyncio.Future[None]]] = deque()
        self._size = 0
        self._failure: SinkError | None = None
        self._has_changed = asyncio.Event()  # Outputs arrived, or there is room.
        self._task: asyncio.Task[None] | None = None

    async def write(self, output: Output) -> Awaitable[None]:
        """Take an output, as `Writer.write` says."""
        while self._unconfirmed and self._size >= self._limits.buffer_size:
            self._check()
            await self._changed()
        self._check()
        confirmed = asyncio.get_running_loop().create_future()
        self._unconfirmed.append((output, confirmed))
        self._size += output.size
        self._start()
        self._has_changed.set()
        return confirmed

    async def flush(self) -> None:
        """Do nothing: outputs are sent at once."""

    async def close(self) -> None:
        """Stop, as `Writer.close` says."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for _, confirmed in self._unconfirmed:
            confirmed.cancel()
        self._unconfirmed.clear()
        self._is_connected = False
        await self._disconnect()

    @abstractmethod
    async def _send(self, outputs: Sequence[Output]) -> None:
        """Send outputs, and wait until they are confirmed.

        Outputs for which `_confirm` was not called are resent; after a transient error, together
        with those that have arrived since.

        Args:
            outputs: the unconfirmed outputs, in order; at least one.

        Raises:
            SinkError: the sink cannot be written, and a retry would not help.
        """

    def _start(self) -> None:
        """Connect and send from now on; called by the first `write` if not earlier."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def _confirm(self, refused: dict[int, str] | None = None) -> None:
        """Confirm the first output that is not confirmed yet.

        Args:
            refused: its lines that the sink permanently refuses, counted from 0, and the reasons.
        """
        self._answer(OutputRefusedError(refused) if refused else None)

    def _drop(self) -> None:
        """Give up the first output that is not confirmed yet."""
        self._answer(OutputDroppedError())

    def _answer(self, error: Exception | None) -> None:
        output, confirmed = self._unconfirmed.popleft()
        self._size -= output.size
        if not confirmed.done():
            if error is not None:
                confirmed.set_exception(error)
                # Mark it as retrieved, in case its waiter was cancelled.
                confirmed.exception()
            else:
                confirmed.set_result(None)
        self._has_changed.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._attempt()
                while self._is_connected and not self._unconfirmed:
                    await self._changed()
        except SinkError as error:
            self._fail(error)
        except Exception as error:
            failure = SinkError(self._name, f"cannot be written: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._fail(failure)

    async def _attempt(self) -> None:
        try:
            if await self._ensure_connected():
                if self.trouble is not None and self._unconfirmed:
                    # It is up again only when it takes something.
                    await self._send([self._unconfirmed[0][0]])
                self._report_up()
            if self._unconfirmed:
                await self._send([output for output, _ in self._unconfirmed])
                check_cancelled()
        except self.transient_errors as error:
            await self._drop_connection(error)

    async def _changed(self) -> None:
        self._has_changed.clear()
        await self._has_changed.wait()
        check_cancelled()

    def _fail(self, error: SinkError) -> None:
        self._failure = error
        for _, confirmed in self._unconfirmed:
            if not confirmed.done():
                confirmed.set_exception(error)
                # Mark it as retrieved: the caller may wait for the first one only.
                confirmed.exception()
        self._unconfirmed.clear()
        self._has_changed.set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
