"""Writing to files in a thread, because disks may be slow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sinks._rotated_file import ForeignFileError, RotatedFile
from forstcore.sources._broker_log import BrokerLog

__all__ = ["FileWriter"]

T = TypeVar("T")

_MIN_WAIT = 0.05  # Minimum seconds between two checks of the age of a file.


class FileWriter(BrokerWriter):
    """Append outputs to a file, several at once.

    While the disk is full, the writer retries, as for a broker that is down: it truncates the file
    to what is confirmed, and writes the outputs again.

    Args:
        name, log, limits: as for `BrokerWriter`.
        file: the file.
        executor: one thread, which this object shuts down.
    """

    transient_errors = (OSError,)

    def __init__(
        self,
        name: str,
        log: BrokerLog,
        limits: SinkLimits,
        file: RotatedFile,
        executor: ThreadPoolExecutor,
    ) -> None:
        super().__init__(name, log, limits)
        self._file = file
        # A single thread runs the calls one after the other, even if a caller is cancelled.
        self._executor = executor
        self._is_closing = False
        self._ageing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the file now, so that a wrong path is an error at once.

        Raises:
            SinkError: it cannot be opened.
        """
        try:
            await self._connect()
        except OSError as error:
            raise SinkError(self._name, f"cannot be written: {error}") from None
        self._is_connected = True
        self._start()
        if self._file.rotates:
            self._ageing = asyncio.create_task(self._end_old_files())

    async def close(self) -> None:
        self._is_closing = True
        if self._ageing is not None:
            self._ageing.cancel()
            await asyncio.wait([self._ageing])
        try:
            await super().close()
        finally:
            self._executor.shutdown(wait=False)

    async def _connect(self) -> None:
        try:
            await self._call(self._file.open)
        except ForeignFileError as error:
            raise SinkError(self._name, f"cannot be written: {error}") from None

    async def _send(self, outputs: Sequence[Output]) -> None:
        file = self._file
        start = 0
        while start < len(outputs):
            end, size = start, 0
            while end < len(outputs) and (end == start or size < file.room):
                size += len(outputs[end].results)
                end += 1
            together = outputs[start:end]
            results = b"".join([each.results for each in together])
            offset = next((each.offset for each in reversed(together) if each.offset), "")
            await self._call(lambda: file.append(results, offset))  # noqa: B023 (called now)
            for _ in together:
                self._confirm()
            # Not earlier: an error here must not cause them to be written again.
            await self._call(file.rotate_if_due)
            start = end

    async def _disconnect(self) -> None:
        try:
            await self._call(self._file.finish if self._is_closing else self._file.close)
        except OSError as error:
            # Confirmed results are on the disk, and the next process continues after them.
            self._log.write(logging.WARNING, f"cannot be closed: {error}")

    async def _end_old_files(self) -> None:
        """End a file that is old enough, even if nothing is appended."""
        while True:
            await asyncio.sleep(max(_MIN_WAIT, self._file.seconds_left()))
            try:
                await self._call(self._file.rotate_if_due)
            except OSError as error:
                self._log.write(logging.WARNING, f"cannot be rotated: {error}")
                await asyncio.sleep(1.0)

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)
