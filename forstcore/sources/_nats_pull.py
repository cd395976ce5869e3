"""Messages of a JetStream consumer, requested when they are needed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

from forstcore.sources._nats_connection import NatsConnection

__all__ = ["Place", "Pull"]

_MAX_COUNT = 500  # Messages per request.
_MAX_SIZE = 1 << 20  # Bytes per request; a larger message is requested alone.
_EXPIRY = 30.0  # Seconds after which the server drops a request.
_HEARTBEAT = 5.0  # Seconds after which the server confirms that it still has a request.
_SILENCE = 12.0  # Seconds without message or heartbeat after which the request counts as lost.


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a message in its stream.

    Attributes:
        sequence: its number in the stream.
        stored_at: when it was stored, in nanoseconds; distinguishes messages with the same number
            in streams of the same name.
        pending: how many messages the consumer has after it.
    """

    sequence: int
    stored_at: int
    pending: int

    @classmethod
    def of(cls, message: Msg) -> Place:
        """Return the position of a message that a consumer has delivered.

        Raises:
            nats.errors.Error: it is not from a consumer.
        """
        tokens = message.reply.split(".")
        # Longer subjects have a domain and a hash of the account.
        after = 5 if len(tokens) == 9 else 7
        try:
            sequence, _, stored_at, pending = map(int, tokens[after : after + 4])
        except ValueError:
            raise Error("nats: a message is not from JetStream") from None
        return cls(sequence, stored_at, pending)


class Pull:
    """The messages of a pull consumer.

    At most one request is open, so only its messages wait in memory.

    Args:
        connection: the connection.
        stream: name of the stream.
        consumer: name of the consumer.
    """

    def __init__(self, connection: NatsConnection, stream: str, consumer: str) -> None:
        self._connection = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = connection.new_inbox()
        self._subscription: Subscription | None = None
        self._number = 0  # of the last request
        self._left = 0  # Messages that its request may still bring; 0 if there is none.
        self._is_empty = True  # Whether the request has brought nothing yet.
        self._takes_large = False  # Whether the next message is too large for a request of many.
        self._messages: list[Msg] = []
        self._failed_by: Exception | None = None
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> int:
        """The number of messages that have arrived and not been taken."""
        return len(self._messages)

    async def start(self) -> None:
        """Prepare to receive messages."""
        # The requests limit what waits here; nats-py would drop messages beyond its own limits.
        self._subscription = await self._connection.subscribe(
            f"{self._inbox}.*", cb=self._take, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def messages(self) -> list[Msg]:
        """Wait for messages; return those that have arrived together.

        Raises:
            nats.errors.Error: the connection or the consumer is lost.
        """
        while not self._messages:
            if self._failed_by is not None:
                raise self._failed_by
            self._arrived.clear()
            if not self._left:
                await self._request()
            try:
                async with asyncio.timeout(_SILENCE):
                    await self._connection.unless_lost(self._arrived.wait())
            except TimeoutError:
                raise Error("nats: the server has been silent for too long") from None
        messages, self._messages = self._messages, []
        return messages

    async def stop(self) -> list[Msg]:
        """End the request; return the messages that have not been taken."""
        if self._subscription is not None:
            await self._subscription.drain()  # type: ignore[no-untyped-call]
        messages, self._messages = self._messages, []
        return messages

    async def _request(self) -> None:
        wanted = {
            "batch": 1 if self._takes_large else _MAX_COUNT,
            "expires": int(_EXPIRY * 1e9),
            "idle_heartbeat": int(_HEARTBEAT * 1e9),
        }
        if not self._takes_large:
            wanted["max_bytes"] = _MAX_SIZE
        self._number += 1
        self._left = wanted["batch"]
        self._is_empty = True
        self._takes_large = False
        await self._connection.publish(
            self._subject, json.dumps(wanted).encode(), f"{self._inbox}.{self._number}"
        )

    async def _take(self, message: Msg) -> None:
        """Receive a message, or a status of the request."""
        if message.reply:
            self._messages.append(message)
            self._left = max(0, self._left - 1)
            self._is_empty = False
        elif message.subject == f"{self._inbox}.{self._number}":
            headers = message.headers or {}
            status, text = headers.get("Status", ""), headers.get("Description", "")
            if status != "100":
                self._end_request(status, text)
        self._arrived.set()

    def _end_request(self, status: str, text: str) -> None:
        self._left = 0
        if status == "409" and "MaxBytes" in text and "exceed" in text.lower():
            self._takes_large = self._is_empty
        elif status == "503":
            self._failed_by = Error("nats: the consumer, or JetStream, is not there")
        elif status not in ("404", "408") and text != "Batch Completed":
            self._failed_by = Error(f"nats: {status} {text}")
