"""Sources: where records come from that nobody sends in a request.

A source is opened at an offset and gives batches of whole lines. What it is, its URL says;
what it needs beyond this package is imported when it is opened.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from forstcore.errors import SourceError
from forstcore.sources._url import SourceUrl, without_password

__all__ = [
    "NOW",
    "START",
    "Batch",
    "Keeps",
    "Notice",
    "Reader",
    "Source",
    "SourceLimits",
    "SourceUrl",
    "open_source",
    "without_password",
]

NOW = "now"
"""Offset behind the last record that there is."""

START = "start"
"""Offset of the first record that there still is."""

Keeps: TypeAlias = Literal["offsets", "unacknowledged", "nothing"]

_MODULES = {
    "memory": ("memory", "MemorySource", ""),
    "file": ("file", "FileSource", ""),
    "redis": ("redis", "RedisSource", "redis"),
    "rediss": ("redis", "RedisSource", "redis"),
    "mqtt": ("mqtt", "MqttSource", ""),
    "mqtts": ("mqtt", "MqttSource", ""),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of a source's records.

    Attributes:
        lines: whole lines, each with its LF; empty where there is only something to tell.
        offset: from where to go on behind them; empty if the source knows no offsets.
        missed: how many records before these the source had no more, None if it cannot say.
        is_last: whether there was nothing more behind them when they were read.
        receipt: what to acknowledge them by, None where that means nothing.
    """

    lines: bytes
    offset: str = ""
    missed: int | None = 0
    is_last: bool = False
    receipt: object = None


@dataclass(frozen=True, slots=True)
class Notice:
    """That a broker went away, or is back.

    Attributes:
        state: what it is now.
        detail: what happened, for people.
    """

    state: Literal["down", "up"]
    detail: str = ""


class Reader(Protocol):
    """One reading of a source.

    Thread-safety: belongs to the event loop in which it was opened; one call at a time, but
    for `acknowledge`, which may be called while `read` waits.
    """

    async def read(self) -> Batch | Notice | None:
        """Wait for what comes next; None where the source has ended.

        The first batch is empty, and tells by its offset where the reading starts.

        Raises:
            SourceError: the source cannot be read, now or later.
        """
        ...

    async def acknowledge(self, receipt: object) -> None:
        """Say that a batch is done with, so that nobody gets it again.

        Args:
            receipt: that of the batch.

        Raises:
            SourceError: the source takes no acknowledgements, now or later.
        """
        ...

    async def close(self) -> None:
        """Stop reading, and free what the reading holds."""
        ...


class Source(Protocol):
    """Somewhere to read from.

    Attributes:
        name: what clients call it.
        is_shared: whether every reader gets every record. If not, each gets a part.
        keeps: what there is for a reader that comes after another, also after a process was
            killed: ``offsets`` to go on from; records that were not acknowledged; or nothing.

    Thread-safety: belongs to the event loop in which it is first read.
    """

    name: str
    is_shared: bool
    keeps: Keeps

    def check(self, start: str) -> None:
        """Raise OffsetError if nobody can read from there.

        Args:
            start: as for `open`.
        """
        ...

    def open(self, start: str, session: str = "") -> Reader:
        """Begin to read.

        Args:
            start: the offset behind which to begin, `START` or `NOW`; checked.
            session: what identifies readers that may take over from each other what has not been
                acknowledged, where that is not any two readers; empty for one that acknowledges
                at once.
        """
        ...

    async def close(self) -> None:
        """Free what the source holds, when its readers are closed."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceLimits:
    """How much memory sources may use.

    Attributes:
        ring_size: bytes that a memory source keeps.
        max_line_size: bytes of the longest line; of a longer one just enough is read to tell.
        worker: which of several processes of a server this is, empty if it is the only one.
    """

    ring_size: int = 64 << 20
    max_line_size: int = 1 << 20
    worker: str = ""


def open_source(name: str, url: str, limits: SourceLimits | None = None) -> Source:
    """Make a source of its URL. Nothing is connected to before somebody reads.

    Args:
        name: what clients call it.
        url: ``memory:``, ``file:…``, ``redis://…`` or ``mqtt://…``, each with its options as
            a query.
        limits: how much memory it may use.

    Raises:
        SourceError: the URL is none of these, or what its kind of source needs is not installed
            in a release that is supported.
    """
    parsed = SourceUrl(name, url)
    if parsed.scheme not in _MODULES:
        raise SourceError(
            name, f"has a URL that starts with none of {', '.join(f'{key}:' for key in _MODULES)}"
        )
    module, kind, needed = _MODULES[parsed.scheme]
    try:
        make = getattr(importlib.import_module(f"{__name__}.{module}"), kind)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != needed:
            raise
        raise SourceError(name, f"needs {needed}: pip install 'forstcore[{needed}]'") from None
    except ImportError as error:
        raise SourceError(name, f"cannot be read: {error}") from error
    source: Source = make(parsed, limits or SourceLimits())
    parsed.check_all_used()
    return source
