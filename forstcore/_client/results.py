"""The results of one stream, to iterate over with an event loop or without."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing, closing
from types import TracebackType
from typing import Generic, Self, TypeVar

import aiohttp

from forstcore._client.frame_reader import Summary
from forstcore._client.server_address import ServerAddress
from forstcore._client.transfer import Transfer
from forstcore._io.sync_iterator import steps

__all__ = ["ResultStream"]

T = TypeVar("T")


class ResultStream(Generic[T]):
    """The results of one stream as they arrive: `async for`, or `for` where no event loop runs.

    Nothing is sent before the iteration starts. If it may stop early, use `async with` (or
    `with`), or call `aclose()` (or `close()`), to close the connection and the producer, if that
    is a generator. An iteration to the end, or to an error, needs neither.

    Args:
        transfer: the stream.
        decode: converts a piece of whole result lines to results.
        session: returns the session for `async for`.
        server: opens a session for `for`.

    Thread-safety: belongs to one event loop, or to one thread if iterated with `for`.
    """

    def __init__(
        self,
        transfer: Transfer,
        decode: Callable[[bytes], Iterable[T]],
        session: Callable[[], aiohttp.ClientSession],
        server: ServerAddress,
    ) -> None:
        self._transfer = transfer
        self._results = _results(transfer, decode, session)
        self._steps = _steps(transfer, decode, server)

    @property
    def lines(self) -> int:
        """Input lines acknowledged so far."""
        return self._transfer.lines

    @property
    def connections(self) -> int:
        """Connections made so far: more than one only after a loss."""
        return self._transfer.connections

    @property
    def missed(self) -> int | None:
        """How many records a live stream left out so far, None if that is unknown.

        Each time, the logger ``forstcore`` gets a warning.
        """
        return self._transfer.missed

    @property
    def summary(self) -> Summary | None:
        """The server's counts, after the stream has ended successfully.

        After a resume it covers the last connection only. It is None if that was lost after all
        results had arrived.
        """
        return self._transfer.summary

    def __aiter__(self) -> AsyncIterator[T]:
        # The generator saves a call for each result, and closes the stream when a loop that holds
        # the only reference to it is left.
        return self._results

    async def __anext__(self) -> T:
        return await anext(self._results)

    async def aclose(self) -> None:
        """End the stream; do nothing after its end."""
        await self._results.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __iter__(self) -> Iterator[T]:
        return self._steps

    def close(self) -> None:
        """End a stream that is iterated with `for`; do nothing after its end."""
        self._steps.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()


async def _results(
    transfer: Transfer,
    decode: Callable[[bytes], Iterable[T]],
    session: Callable[[], aiohttp.ClientSession],
) -> AsyncGenerator[T, None]:
    async with aclosing(transfer.pieces(session())) as batches:
        async for pieces in batches:
            for piece in pieces:
                for result in decode(piece):
                    yield result


def _steps(
    transfer: Transfer, decode: Callable[[bytes], Iterable[T]], server: ServerAddress
) -> Generator[T, None, None]:
    async def run() -> AsyncGenerator[list[bytes], None]:
        async with server.open() as session, aclosing(transfer.pieces(session)) as batches:
            async for pieces in batches:
                yield pieces

    with closing(steps(run)) as batches:
        for pieces in batches:
            for piece in pieces:
                yield from decode(piece)
