"""Base of the readers of Redis Streams: how many entries to fetch, and their lines."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

from forstcore.errors import SourceError
from forstcore.sources import Batch, Notice
from forstcore.sources._broker import BrokerReader, on_one_line
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._resp import Cut

__all__ = [
    "BLOCK",
    "UNAVAILABLE",
    "Entries",
    "RedisReader",
    "members_of",
    "order_of",
    "text_of",
]

Entries: TypeAlias = list[tuple[bytes | None, dict[bytes, bytes] | None]]

BLOCK = 2.0
"""Seconds that Redis may wait for new entries before it replies."""

UNAVAILABLE = (
    ConnectionError,
    TimeoutError,
    OSError,
    ReadOnlyError,
    MasterDownError,
    ClusterDownError,
)
"""Errors after which another connection may help."""

_INITIAL_COUNT = 16  # Entries that are fetched at first.
_MAX_COUNT = 500  # Maximum number of entries that are fetched at once.
_TARGET_SIZE = 1 << 20  # Bytes that a reply should have.
_DOCUMENT_FIELDS = (b"data", b"json")  # If one of these is the only field, its value is the record.


class FetchSize:
    """How many entries to fetch, based on the size of the last ones.

    Args:
        most: maximum number of entries.

    Attributes:
        count: the number of entries to fetch.
    """

    def __init__(self, most: int = _MAX_COUNT) -> None:
        self._most = most
        self.count = min(_INITIAL_COUNT, most)

    def complete(self, entries: Entries) -> Entries:
        """Return the entries that arrived in full, or only the first one if that is too large."""
        if not _is_cut(entries[-1]):
            return entries
        # Everything after a string that was cut is cut as well.
        first = next(place for place, entry in enumerate(entries) if _is_cut(entry))
        self.count = 1
        return entries[: max(1, first)]

    def adapt(self, largest: int) -> None:
        """Adapt to the size of the largest of the last entries."""
        self.count = max(1, min(self._most, 2 * self.count, _TARGET_SIZE // max(1, largest)))


class RedisReader(BrokerReader):
    """Reads a stream.

    Args:
        name, log, max_line_size: as for `BrokerReader`.
        max_count: maximum number of entries that are fetched at once.
    """

    transient_errors = UNAVAILABLE

    def __init__(
        self, name: str, log: BrokerLog, max_line_size: int, max_count: int = _MAX_COUNT
    ) -> None:
        super().__init__(name, log, max_line_size)
        self._max_count = max_count
        self._fetch_size = FetchSize(max_count)

    async def read(self) -> Batch | Notice:
        try:
            return await super().read()
        except RedisError as error:
            raise SourceError(self._name, f"cannot be read: {error}") from None

    async def _disconnect(self) -> None:
        # The connection may have failed because the reply was too large.
        self._fetch_size = FetchSize(self._max_count)

    def _lines_of(self, entries: Entries) -> bytes:
        """Return a line for each entry that still exists."""
        limit = self._max_line_size
        lines = [_line(fields, limit) for _, fields in entries if fields]
        if not lines:
            return b""
        largest = max(map(len, lines))
        self._fetch_size.adapt(largest)
        if largest > limit + 1:
            for entry_id, fields in entries:
                if fields and len(_line(fields, limit)) > limit + 1:
                    self._log_too_long(f"entry {text_of(entry_id)}")
        return b"".join(lines)


def text_of(value: Any) -> str:
    """Return a reply of Redis as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def members_of(flat: list[Any]) -> dict[str, Any]:
    """Return the members of a reply that has names and values in turn."""
    return {text_of(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def order_of(entry_id: Any) -> tuple[int, int]:
    """Return a key that orders ids of entries."""
    milliseconds, _, number = text_of(entry_id).partition("-")
    return int(milliseconds), int(number or 0)


def _is_cut(entry: tuple[bytes | None, dict[bytes, bytes] | None]) -> bool:
    entry_id, fields = entry
    if type(entry_id) is Cut:
        return True
    # If a field's name was cut, its value was cut as well.
    return any(type(value) is Cut for value in (fields or {}).values())


def _line(fields: dict[bytes, bytes], limit: int) -> bytes:
    """Return an entry as a JSON line with its LF; only the start of one that is too long."""
    if len(fields) == 1:
        ((name, text),) = fields.items()
        if name in _DOCUMENT_FIELDS and text.lstrip()[:1] == b"{":
            return on_one_line(text[: limit + 1]) + b"\n"
    record = {
        name.decode(errors="replace"): text.decode(errors="replace")
        for name, text in fields.items()
    }
    return json.dumps(record, ensure_ascii=False).encode()[: limit + 1] + b"\n"
