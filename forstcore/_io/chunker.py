"""Grouping the records of a producer into chunks for upload.

Records are not delayed: a chunk contains what is available when the upload asks for it, so the
records of a producer that pauses are sent at once.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from itertools import islice
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Protocol

from forstcore._io.json_lines import dump_line, dump_lines
from forstcore._io.readers import chunks_of

__all__ = ["Grouper", "ProducerError", "check_unused", "group"]

_SLICE_SECONDS = 0.001  # How long a producer that never awaits may block the event loop.
_SLICE_BYTES = 1 << 16
_MOST_AT_ONCE = 64  # Maximum records between two checks of the time and the size.
_MOST_IN_A_ROW = 256  # Records after which an async producer yields to the event loop.


class ProducerError(Exception):
    """Wraps an error of the producer, so that it is not handled as an error of the connection.

    Attributes:
        error: the producer's error.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class Grouper(Protocol):
    """Source of chunks for the upload."""

    async def take(self) -> bytes:
        """Return the available bytes, waiting for at least one; empty at the end.

        Raises:
            ProducerError: the producer failed.
        """

    async def close(self) -> None:
        """Stop taking from the producer; if it is a generator, end it."""


def group(producer: Any, chunk_size: int) -> Grouper:
    """Return the grouper for a producer.

    Args:
        producer: a sync or async iterable of records (values that serialize to JSON objects) or
            of bytes, or an object with a sync or async `read` method.
        chunk_size: bytes at which a chunk is full. The last record may exceed it.

    Raises:
        TypeError: the producer is none of these.
        ValueError: it is an exhausted generator, which would look like an empty input.
    """
    check_unused(producer)
    if isinstance(producer, bytes | bytearray | memoryview):
        return _SyncGrouper([producer], chunk_size)
    if isinstance(producer, str | Mapping):
        raise TypeError(f"records must be an iterable of records, not one {_kind(producer)}")
    if hasattr(producer, "read"):
        producer = chunks_of(producer)
    if isinstance(producer, AsyncIterable):
        return _AsyncGrouper(producer, chunk_size)
    if isinstance(producer, Iterable):
        return _SyncGrouper(producer, chunk_size)
    raise TypeError(f"records must be an iterable or have a read method, not {_kind(producer)}")


def check_unused(producer: object) -> None:
    """Raise ValueError if a producer is an exhausted generator."""
    is_generator = isinstance(producer, GeneratorType) and producer.gi_frame is None
    is_async = isinstance(producer, AsyncGeneratorType) and producer.ag_frame is None
    if is_generator or is_async:
        raise ValueError("the records are a generator that has ended: it was read before")


class _Records:
    """Builds chunks from records."""

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self._taken = 0  # Records in earlier chunks.

    @property
    def size(self) -> int:
        return self._file.tell()

    def add(self, record: object) -> int:
        try:
            self._file.write(dump_line(record))
        except (TypeError, ValueError) as error:
            self._name_record(error)
            raise
        return self._file.tell()

    def add_all(self, records: Iterable[object]) -> None:
        try:
            dump_lines(records, self._file)
        except (TypeError, ValueError) as error:
            self._name_record(error)
            raise

    def take(self) -> bytes:
        file, self._file = self._file, io.BytesIO()
        chunk = file.getvalue()
        self._taken += chunk.count(b"\n")
        return chunk

    def _name_record(self, error: Exception) -> None:
        number = self._taken + self._file.getvalue().count(b"\n") + 1
        error.add_note(f"record {number} of the input, counted from 1")


class _Pieces:
    """Builds chunks from bytes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._count = 0
        self.size = 0

    def add(self, piece: Any) -> int:
        self._count += 1
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise TypeError(f"bytes cannot be followed by {_kind(piece)} (item {self._count})")
        # Copy mutable buffers, which the producer may reuse.
        self._pieces.append(bytes(piece))
        self.size += len(self._pieces[-1])
        return self.size

    def add_all(self, pieces: Iterable[object]) -> None:
        for piece in pieces:
            self.add(piece)

    def take(self) -> bytes:
        chunk = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return chunk


def _chunk_for(first: object) -> _Records | _Pieces:
    """Return the chunk builder for items of the type of the first one."""
    if isinstance(first, bytes | bytearray | memoryview):
        return _Pieces()
    if isinstance(first, str):
        raise TypeError("a record must be a dict or bytes, not str (a file opened as text?)")
    return _Records()


class _SyncGrouper:
    """Takes from an iterable in short time slices, to avoid blocking the event loop.

    The number of records between two checks of the clock adapts to the producer. It drops to one
    if the producer is slow, so that records are not delayed, and if records are large, so that
    chunks do not get much larger than `chunk_size`.
    """

    def __init__(self, producer: Iterable[object], chunk_size: int) -> None:
        self._producer = producer
        self._items: Iterator[object] | None = None
        self._chunk: _Records | _Pieces | None = None
        self._chunk_size = chunk_size
        self._step = 1
        self._error: BaseException | None = None
        self._ended = False

    async def take(self) -> bytes:
        # Yield to the event loop: writes to a fast reader never wait.
        await asyncio.sleep(0)
        while not self._ended and self._error is None:
            try:
                self._fill()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self._error = error
            if self._chunk is not None and self._chunk.size:
                return self._chunk.take()
        if self._error is not None:
            raise ProducerError(self._error)
        return b""

    async def close(self) -> None:
        self._ended = True
        if isinstance(self._producer, GeneratorType):
            self._producer.close()

    def _fill(self) -> None:
        if self._items is None:
            self._items = iter(self._producer)
        started = looked = time.perf_counter()
        most = min(self._chunk_size, _SLICE_BYTES)
        while self._chunk is None or self._chunk.size < most:
            item = next(self._items, self)
            if item is self:
                self._ended = True
                return
            if self._chunk is None:
                self._chunk = _chunk_for(item)
            size = self._chunk.size
            self._chunk.add(item)
            self._chunk.add_all(islice(self._items, self._step - 1))
            now = time.perf_counter()
            if now - looked > _SLICE_SECONDS / 4 or self._chunk.size - size > most // 4:
                self._step = max(1, self._step // 4)
            elif self._step < _MOST_AT_ONCE:
                self._step *= 2
            if now - started > _SLICE_SECONDS:
                return
            looked = now


class _AsyncGrouper:
    """Takes from an async iterable in a separate task, concurrently with the upload."""

    def __init__(self, producer: AsyncIterable[object], chunk_size: int) -> None:
        self._producer = producer
        self._chunk: _Records | _Pieces | None = None
        self._chunk_size = chunk_size
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._filled: asyncio.Future[None] | None = None
        self._emptied: asyncio.Future[None] | None = None

    async def take(self) -> bytes:
        if not await self._ready():
            if self._error is not None:
                raise ProducerError(self._error)
            return b""
        assert self._chunk is not None
        chunk = self._chunk.take()
        _wake(self._emptied)
        return chunk

    async def close(self) -> None:
        if self._task is not None:
            self._ended = True
            self._task.cancel()
            await asyncio.wait([self._task])
            # Retrieve its error, so that asyncio does not log it.
            if not self._task.cancelled():
                self._task.exception()
        elif isinstance(self._producer, AsyncGeneratorType):
            await self._producer.aclose()

    async def _ready(self) -> bool:
        """Wait for data; return False at the end and after an error."""
        if self._task is None:
            self._task = asyncio.create_task(self._fill())
        while self._chunk is None or not self._chunk.size:
            if self._ended:
                return False
            self._filled = asyncio.get_running_loop().create_future()
            await self._filled
        return True

    async def _fill(self) -> None:
        try:
            taken = 0
            async for item in self._producer:
                if self._ended:
                    return
                if self._chunk is None:
                    self._chunk = _chunk_for(item)
                size = self._chunk.add(item)
                if self._filled is not None:
                    _wake(self._filled)
                while size >= self._chunk_size and not self._ended:
                    self._emptied = asyncio.get_running_loop().create_future()
                    await self._emptied
                    size = self._chunk.size
                taken += 1
                if not taken % _MOST_IN_A_ROW:
                    # The producer may never await anything itself.
                    await asyncio.sleep(0)
        except BaseException as error:
            if self._ended and isinstance(error, asyncio.CancelledError):
                raise
            # Whatever it is, the input is incomplete.
            self._error = error
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        finally:
            self._ended = True
            _wake(self._filled)
            if isinstance(self._producer, AsyncGeneratorType):
                await self._producer.aclose()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _kind(value: object) -> str:
    return type(value).__name__
