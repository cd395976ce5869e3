"""`POST /real-time-process`: the results of a source, for as long as the client wants them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.http import StreamWriter

from forstcore import Filter, FilterError
from forstcore.errors import OffsetError
from forstcore.processors import BUILT_IN, Processor
from forstcore.sources import NOW
from server.delivery import PASS
from server.errors import ProblemError, StreamError
from server.exchange import Exchange, on_error
from server.hub import HUB, Hub, Order
from server.live import LiveFrames, Tally
from server.outlet import Outlet, StreamingResponse
from server.state import STATE, State
from server.subscriber import Subscriber
from server.takeover import Takeover

__all__ = ["real_time_process"]

_MOST = 1 << 20  # Bytes of a request.
_MEMBERS: dict[str, tuple[type, str]] = {
    "source": (str, "the name of a source"),
    "filters": (dict, "an object"),
    "from": (str, "an offset, 'start' or 'now'"),
    "processor": (str, "the name of a processor"),
}


async def real_time_process(request: web.Request) -> web.StreamResponse:
    """Answer `POST /real-time-process`."""
    subscription = Subscription(request, request.app[STATE], request.app[HUB])
    await subscription.read_order()
    return await subscription.run()


class Subscription(Exchange):
    """A stream of results of records that nobody sends.

    Args:
        request, state: as for `Exchange`.
        hub: has the sources.
    """

    stream: Tally
    core_seconds = 0.0

    @property
    def missed(self) -> int:
        return self._tally.missed

    def __init__(self, request: web.Request, state: State, hub: Hub) -> None:
        tally = Tally()
        super().__init__(request, state, tally)
        self._tally = tally
        self._hub = hub
        self._order: Order | None = None
        self._live = LiveFrames(tally) if self._frames else None
        self._subscriber: Subscriber | None = None

    @property
    def source(self) -> str | None:
        """Name of the source; None before the order has been read."""
        return self._order.source if self._order else None

    async def read_order(self) -> None:
        """Read what the client wants.

        Raises:
            ProblemError: it cannot be had.
        """
        self._state.check_room()
        body = bytearray()
        self.intake.start()
        try:
            async with asyncio.timeout(self._config.timeout):
                async for piece in self.intake.pieces():
                    body += piece
                    if len(body) > _MOST:
                        raise ProblemError(413, f"the request is longer than {_MOST} bytes")
        except StreamError as error:
            raise ProblemError(error.status, error.detail) from None
        except TimeoutError:
            raise ProblemError(408, "the request did not end in time (timeout)") from None
        finally:
            self.intake.stop()
        wanted = _object(body)
        self._order = Order(
            self._source(wanted),
            _filters(wanted),
            wanted.get("from", NOW),
            self._processor(wanted.get("processor")),
            on_error(self.request),
        )
        try:
            self._hub.check(self._order)
        except OffsetError as error:
            raise ProblemError(400, f"from: {error}") from None

    def drain(self) -> None:
        self.interrupt(
            StreamError(
                "draining", 503, "the server is going down; go on elsewhere from the last :offset"
            )
        )

    def _source(self, wanted: Mapping[str, Any]) -> str:
        if "source" not in wanted:
            raise ProblemError(400, "source is missing: the name of a source")
        name: str = wanted["source"]
        if name not in self._hub.sources:
            raise ProblemError(404, f"there is no source {name!r}; {self._hub.names()}")
        return name

    def _processor(self, name: str | None) -> Processor:
        if name is None:
            return BUILT_IN
        declared = self._state.processors
        if name in declared:
            return declared[name]
        if name == PASS.name:
            return PASS
        names = ", ".join(sorted({*declared, PASS.name}))
        raise ProblemError(400, f"processor: there is no {name!r}; there are {names}")

    def _outlet_for(
        self, response: StreamingResponse, writer: StreamWriter, coding: str | None
    ) -> Outlet:
        self._subscriber = Subscriber(
            self._tally,
            self._config.queue_size,
            self._protocol,
            response,
            writer,
            self._config,
            self._live,
            coding,
        )
        return self._subscriber

    async def _process(self, outlet: Outlet, takeover: Takeover | None) -> None:
        subscriber = self._subscriber
        assert subscriber is not None
        assert self._order is not None
        # Nothing but the end of the connection tells that the client has gone.
        self._protocol.end_with_client()
        self._hub.join(self._order, subscriber)
        try:
            error = await subscriber.ended
        finally:
            self._hub.leave(subscriber)
        if error is not None:
            raise error
        await subscriber.flushed()
        await subscriber.end()

    def is_processing(self) -> bool:
        # The source takes its time.
        return True


def _object(body: bytearray) -> dict[str, Any]:
    try:
        wanted = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, f"the request is not JSON: {error}") from None
    if not isinstance(wanted, dict):
        raise ProblemError(400, 'the request must be a JSON object, such as {"source": "events"}')
    for name, value in wanted.items():
        if name not in _MEMBERS:
            raise ProblemError(400, f"{name}: there is no such member; {', '.join(_MEMBERS)} are")
        kind, text = _MEMBERS[name]
        if not isinstance(value, kind):
            raise ProblemError(400, f"{name} must be {text}")
    return wanted


def _filters(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    filters: Mapping[str, Any] = wanted.get("filters", {})
    try:
        Filter(filters)
    except FilterError as error:
        raise ProblemError(400, str(error)) from None
    return filters
