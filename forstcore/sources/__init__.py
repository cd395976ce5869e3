"""Sources: live records from memory, files, Redis, MQTT, NATS or Kafka instead of a request.

A source is opened at an offset and yields batches of whole lines. Its URL defines its kind and
options; optional dependencies are imported on demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

from forstcore._io.passwords import without_password
from forstcore._plural import plural
from forstcore._proc import DEFAULT_MAX_LINE_SIZE
from forstcore.sources._url import SourceUrl, place_of

__all__ = [
    "DEFAULT_RING_SIZE",
    "NOW",
    "SCHEMES",
    "START",
    "BadRow",
    "Batch",
    "Keeps",
    "Lag",
    "Notice",
    "Reader",
    "Source",
    "SourceLimits",
    "SourceUrl",
    "open_source",
    "place_of",
    "without_password",
]

DEFAULT_RING_SIZE = 64 << 20

NOW = "now"
"""Offset after the last existing record."""

START = "start"
"""Offset of the first record that still exists."""

Keeps: TypeAlias = Literal["offsets", "unacknowledged", "nothing"]

# For each scheme the module, its class, and the package that it needs.
_MODULES = {
    "memory": ("memory", "MemorySource", ""),
    "file": ("file", "FileSource", ""),
    "redis": ("redis", "RedisSource", "redis"),
    "rediss": ("redis", "RedisSource", "redis"),
    "mqtt": ("mqtt", "MqttSource", ""),
    "mqtts": ("mqtt", "MqttSource", ""),
    "nats": ("nats", "NatsSource", "nats"),
    "natss": ("nats", "NatsSource", "nats"),
    "kafka": ("kafka", "KafkaSource", "confluent_kafka"),
}

SCHEMES = tuple(_MODULES)
"""The schemes of the URLs of sources."""


class BadRow(NamedTuple):
    """An invalid row of CSV, which the source replaced by a line that no processor accepts.

    Attributes:
        line: the number of that line in its batch, counted from 1.
        why: what is wrong.
        offset: the byte of the row where the error is, counted from 0.
        raw: the row, or its start.
        is_cut: whether `raw` is only its start.
    """

    line: int
    why: str
    offset: int
    raw: bytes
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of a source's records.

    Attributes:
        lines: whole lines, each with its LF; empty if the batch only reports the other attributes.
        offset: where to resume after them; empty if the source has no offsets.
        missed: how many records before them were lost, None if that is unknown.
        is_last: whether there was nothing more after them when they were read.
        receipt: what to acknowledge them with, None if that is not needed.
        bad_rows: what the source could not convert to lines.
    """

    lines: bytes
    offset: str = ""
    missed: int | None = 0
    is_last: bool = False
    receipt: object = None
    bad_rows: tuple[BadRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A change of a broker's availability.

    Attributes:
        state: its new state.
        detail: what happened, for people.
    """

    state: Literal["down", "up"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Lag:
    """How much of a source is unread.

    Attributes:
        amount: how much, in `unit`.
        unit: what `amount` counts.
    """

    amount: int
    unit: Literal["bytes", "records"]

    def __str__(self) -> str:
        if self.unit == "records":
            return f"{self.amount:,} {plural(self.amount, 'record')}"
        for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if self.amount >= size:
                return f"{self.amount / size:,.1f} {unit}"
        return f"{self.amount} B"


class Reader(Protocol):
    """Reads a source from one offset on.

    Thread-safety: belongs to the event loop in which it was opened; one call at a time, except
    for `acknowledge` and `lag`, which may be called while `read` waits.
    """

    async def read(self) -> Batch | Notice | None:
        """Wait for the next batch or notice; return None at the end of the source.

        The first batch is empty; its offset is where reading starts.

        Raises:
            SourceError: the source cannot be read, and a retry would not help.
        """
        ...

    async def acknowledge(self, receipt: object) -> None:
        """Acknowledge a batch, so that it is not delivered again.

        Args:
            receipt: that of the batch.

        Raises:
            SourceError: the source cannot acknowledge, and a retry would not help.
        """
        ...

    async def lag(self) -> Lag | None:
        """Return how much of the source `read` has not returned yet; None if that is unknown."""
        ...

    async def close(self) -> None:
        """Stop reading, and free all resources."""
        ...


class Source(Protocol):
    """Where records are read from.

    Attributes:
        name: its name for clients.
        is_shared: whether every reader gets every record. If not, each gets a part.
        keeps: what a later reader can resume with, even if a process was killed: ``offsets``;
            ``unacknowledged`` records; or ``nothing``.

    Thread-safety: belongs to the event loop in which it is first read.
    """

    name: str
    is_shared: bool
    keeps: Keeps

    def check(self, start: str) -> None:
        """Raise OffsetError if reading cannot start there.

        Args:
            start: as for `open`.
        """
        ...

    def open(self, start: str, session: str = "") -> Reader:
        """Start reading.

        Args:
            start: the offset after which to start, `START` or `NOW`; already checked.
            session: identifies readers that may take over each other's unacknowledged records, if
                not all of them may; empty for a reader that acknowledges at once.
        """
        ...

    async def close(self) -> None:
        """Free all resources, after the readers have been closed."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceLimits:
    """How much memory sources may use.

    Attributes:
        ring_size: bytes that a memory source keeps.
        max_line_size: maximum bytes of a line; of a longer one, just enough is read to detect it.
        worker: identifies this process among several of a server, empty if it is the only one.
    """

    ring_size: int = DEFAULT_RING_SIZE
    max_line_size: int = DEFAULT_MAX_LINE_SIZE
    worker: str = ""


def open_source(name: str, url: str, limits: SourceLimits | None = None) -> Source:
    """Return the source of a URL. It does not connect before it is read.

    Args:
        name: its name for clients.
        url: ``memory:``, ``file:…``, ``redis://…``, ``mqtt://…``, ``nats://…`` or ``kafka://…``,
            each with its options as a query.
        limits: how much memory it may use.

    Raises:
        SourceError: the URL is none of these, or a required package is not installed in a supported
            release.
    """
    parsed = SourceUrl(name, url)
    kind = parsed.class_of_scheme(__name__, _MODULES, "read")
    source: Source = kind(parsed, limits or SourceLimits())
    parsed.check_all_used()
    return source
