"""The records published to a source in memory, for one pipeline in the same process."""

from __future__ import annotations

import dataclasses

from forstcore.errors import OffsetError
from forstcore.sources import NOW, Batch, Keeps
from forstcore.sources.memory import MemoryReader, MemorySource

__all__ = ["PublishedSource"]


class PublishedSource:
    """All records published since the start of the process, each once.

    A restarted pipeline continues after the acknowledged records, as far as the ring still has
    those that follow.

    Args:
        memory: the source to which they are published.

    Attributes:
        name: name of the source.
        done: number of acknowledged records.
        memory: as above.
        is_ended: whether nothing more will be published.
    """

    is_shared = True
    keeps: Keeps = "nothing"

    def __init__(self, memory: MemorySource) -> None:
        self.name = memory.name
        self.memory = memory
        self.done = 0
        self.is_ended = False

    def check(self, start: str) -> None:
        if start != NOW:
            raise OffsetError(
                self.name,
                "is read from the start of the server on, or where it was stopped: omit start",
            )

    def open(self, start: str, session: str = "") -> PublishedReader:
        return PublishedReader(self)

    async def close(self) -> None:
        """Do nothing: subscribers read the memory, too."""

    def end(self) -> None:
        """Record that nothing more will be published: readers end after the last record."""
        self.is_ended = True
        self.memory.wake()


class PublishedReader(MemoryReader):
    """Read published records.

    Args:
        published: knows where to start, and tracks acknowledgements.
    """

    def __init__(self, published: PublishedSource) -> None:
        super().__init__(published.memory, published.done)
        self._published = published

    async def read(self) -> Batch | None:  # type: ignore[override]  # That of the base never ends.
        memory = self._published.memory
        while not self._is_new and self._number == memory.count:
            if self._published.is_ended:
                return None
            await memory.changed()
        batch = await super().read()
        return dataclasses.replace(batch, receipt=self._number)

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, int)
        self._published.done = receipt
