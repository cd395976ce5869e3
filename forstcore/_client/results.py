"""The results of one stream, for who iterates with an event loop or without."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing, closing
from types import TracebackType
from typing import Generic, Self, TypeVar

import aiohttp

from forstcore._client.frame_reader import Summary
from forstcore._client.server_url import Target
from forstcore._client.transfer import Transfer
from forstcore._io.sync_iterator import steps

__all__ = ["ResultStream"]

T = TypeVar("T")


class ResultStream(Generic[T]):
    """The results of one stream, as they come: `async for`, or `for` where no event loop runs.

    Nothing is sent before the iteration starts. Where it may stop early, use `async with` (or
    `with`), or call `aclose()` (or `close()`): the connection and the producer, if that is a
    generator, are closed then. An iteration to the end, or to an error, needs neither.

    Args:
        transfer: the stream.
        decode: makes results of a piece of whole result lines.
        session: returns the session for `async for`.
        target: makes one for `for`.

    Thread-safety: belongs to one event loop; where it is iterated with `for`, to one thread.
    """

    def __init__(
        self,
        transfer: Transfer,
        decode: Callable[[bytes], Iterable[T]],
        session: Callable[[], aiohttp.ClientSession],
        target: Target,
    ) -> None:
        self._transfer = transfer
        self._results = _results(transfer, decode, session)
        self._steps = _steps(transfer, decode, target)

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
        """Records that a live stream left out so far, None if nobody knows how many.

        The logger ``forstcore`` has a warning each time.
        """
        return self._transfer.missed

    @property
    def summary(self) -> Summary | None:
        """What the server counted, once the stream has ended well.

        After a resume it covers the last connection. None if that was lost when all results
        were there already.
        """
        return self._transfer.summary

    def __aiter__(self) -> AsyncIterator[T]:
        # Not self: one call less for each result, and a loop over a stream that nobody else
        # holds ends it when it is left.
        return self._results

    async def __anext__(self) -> T:
        return await anext(self._results)

    async def aclose(self) -> None:
        """End the stream, wherever it is. Does nothing after its end."""
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
        """End a stream that is iterated with `for`. Does nothing after its end."""
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
    transfer: Transfer, decode: Callable[[bytes], Iterable[T]], target: Target
) -> Generator[T, None, None]:
    async def run() -> AsyncGenerator[list[bytes], None]:
        async with target.open() as session, aclosing(transfer.pieces(session)) as batches:
            async for pieces in batches:
                yield pieces

    with closing(steps(run)) as batches:
        for pieces in batches:
            for piece in pieces:
                yield from decode(piece)
