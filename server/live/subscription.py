"""What a subscription counts and, with frames, tells its client beside the results."""

from __future__ import annotations

import json

from forstcore import wire
from server.http.control_lines import ControlLines, marks
from server.live.delivery import Delivery

__all__ = ["LiveControlLines", "SubscriptionCounters"]


class SubscriptionCounters:
    """The counters of one subscription.

    Attributes:
        lines: lines of the source that were delivered.
        records, results, bytes_in, bytes_out: as of a stream.
        missed: records that were not delivered, as far as somebody counts them.
    """

    failed = False

    def __init__(self) -> None:
        self.lines = 0
        self.records = 0
        self.results = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.missed = 0
        self._errors: dict[str, int] = {}

    @property
    def errors(self) -> int:
        """Lines that were no record, or that the processor failed on."""
        return sum(self._errors.values())

    def errors_by_code(self) -> dict[str, int]:
        """Count the errors by their code."""
        return dict(self._errors)

    def take_rejected(self) -> None:
        """Return nothing: a source's lines are those of many subscribers; see `Delivery`."""

    def add(self, delivery: Delivery, missed: int | None) -> None:
        """Count a delivery, and what was missed before it."""
        counts = delivery.counts
        self.lines += counts.lines
        self.records += counts.records
        self.results += counts.results
        self.bytes_in += counts.bytes_in
        self.bytes_out += len(delivery.results)
        self.missed += missed or 0
        for code, count in counts.errors.items():
            self._errors[code] = self._errors.get(code, 0) + count


class LiveControlLines(ControlLines):
    """Write the control lines of one subscription.

    Args:
        tally: its counters.

    Attributes:
        delivery: how certain delivery is, to be told first; empty if offsets make that certain.
        acks_all: whether lines without results are acknowledged as well, before a heartbeat is
            due.
    """

    def __init__(self, counters: SubscriptionCounters) -> None:
        super().__init__(counters)
        self.delivery = ""
        self.acks_all = False
        self._offset = ""

    def ack(self) -> bytes:
        """Write how far this stream is; alone it is a heartbeat."""
        if not self._offset:
            return super().ack()
        # The offset holds from the acknowledgement on: they are one to who reads them.
        return wire.control_line(wire.OFFSET, self._offset.encode()) + super().ack()

    def before(self, delivery: Delivery, missed: int | None) -> bytes:
        """Write what is to be said before the results of a delivery."""
        said = b""
        if self.delivery:
            said = wire.control_line(wire.DELIVERY, self.delivery.encode())
            self.delivery = ""
        if missed != 0:
            said += wire.control_line(wire.MISSED, b"?" if missed is None else b"%d" % missed)
        if delivery.notice is not None:
            notice: dict[str, str] = {"state": delivery.notice.state}
            if delivery.notice.detail:
                notice["detail"] = delivery.notice.detail
            said += wire.control_line(wire.SOURCE, json.dumps(notice).encode())
        return said + marks(delivery.places)

    def behind(self, delivery: Delivery) -> bytes:
        """Write what is to be said behind the results of a delivery."""
        self.digest.update(delivery.results)
        if delivery.offset:
            self._offset = delivery.offset
        # Where filters let nothing through, the heartbeat tells how far it is.
        is_news = self.acks_all and delivery.counts.lines
        return self.ack() if delivery.results or delivery.is_start or is_news else b""
