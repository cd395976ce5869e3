"""The control lines of a subscription."""

from __future__ import annotations

import json

from forstcore import wire
from forstcore.sources import Notice
from server.http.control_lines import ControlLines
from server.live.delivery import Delivery
from server.live.subscription_counters import SubscriptionCounters

__all__ = ["LiveControlLines", "notice_text"]


class LiveControlLines(ControlLines):
    """Write the control lines of one subscription.

    Args:
        counters: its counters.

    Attributes:
        delivery: the guarantee to announce first; None if the source has offsets.
        acks_all: whether lines without results are acknowledged immediately, instead of by the
            next heartbeat.
    """

    def __init__(self, counters: SubscriptionCounters) -> None:
        super().__init__(counters)
        self.delivery: wire.Delivery | None = None
        self.acks_all = False
        self._offset = ""

    def ack(self) -> bytes:
        """Return an acknowledgement; alone it is a heartbeat."""
        if not self._offset:
            return super().ack()
        # Clients apply the offset with the acknowledgement after it.
        return wire.control_line(wire.OFFSET, self._offset.encode()) + super().ack()

    def before(self, delivery: Delivery, missed: int | None) -> bytes:
        """Return the control lines before the results of a delivery."""
        lines = b""
        if self.delivery:
            lines = wire.control_line(wire.DELIVERY, self.delivery.encode())
            self.delivery = None
        if missed != 0:
            lines += wire.control_line(wire.MISSED, b"?" if missed is None else b"%d" % missed)
        if delivery.notice is not None:
            lines += wire.control_line(wire.SOURCE, notice_text(delivery.notice))
        return lines + delivery.rejected_line

    def after(self, delivery: Delivery) -> bytes:
        """Return the control lines after the results of a delivery."""
        self.digest.update(delivery.results)
        if delivery.offset:
            self._offset = delivery.offset
        # If filters drop everything, heartbeats report the progress.
        is_due = self.acks_all and delivery.counts.lines
        return self.ack() if delivery.results or delivery.is_start or is_due else b""


def notice_text(notice: Notice) -> bytes:
    """Return a notice as JSON."""
    members: dict[str, str] = {"state": notice.state}
    if notice.detail:
        members["detail"] = notice.detail
    return json.dumps(members).encode()
