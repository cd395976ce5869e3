"""Server-Sent Events: the form in which the EventSource of a browser reads a live stream."""

from __future__ import annotations

from dataclasses import dataclass

from forstcore import wire
from forstcore.wire import EventType
from server.errors import StreamError, problem
from server.live.delivery import Delivery
from server.live.live_control_lines import LiveControlLines, notice_text
from server.live.subscription_counters import SubscriptionCounters

__all__ = ["END_ID", "EventId", "EventStream"]

END_ID = ":end"
"""The id of the last event of a stream that has ended for good."""

_RETRY = 1000  # Milliseconds after which EventSource reconnects.
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class EventId:
    """The position of an event in a source.

    Attributes:
        offset: an offset of the source, empty if there is none.
        results: the number of results after that offset, up to and including the event.
    """

    offset: str
    results: int = 0

    @classmethod
    def parse(cls, text: str) -> EventId:
        """Parse the id of an event, or an offset."""
        offset, mark, count = text.rpartition(";")
        if mark and count.isascii() and count.isdigit() and len(count) <= _DIGITS:
            return cls(offset, int(count))
        return cls(text)

    def __str__(self) -> str:
        return f"{self.offset};{self.results}" if self.results else self.offset


class EventStream(LiveControlLines):
    """Write a subscription as Server-Sent Events.

    Each result is an event without a name, whose id says where to resume after it. Sources have
    offsets only between batches, so the id of a result within a batch also has its number there.

    Args:
        counters: the counters of the subscription.
        start: where it starts.
    """

    def __init__(self, counters: SubscriptionCounters, start: EventId) -> None:
        super().__init__(counters)
        self._skip = start.results  # Results that the client already has.
        self._results = 0  # Results since the offset.
        self._written = ""  # The offset that the client knows.
        self._can_resume = False
        if start.results:
            self._offset = self._written = start.offset
            self._can_resume = True

    def start(self) -> bytes:
        """Return what precedes all events."""
        return b"retry: %d\n\n" % _RETRY

    def ack(self) -> bytes:
        """Return a heartbeat, which keeps the connection open and reports a new offset."""
        if self._offset == self._written or self._results:
            return b":\n\n"
        self._written = self._offset
        return b"id: %b\n\n" % self._offset.encode()

    def events(self, delivery: Delivery, missed: int | None) -> bytes:
        """Return the events of a delivery.

        Args:
            delivery: the delivery.
            missed: the number of records that are missing before it, None if unknown.
        """
        events = []
        if missed != 0:
            # Missing records may be among the results to be skipped.
            self._skip = 0
            events.append(_event(EventType.MISSED, b"null" if missed is None else b"%d" % missed))
        if delivery.notice is not None:
            events.append(_event(EventType.SOURCE, notice_text(delivery.notice)))
        self.digest.update(delivery.results)
        events.append(self._result_events(delivery))
        if delivery.is_start:
            events.append(self.ack())
        return b"".join(events)

    def end(self) -> bytes:
        return _event(EventType.END, _content(super().end()), END_ID.encode())

    def error(self, error: StreamError) -> bytes:
        # "error" is the name of EventSource's own events. It reconnects where that can help.
        last_id = b"" if error.code in wire.RETRIABLE_CODES else END_ID.encode()
        content = problem(error.status, error.detail, code=error.code)
        return _event(EventType.FAILURE, content, last_id)

    def _result_events(self, delivery: Delivery) -> bytes:
        # A CR is white space in JSON, but would end a line of the event.
        lines = delivery.results.replace(b"\r", b" ").split(b"\n")[:-1]
        invalid = {int(place) for place in delivery.rejected_line.split()[1:]}
        before = self._offset.encode() if self._can_resume else b""
        first = self._results + 1
        self._results += len(lines)
        last_id = b""
        if delivery.offset:
            self._offset, self._results, self._can_resume = delivery.offset, 0, True
            last_id = delivery.offset.encode()
        skipped = min(self._skip, len(lines))
        # The batches may be smaller than those in which the client had them.
        self._skip -= skipped
        if lines and last_id:
            self._written = self._offset
        events = []
        for number, line in enumerate(lines[skipped:], first + skipped):
            is_last = number - first + 1 == len(lines)
            place = last_id if is_last and last_id else before and b"%b;%d" % (before, number)
            name = EventType.INVALID if number - first + 1 in invalid else None
            events.append(_event(name, line, place))
        if skipped and skipped == len(lines) and last_id:
            events.append(b"id: %b\n\n" % last_id)
        return b"".join(events)


def _event(name: EventType | None, data: bytes, place: bytes = b"") -> bytes:
    """Return an event.

    Args:
        name: its type, None for a result.
        data: a line.
        place: its id, empty for that of the previous event.
    """
    named = b"event: %b\n" % name.encode() if name else b""
    placed = b"id: %b\n" % place if place else b""
    return b"%b%bdata: %b\n\n" % (placed, named, data)


def _content(line: bytes) -> bytes:
    """Return what follows the name of a control line."""
    return line.partition(b" ")[2].rstrip(b"\n")
