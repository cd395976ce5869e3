"""Sinks: where the results of a pipeline go, such as files, brokers or another server.

A sink is opened once for each pipeline that writes to it. It confirms outputs later, in order; only
then does the pipeline acknowledge their input.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from forstcore.sinks._url import SinkUrl
from forstcore.sources import Notice, Reader, Source

__all__ = [
    "Output",
    "OutputDroppedError",
    "OutputRefusedError",
    "Sink",
    "SinkLimits",
    "SinkUrl",
    "Writer",
    "open_sink",
]

# For each scheme the module, its class, and the package that it needs.
_MODULES = {
    "file": ("file", "FileSink", ""),
    "redis": ("redis", "RedisSink", "redis"),
    "rediss": ("redis", "RedisSink", "redis"),
    "mqtt": ("mqtt", "MqttSink", ""),
    "mqtts": ("mqtt", "MqttSink", ""),
    "http": ("http", "HttpSink", ""),
    "https": ("http", "HttpSink", ""),
    "kafka": ("kafka", "KafkaSink", "confluent_kafka"),
    "nats": ("nats", "NatsSink", "nats"),
    "natss": ("nats", "NatsSink", "nats"),
}

_OVERHEAD = 500  # Bytes of memory of an output besides its results, approximately.


@dataclass(frozen=True, slots=True)
class Output:
    """Some results of a pipeline.

    Attributes:
        results: whole lines, each with its LF; may be empty if only the other attributes matter.
        offset: where the source resumes after them; empty if it cannot resume exactly there.
        receipts: acknowledge their input.
    """

    results: bytes
    offset: str = ""
    receipts: tuple[object, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes of memory it takes, approximately."""
        return len(self.results) + _OVERHEAD


class OutputRefusedError(Exception):
    """The sink permanently refuses some results, while it accepts others.

    Args:
        lines: the numbers of the refused lines within the output, counted from 0, and the reasons.
    """

    def __init__(self, lines: dict[int, str]) -> None:
        super().__init__(f"{len(lines)} results were refused")
        self.lines = lines

    async def confirm_rest(self) -> None:
        """Wait until the other lines are confirmed, after these were written elsewhere."""


class OutputDroppedError(Exception):
    """Results were not written: another reader has their input now, or it is read again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SinkLimits:
    """How much memory sinks may use, how often they try, and who uses them.

    Attributes:
        buffer_size: bytes that a writer holds until they are confirmed; a single output may be
            larger.
        tries: how often results that the sink refuses are tried before `OutputRefusedError`. A
            sink that is down is retried indefinitely.
        worker: identifies this process among several of a server, empty if it is the only one.
        source: URL, without passwords, of the source whose offsets a sink keeps.
    """

    buffer_size: int = 4 << 20
    tries: int = 3
    worker: str = ""
    source: str = ""


class Writer(Protocol):
    """Writes the results of one pipeline to a sink.

    Attributes:
        acknowledges: whether it acknowledges the input of outputs itself, together with writing
            them.

    Thread-safety: belongs to the event loop in which it was opened; one call at a time.
    """

    acknowledges: bool

    async def write(self, output: Output) -> Awaitable[None]:
        """Take some results; wait while too many bytes are unconfirmed.

        A sink that is down is retried indefinitely, with growing pauses.

        Returns:
            An awaitable, done when the sink has confirmed them: they survive the death of this
            process. Outputs are confirmed in order. Raises `OutputRefusedError` if some lines were
            refused and the others confirmed, `SinkError` if the sink cannot go on. Where outputs
            acknowledge their input, the others are confirmed only by `confirm_rest`, and it raises
            `OutputDroppedError` if the input is not to be acknowledged by this reader any more.

        Raises:
            SinkError: the sink cannot be written, and a retry would not help.
        """
        ...

    async def flush(self) -> None:
        """Send results that are held back to be written together; called when input pauses."""
        ...

    async def close(self) -> None:
        """Stop, and free all resources.

        Outputs that are not confirmed yet may have been written or not.
        """
        ...


class Sink(Protocol):
    """A destination of results.

    Attributes:
        name: its name, for people.
        keeps_offsets: whether it stores the source's offset together with the output, so that each
            result is written exactly once.
        file: the path of the file that no other sink may write at the same time; empty if none.

    Thread-safety: belongs to the event loop in which it is first used.
    """

    name: str
    keeps_offsets: bool
    file: str

    def check(self) -> None:
        """Raise SinkError if it cannot be written; detects only what needs no connection."""
        ...

    async def offset(self) -> str:
        """Return the offset that is stored with the output; empty if there is none."""
        ...

    def acknowledges(self, source: Source) -> bool | None:
        """Return whether outputs can acknowledge the input of this source in one transaction.

        Returns:
            None if that is known only once the brokers are connected.

        Raises:
            SinkError: they cannot, but an option requires it.
        """
        ...

    async def open(self, reader: Reader | None) -> Writer:
        """Start writing.

        Args:
            reader: the reader whose input outputs can acknowledge; None if they cannot. Nothing has
                been read yet.

        Raises:
            SinkError: the sink cannot be written, and a retry would not help.
        """
        ...

    def trouble(self) -> Notice | None:
        """Return why it cannot be written now, None if it can."""
        ...

    async def close(self) -> None:
        """Free all resources, after the writers have been closed."""
        ...


def open_sink(name: str, url: str, limits: SinkLimits | None = None) -> Sink:
    """Return the sink of a URL. It does not connect before it is used.

    Args:
        name: its name, for people.
        url: ``file:…``, ``redis://…``, ``mqtt://…``, ``http://…``, ``kafka://…`` or ``nats://…``,
            each with its options as a query.
        limits: how much memory it may use, and how often it tries.

    Raises:
        SinkError: the URL is none of these, or a required package is not installed in a supported
            release.
    """
    parsed = SinkUrl(name, url)
    kind = parsed.class_of_scheme(__name__, _MODULES, "written")
    sink: Sink = kind(parsed, limits or SinkLimits())
    parsed.check_all_used()
    return sink
