"""`/real-time-process`: the results of a source, for as long as the client wants them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from aiohttp import hdrs, web

from forstcore import Filter, FilterError, wire
from forstcore.errors import OffsetError
from forstcore.processors import BUILT_IN, Processor
from forstcore.sources import NOW
from forstcore.wire import StreamErrorCode
from server.errors import ProblemError, StreamError
from server.http.access import is_from_elsewhere
from server.http.request_headers import accepts, ack_mode, on_error, with_query_headers
from server.live.acknowledgements import acknowledgements
from server.live.event_stream import END_ID, EventId, EventStream
from server.live.feed_processor import PASS_THROUGH
from server.live.feed_registry import FEEDS, FeedRegistry
from server.live.live_control_lines import LiveControlLines
from server.live.subscriber import Subscriber
from server.live.subscription_counters import SubscriptionCounters
from server.live.subscription_request import SubscriptionRequest
from server.observe.metrics import Carrier
from server.streams.handler import StreamHandler
from server.streams.registry import REGISTRY, StreamRegistry
from server.streams.response_writer import ResponseWriter, StreamingResponse
from server.streams.web_socket import is_web_socket, web_socket_request
from server.streams.web_socket_stream import WebSocketWriter

__all__ = ["SUBSCRIPTION", "real_time_process", "watch_events"]

_LOGGER = logging.getLogger("forstcore")

_MOST = 1 << 16  # Bytes of a request: parsing more JSON would block all other streams.
SUBSCRIPTION: dict[str, tuple[type, str]] = {
    "source": (str, "the name of a source"),
    "filters": (dict, "an object"),
    "from": (str, "an offset, 'start' or 'now'"),
    "processor": (str, "the name of a processor"),
}
"""The members of a subscription, or the parameters of its query: their types, and what they are."""


_GOES_ON = (
    f"{wire.FORST_ACK}: 1 needs a request that stays open: the subscription as its first line, "
    "then lines such as ':ack 12'"
)
_ASK_AGAIN = (
    f"this source redelivers records until they are acknowledged: send {wire.FORST_ACK}: 1 and "
    f"acknowledge them in the request, or omit {wire.FORST_ACK} to receive them at most once"
)


async def real_time_process(request: web.Request) -> web.StreamResponse:
    """Answer `POST /real-time-process`."""
    subscription = SubscriptionHandler(request, request.app[REGISTRY], request.app[FEEDS])
    await subscription.read_request()
    return await subscription.run()


async def watch_events(request: web.Request) -> web.StreamResponse:
    """Answer `GET /real-time-process`, which is for EventSource and WebSockets."""
    if is_web_socket(request):
        request = web_socket_request(request)
        subscription = SubscriptionHandler(request, request.app[REGISTRY], request.app[FEEDS])
        subscription.use_query()
        return await subscription.run()
    if is_from_elsewhere(request):
        raise ProblemError(403, "pages of other sites must use EventSource or fetch")
    request = with_query_headers(request)
    subscription = SubscriptionHandler(
        request, request.app[REGISTRY], request.app[FEEDS], as_events=True
    )
    if request.headers.get(wire.LAST_EVENT_ID) == END_ID:
        # EventSource reconnects whatever the reason was; only this status stops it.
        return web.Response(status=204)
    subscription.use_query()
    return await subscription.run()


class _SocketSubscriber(WebSocketWriter, Subscriber):
    """A subscriber over a WebSocket."""


class SubscriptionHandler(StreamHandler):
    """The results of a source as a stream.

    Args:
        request, registry: as for `StreamHandler`.
        feeds: has the sources.
        as_events: whether to answer with Server-Sent Events, whatever `Accept` has.
    """

    stream: SubscriptionCounters
    core_seconds = 0.0

    @property
    def missed(self) -> int:
        return self._counters.missed

    def __init__(
        self,
        request: web.Request,
        registry: StreamRegistry,
        feeds: FeedRegistry,
        *,
        as_events: bool = False,
    ) -> None:
        counters = SubscriptionCounters()
        super().__init__(request, registry, counters)
        self._counters = counters
        self._feeds = feeds
        self._wanted: SubscriptionRequest | None = None
        self._ack_mode = ack_mode(request)
        self._pieces = self.body.pieces()
        self._behind_request = b""
        self._live = LiveControlLines(counters) if self._control_lines else None
        self._as_events = as_events or accepts(request, wire.EVENTS_TYPE)
        if self._as_events and self._ack_mode == "1":
            raise ProblemError(
                400, f"Server-Sent Events cannot be acknowledged: omit {wire.FORST_ACK}"
            )
        self._delivery: wire.Delivery | None = None
        self._subscriber: Subscriber | None = None

    @property
    def source(self) -> str | None:
        """Name of the source; None before the request has been read."""
        return self._wanted.source if self._wanted else None

    async def read_request(self) -> None:
        """Read the subscription from the body.

        Raises:
            ProblemError: it is not valid.
        """
        self._registry.check_room()
        try:
            self._wanted = self._parse_request(_object(await self._read_request()))
        except ProblemError:
            self.body.stop()
            raise
        if self._ack_mode != "1":
            self.body.stop()

    def use_query(self) -> None:
        """Read the subscription from the query of a GET request.

        Raises:
            ProblemError: it is not valid.
        """
        self._registry.check_room()
        self._wanted = self._parse_request(_object_of_query(self.request))
        if self._ack_mode != "1":
            self.body.stop()

    def _parse_request(self, wanted: Mapping[str, Any]) -> SubscriptionRequest:
        start = wanted.get("from", NOW)
        if self._as_events:
            place = EventId.parse(self.request.headers.get(wire.LAST_EVENT_ID, start))
            start = place.offset
            self._live = EventStream(self._counters, place)
        subscription = SubscriptionRequest(
            self._source(wanted),
            _filters(wanted),
            start,
            self._processor(wanted.get("processor")),
            on_error(self.request),
            self._ack_mode == "1",
        )
        try:
            self._feeds.check(subscription)
        except OffsetError as error:
            raise ProblemError(400, f"from: {error}") from None
        keeps = self._feeds.keeps(subscription)
        if self._ack_mode == "if-needed" and keeps == "unacknowledged":
            raise ProblemError(428, _ASK_AGAIN)
        if keeps != "offsets":
            is_certain = self._feeds.is_acknowledged(subscription)
            self._delivery = "at-least-once" if is_certain else "at-most-once"
            if self._live is not None:
                self._live.delivery = self._delivery
                self._live.acks_all = is_certain
        return subscription

    async def _read_request(self) -> bytes:
        """Read the whole body, or its first line if the client acknowledges records."""
        body = bytearray()
        self.body.start()
        try:
            async with asyncio.timeout(self._config.timeout):
                async for piece in self._pieces:
                    body += piece
                    end = body.find(b"\n") if self._ack_mode == "1" else -1
                    if (end if end >= 0 else len(body)) > _MOST:
                        raise ProblemError(413, f"the request is longer than {_MOST} bytes")
                    if end >= 0:
                        self._behind_request = bytes(body[end + 1 :])
                        return bytes(body[:end])
        except StreamError as error:
            raise ProblemError(error.status, error.detail) from None
        except TimeoutError:
            raise ProblemError(408, "the request did not end in time (timeout)") from None
        if self._ack_mode == "1":
            raise ProblemError(400, _GOES_ON)
        return bytes(body)

    def drain(self) -> None:
        self.interrupt(
            StreamError(
                StreamErrorCode.DRAINING,
                "the server is shutting down; resume elsewhere from the last :offset",
            )
        )

    def _start_body(self) -> None:
        # `read_request` has started it.
        pass

    def _more_headers(self) -> Mapping[str, str]:
        headers: dict[str, str] = {hdrs.VARY: hdrs.ACCEPT}
        if self._delivery:
            headers[wire.FORST_DELIVERY] = self._delivery
        return headers

    def _carrier(self) -> Carrier:
        return "events" if self._as_events else super()._carrier()

    def _media_type(self) -> str:
        return wire.EVENTS_TYPE if self._as_events else super()._media_type()

    def _source(self, wanted: Mapping[str, Any]) -> str:
        if "source" not in wanted:
            raise ProblemError(400, "source is missing: the name of a source")
        name: str = wanted["source"]
        if name not in self._feeds.sources:
            raise ProblemError(404, f"there is no source {name!r}; {self._feeds.names()}")
        return name

    def _processor(self, name: str | None) -> Processor:
        if name is None:
            return BUILT_IN
        declared = self._registry.processors
        if name in declared:
            return declared[name]
        if name == PASS_THROUGH.name:
            return PASS_THROUGH
        names = ", ".join(sorted({*declared, PASS_THROUGH.name}))
        raise ProblemError(400, f"processor: there is no {name!r}; there are {names}")

    def _writer_for(self, response: StreamingResponse, coding: str | None) -> ResponseWriter:
        kind = Subscriber if self.socket is None else _SocketSubscriber
        self._subscriber = kind(
            self._counters,
            self._config.queue_size,
            self._protocol,
            response,
            self._config,
            self._live,
            coding,
        )
        return self._subscriber

    async def _process(self, writer: ResponseWriter) -> None:
        subscriber = self._subscriber
        assert subscriber is not None
        assert self._wanted is not None
        # The request has only one line.
        self.begin()
        if isinstance(self._live, EventStream):
            subscriber.start_events(self._live)
        reading: asyncio.Task[None] | None = None
        if self._ack_mode == "1":
            reading = asyncio.create_task(self._read_acknowledgements(subscriber))
        else:
            # Only the end of the connection shows that the client has disconnected.
            self._protocol.end_with_client()
        self._feeds.join(self._wanted, subscriber)
        try:
            error = await subscriber.ended
        finally:
            feed = self._feeds.leave(subscriber)
            if reading is not None:
                reading.cancel()
                await asyncio.wait([reading])
        if error is not None:
            raise error
        if feed is not None and self._feeds.is_acknowledged(self._wanted):
            # `:end` confirms that the source has all acknowledgements.
            await feed.close()
        await subscriber.flushed()
        await subscriber.end()

    async def _read_acknowledgements(self, subscriber: Subscriber) -> None:
        """Read acknowledgements until the request ends, which ends the subscription."""
        error: StreamError | None = None
        try:
            async with (
                aclosing(self._pieces) as pieces,
                aclosing(acknowledgements(pieces, self._behind_request)) as numbers,
            ):
                async for lines in numbers:
                    subscriber.acknowledge(lines)
        except StreamError as ending:
            error = ending
        except Exception:
            _LOGGER.exception("a subscription ended by an error of the server")
            error = StreamError(StreamErrorCode.INTERNAL)
        subscriber.finish(error)

    def is_processing(self) -> bool:
        # The source is slow.
        return True


def _object(body: bytes) -> dict[str, Any]:
    try:
        wanted = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, f"the request is not JSON: {error}") from None
    if not isinstance(wanted, dict):
        raise ProblemError(400, 'the request must be a JSON object, such as {"source": "events"}')
    for name, value in wanted.items():
        if name not in SUBSCRIPTION:
            members = ", ".join(SUBSCRIPTION)
            raise ProblemError(400, f"{name}: there is no such member; there are {members}")
        kind, text = SUBSCRIPTION[name]
        if not isinstance(value, kind):
            raise ProblemError(400, f"{name} must be {text}")
    return wanted


def _object_of_query(request: web.Request) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        name: value for name, value in request.query.items() if name in SUBSCRIPTION
    }
    if "filters" in wanted:
        try:
            wanted["filters"] = json.loads(wanted["filters"])
        except (ValueError, RecursionError) as error:
            raise ProblemError(400, f"filters is not JSON: {error}") from None
        if not isinstance(wanted["filters"], dict):
            raise ProblemError(400, "filters must be an object")
    return wanted


def _filters(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    filters: Mapping[str, Any] = wanted.get("filters", {})
    try:
        Filter(filters)
    except FilterError as error:
        raise ProblemError(400, str(error)) from None
    return filters
