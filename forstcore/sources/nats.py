"""NATS JetStream: read by every reader, or distributed by a durable consumer.

`nats://host:4222?stream=S` can be read after any sequence number; `&subject=…` selects messages.
With `&durable=NAME` all readers share that consumer: see `_nats_durable`.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from datetime import datetime

from nats.errors import Error
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy

from forstcore.errors import OffsetError
from forstcore.sources import NOW, START, Batch, Keeps, SourceLimits
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._nats_connection import NatsConnection, NatsServer, check_name
from forstcore.sources._nats_durable import DurableReader
from forstcore.sources._nats_pull import Place
from forstcore.sources._nats_reader import NatsReader
from forstcore.sources._url import SourceUrl

__all__ = ["NatsSource", "StreamReader"]

_INACTIVITY = 300.0  # Seconds after which the server removes the consumer of a lost reader.
_CLOSE_TIMEOUT = 2.0  # Seconds in which a closing reader may remove its consumer.
_NUMBER = re.compile(r"[0-9]{1,19}")


class NatsSource:
    """A stream of NATS JetStream.

    Args:
        url: as above.
        limits: the maximum line size.

    Attributes:
        name: its name for clients.
        server: where to connect.
        stream: name of the stream.
        subject: which messages to read, empty for all.
        durable: name of the durable consumer, empty for none.
        ack_wait: seconds after which a new durable consumer redelivers.
        max_line_size: as in the limits.
        log: its log lines.
    """

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        self.server = NatsServer(url)
        self.stream = url.take("stream", url.name)
        self.subject = url.take("subject")
        self.durable = url.take("durable")
        self.ack_wait = url.take_seconds("ack_wait", 30.0) if self.durable else 0.0
        self.max_line_size = limits.max_line_size
        self.log = BrokerLog(url.name)
        url.check_no_path("nats://host:4222?stream=NAME")
        check_name(url.name, "stream", self.stream)
        if self.durable:
            check_name(url.name, "durable", self.durable)
        self.is_shared = not self.durable
        self.keeps: Keeps = "unacknowledged" if self.durable else "offsets"

    def check(self, start: str) -> None:
        if self.durable and start != NOW:
            raise OffsetError(
                self.name,
                f"is read by the consumer {self.durable!r}, which resumes by itself: omit from",
            )
        if start not in (NOW, START) and not _NUMBER.fullmatch(start):
            raise OffsetError(self.name, f"has sequence numbers such as 17, not {start!r}")

    def open(self, start: str, session: str = "") -> StreamReader | DurableReader:
        if self.durable:
            return DurableReader(
                self.name,
                self.log,
                self.max_line_size,
                self.server,
                self.stream,
                self.durable,
                self.subject,
                self.ack_wait,
            )
        return StreamReader(self, start)

    async def close(self) -> None:
        """Do nothing: connections belong to readers."""


class StreamReader(NatsReader):
    """Reads every message after a sequence number.

    Args:
        source: the stream.
        start: the number, `START` or `NOW`.
    """

    def __init__(self, source: NatsSource, start: str) -> None:
        super().__init__(
            source.name, source.log, source.max_line_size, source.server, source.stream
        )
        self._subject = source.subject
        self._start = start
        self._sequence = -1  # of the last message; -1 before the stream is known
        self._created: datetime | None = None  # When the stream was created.
        # A batch to report before the next messages: missed ones, or where reading starts.
        self._missed: int | None = 0
        self._is_new = True

    async def _open_consumer(self, connection: NatsConnection) -> ConsumerInfo:
        info = await connection.jetstream().stream_info(self._stream)
        self._find_place(info.state.first_seq, info.state.last_seq, info.created)
        return await connection.jetstream().add_consumer(
            self._stream,
            ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._sequence + 1,
                filter_subject=self._subject or None,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=_INACTIVITY,
                mem_storage=True,
                num_replicas=1,
            ),
        )

    def _find_place(self, first: int, last: int, created: datetime | None) -> None:
        """Determine where to resume in a stream that has these sequence numbers."""
        is_another = self._created not in (None, created)
        self._created = created
        if self._sequence < 0:
            self._sequence = {NOW: last, START: max(0, first - 1)}.get(self._start, -1)
            if self._sequence < 0:
                self._sequence = int(self._start)
        if is_another or self._sequence > last:
            # The stream was deleted and created again: its numbers start again, too.
            self._missed = None
            self._sequence = 0
        self._skip_deleted(first)

    def _skip_deleted(self, first: int) -> None:
        """Report that messages before the first one were deleted, if they were not read."""
        if first <= self._sequence + 1:
            return
        if self._subject or self._missed is None:
            self._missed = None
        else:
            self._missed += first - 1 - self._sequence
        self._sequence = first - 1

    async def _receive(self) -> Batch:
        if self._is_new or self._missed != 0:
            self._is_new = False
            missed, self._missed = self._missed, 0
            return Batch(b"", str(self._sequence), missed)
        assert self._pull is not None
        messages = await self._pull.messages()
        before, missed = self._sequence, 0
        lines: list[bytes] = []
        for message in messages:
            place = Place.of(message)
            missed += place.sequence - self._sequence - 1
            self._sequence = place.sequence
            lines.append(self._line(message, place.sequence))
        if self._subject and missed:
            missed = await self._missed_after(before)
        return Batch(b"".join(lines), str(self._sequence), missed, not place.pending)

    async def _missed_after(self, sequence: int) -> int | None:
        """Return 0 if no message after this one was deleted; otherwise None.

        The numbers of messages of other subjects are missing, too.
        """
        assert self._connection is not None
        info = await self._connection.jetstream().stream_info(self._stream)
        return 0 if info.state.first_seq <= sequence + 1 else None

    async def close(self) -> None:
        connection = self._connection
        if self._is_connected and connection is not None:
            with suppress(Error, OSError):
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await connection.jetstream().delete_consumer(self._stream, self._consumer)
        await super().close()
