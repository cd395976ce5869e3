"""The streams that are open, as rows of a table."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.dashboard.sources import subscribed_source
from server.observe.counters import counters_of
from server.streams.registry import State

if TYPE_CHECKING:
    from server.streams.handler import Exchange

__all__ = ["Streams"]

_MOST = 50  # Rows; what is shown grows no further with the number of streams.


@dataclass
class _Seen:
    number: int
    at: float
    bytes_in: int = 0
    bytes_out: int = 0


class Streams:
    """Tell how fast each stream is, and what it waits for.

    Args:
        state: the streams.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._seen: dict[Exchange, _Seen] = {}
        self._count = 0

    def look(self) -> list[dict[str, object]]:
        """Return the rows of the streams that move most, for the time since the last look."""
        now = time.monotonic()
        seen: dict[Exchange, _Seen] = {}
        rates: list[tuple[float, float, Exchange]] = []
        for exchange in self._state.streams:
            before = self._seen.get(exchange) or self._first(exchange)
            seconds = max(now - before.at, 1e-3)
            counters = counters_of(exchange.stream)
            bytes_in, bytes_out = counters["bytes_in"], counters["bytes_out"]
            rates.append(
                (
                    (bytes_in - before.bytes_in) / seconds,
                    (bytes_out - before.bytes_out) / seconds,
                    exchange,
                )
            )
            seen[exchange] = _Seen(before.number, now, bytes_in, bytes_out)
        self._seen = seen
        most = heapq.nlargest(_MOST, rates, key=lambda rate: rate[0] + rate[1])
        return [
            self._row(seen[exchange].number, exchange, incoming, outgoing, now)
            for incoming, outgoing, exchange in sorted(most, key=lambda rate: seen[rate[2]].number)
        ]

    def forget(self) -> None:
        """Forget the past: nobody looks any more."""
        self._seen.clear()

    def _first(self, exchange: Exchange) -> _Seen:
        self._count += 1
        return _Seen(self._count, exchange.started_at)

    def _row(
        self, number: int, exchange: Exchange, incoming: float, outgoing: float, now: float
    ) -> dict[str, object]:
        outlet, counters = exchange.outlet, counters_of(exchange.stream)
        spooled = len(outlet.spool) if outlet else 0
        if self._state.draining:
            doing = "ending"
        elif spooled:
            doing = "spooling"
        else:
            doing = "flowing" if incoming or outgoing else "idle"
        return {
            "number": number,
            "path": exchange.request.path,
            "source": subscribed_source(exchange),
            "client": exchange.request.remote or "",
            "state": doing,
            "slow": _slow_side(exchange),
            "in": round(incoming),
            "out": round(outgoing),
            "records": counters["records"],
            "errors": counters["errors"],
            "waiting": (outlet.queued() if outlet else 0) + spooled,
            "age": round(now - exchange.started_at),
        }


def _slow_side(exchange: Exchange) -> str:
    """Name the side that the others wait for at this moment."""
    if exchange.outlet is not None and exchange.outlet.waiting:
        return "reader"
    if subscribed_source(exchange):
        return "source"
    is_fed = exchange.intake.waiting and not exchange.is_processing()
    return "sender" if is_fed else "server"
