"""The request of one stream: what differs between an upload, a document and a subscription."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from aiohttp import hdrs
from multidict import CIMultiDict

from forstcore._client.connection import Body, Connection
from forstcore._client.frame_reader import FrameReader, Summary
from forstcore.errors import RequestRefusedError, StreamFailedError

__all__ = ["Document", "StreamRequest", "check_records"]


class StreamRequest(ABC):
    """What a transfer sends over each of its connections, and how it resumes over the next one.

    Args:
        resume: whether results are held back until they are acknowledged, so that the stream can
            go on over another connection.

    Attributes:
        resume: as above.
    """

    accept_is_progress = False
    """Whether a connection that the server accepts ends a series of failures."""

    def __init__(self, *, resume: bool) -> None:
        self.resume = resume

    @property
    @abstractmethod
    def lines(self) -> int:
        """Lines acknowledged so far, over all connections."""

    @abstractmethod
    def begin(self, headers: CIMultiDict[str]) -> Body:
        """Start the next connection: complete its headers, and return its body."""

    @abstractmethod
    def deliver(self, pieces: list[bytes], frames: FrameReader) -> Iterator[list[bytes]]:
        """Note what `frames` has just read; yield the pieces that go to the caller together."""

    @abstractmethod
    def is_consumed(self, connection: Connection) -> bool:
        """Return whether the request cannot be repeated as a whole after this connection."""

    @abstractmethod
    def check(self, summary: Summary, connection: Connection) -> None:
        """Raise StreamFailedError if the summary contradicts what was sent."""

    async def delivered(self) -> None:  # noqa: B027 (optional)
        """Note that the caller asks for more, so is done with the pieces yielded last."""

    def reconnects_at_once(
        self, error: RequestRefusedError | StreamFailedError, connection: Connection
    ) -> bool:
        """Return whether an error is part of normal operation, and not a failure."""
        return False

    async def has_more(self) -> bool:
        """Wait until another connection has something to send; return whether it ever will."""
        return True

    async def leave(self, connection: Connection) -> None:  # noqa: B027 (optional)
        """Tell the server that the caller has left an open stream."""

    async def close(self) -> None:  # noqa: B027 (optional)
        """Free what the request holds."""


class Document(StreamRequest):
    """A JSON document; it can be sent again only if the server has not accepted it.

    Args:
        document: the document.
    """

    def __init__(self, document: bytes) -> None:
        super().__init__(resume=False)
        self._document = document
        self._acked = 0

    @property
    def lines(self) -> int:
        return self._acked

    def begin(self, headers: CIMultiDict[str]) -> Body:
        headers[hdrs.CONTENT_TYPE] = "application/json"
        return Body(self._document)

    def deliver(self, pieces: list[bytes], frames: FrameReader) -> Iterator[list[bytes]]:
        self._acked = frames.acked
        yield pieces

    def is_consumed(self, connection: Connection) -> bool:
        return connection.accepted

    def check(self, summary: Summary, connection: Connection) -> None:
        check_records(summary)


def check_records(summary: Summary) -> None:
    """Raise StreamFailedError if there was input, but not one record in it."""
    if summary["records"] or not summary["errors"] or summary["bytes_out"]:
        return
    codes = summary.get("errors_by_code", {}).items()
    reasons = ", ".join(f"{code}: {count}" for code, count in sorted(codes))
    raise StreamFailedError(
        "no_records",
        f"{_none_of(summary['lines'])} a record ({reasons}); on_error='emit' tells more",
    )


def _none_of(lines: int) -> str:
    return "the line was not" if lines == 1 else f"not one of {lines} lines was"
