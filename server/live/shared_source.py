"""A source that is read once for all readers at its end."""

from __future__ import annotations

from forstcore import Filter
from forstcore.sources import NOW, Batch, Lag, Notice, Reader, Source
from server.live.inbox import FellBehindError, Inbox
from server.live.shared_reading import SharedReading

__all__ = ["SharedReader", "SharedSource"]


class SharedSource:
    """Share one reading of a source among its readers.

    A reader that starts at the end of the source joins the shared reading. One that starts
    earlier, or falls behind, has a separate reader of the source until it has caught up.

    Args:
        source: the source, of which every reader gets every record.
        queue_size: bytes that wait for a reader before it falls behind; if the source has no
            offsets, it misses the oldest records instead.
        max_line_size: maximum bytes of a line.

    Attributes:
        source: as above.
        reading: the shared reading, None if there is none now.

    Thread-safety: belongs to one event loop.
    """

    def __init__(self, source: Source, queue_size: int, max_line_size: int) -> None:
        self.source = source
        self.reading: SharedReading | None = None
        self._own_readers: set[Reader] = set()
        self._queue_size = queue_size
        self._max_line_size = max_line_size

    @property
    def reader_count(self) -> int:
        """How many readers of the source there are."""
        return len(self._own_readers) + (self.reading is not None)

    def open(self, start: str, record_filter: Filter | None = None) -> SharedReader:
        """Start reading.

        Args:
            start: as for `Source.open`.
            record_filter: the records that are wanted, None for all. It is only a hint: the
                reader may get others, too.
        """
        return SharedReader(self, start, record_filter)

    def open_own(self, start: str) -> Reader:
        """Return a reader of the source that is not shared."""
        reader = self.source.open(start)
        self._own_readers.add(reader)
        return reader

    async def close_own(self, reader: Reader) -> None:
        """Close a reader that `open_own` has returned."""
        self._own_readers.discard(reader)
        await reader.close()

    def new_inbox(self, record_filter: Filter | None) -> Inbox:
        """Return an inbox for the shared reading."""
        return Inbox(record_filter, self._queue_size, resumes=self.source.keeps == "offsets")

    def begin(self, reader: Reader, offset: str | None) -> SharedReading:
        """Share a reader from now on.

        Args:
            reader: the reader.
            offset: its offset, None if it has not begun to read.
        """

        def end(reading: SharedReading) -> None:
            if self.reading is reading:
                self.reading = None

        self._own_readers.discard(reader)
        self.reading = SharedReading(
            reader,
            offset,
            max_line_size=self._max_line_size,
            recent_size=self._queue_size,
            on_end=end,
        )
        return self.reading


class SharedReader:
    """Read through the shared reading of a source if possible, otherwise with a separate reader.

    Args:
        shared: the source.
        start: where to start.
        record_filter: as for `SharedSource.open`.

    Attributes:
        is_sharing: whether it uses the shared reading.
    """

    def __init__(self, shared: SharedSource, start: str, record_filter: Filter | None) -> None:
        self._shared = shared
        self._filter = record_filter
        self._offset = start
        self._own: Reader | None = None
        self._reading: SharedReading | None = None
        self._inbox = shared.new_inbox(record_filter)
        if start == NOW:
            self._reading = shared.reading or shared.begin(shared.source.open(NOW), None)
            self._reading.join(self._inbox)
        else:
            self._own = shared.open_own(start)

    @property
    def is_sharing(self) -> bool:
        return self._own is None

    async def read(self) -> Batch | Notice | None:
        item: Batch | Notice | None = None
        if self._own is None:
            try:
                item = await self._inbox.take()
            except FellBehindError:
                await self._leave()
                self._own = self._shared.open_own(self._offset)
        if self._own is not None:
            item = await self._own.read()
        if isinstance(item, Batch) and item.offset:
            self._offset = item.offset
            if self._own is not None:
                await self._share(self._own, item)
        return item

    async def lag(self) -> Lag | None:
        # Records in the inbox are not counted: they are few.
        reading = self._own or self._reading
        return None if reading is None else await reading.lag()

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, tuple)
        if self._reading is not None:
            await self._reading.acknowledge(receipt)

    async def close(self) -> None:
        await self._leave()
        own, self._own = self._own, None
        if own is not None:
            await self._shared.close_own(own)

    async def _share(self, own: Reader, batch: Batch) -> None:
        """Continue with the shared reading after a batch of the separate reader, if possible."""
        inbox = self._shared.new_inbox(self._filter)
        reading = self._shared.reading
        if reading is not None and reading.resume(inbox, batch.offset):
            self._inbox, self._reading, self._own = inbox, reading, None
            await self._shared.close_own(own)
        elif reading is None and batch.is_last:
            reading = self._shared.begin(own, batch.offset)
            reading.resume(inbox, batch.offset)
            self._inbox, self._reading, self._own = inbox, reading, None

    async def _leave(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            await reading.leave(self._inbox)
