"""Durable consumers of NATS JetStream: each message goes to one of their readers.

Messages that a reader holds remain its own until it acknowledges them, as long as it is connected.
They go to others at once when it is closed, otherwise after the consumer's `ack_wait`.
"""

from __future__ import annotations

import asyncio
from itertools import islice

from nats.errors import Error
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo
from nats.js.errors import NotFoundError

from forstcore._cancelling import check_cancelled
from forstcore.errors import SourceError
from forstcore.sources import Batch
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._nats_connection import NatsConnection, NatsServer
from forstcore.sources._nats_pull import Place
from forstcore.sources._nats_reader import NatsReader

__all__ = ["DurableReader"]

_MAX_UNACKNOWLEDGED = 5000  # Messages of a new consumer; its readers hold fewer.
_MAX_ACKS = 500  # Acknowledgements that are confirmed together.
_CLOSE_TIMEOUT = 2.0  # Seconds in which a closing reader may give back its messages.

_ACK, _NAK, _IN_PROGRESS = b"+ACK", b"-NAK", b"+WPI"

_Key = tuple[int, int]
"""The sequence number of a message, and when it was stored."""


class DurableReader(NatsReader):
    """A reader of a durable consumer.

    Args:
        name, log, max_line_size, server, stream: as for `NatsReader`.
        durable: name of the consumer.
        subject: which messages a new consumer selects, empty for all.
        ack_wait: seconds after which a new consumer redelivers.
    """

    def __init__(
        self,
        name: str,
        log: BrokerLog,
        max_line_size: int,
        server: NatsServer,
        stream: str,
        durable: str,
        subject: str,
        ack_wait: float,
    ) -> None:
        super().__init__(name, log, max_line_size, server, stream)
        self._durable = durable
        self._subject = subject
        self._ack_wait = ack_wait
        self._is_new = True
        # Where to acknowledge messages: those delivered, and those that are acknowledged, but not
        # to the server yet.
        self._held: dict[_Key, str] = {}
        self._done: dict[_Key, str] = {}
        self._acknowledging = asyncio.Lock()
        self._extending = asyncio.create_task(self._extend())

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, list)
        for key in receipt:
            if (reply := self._held.pop(key, None)) is not None:
                self._done[key] = reply
        await self._send_acknowledgements()

    async def close(self) -> None:
        self._extending.cancel()
        await asyncio.wait([self._extending])
        connection = self._connection
        if self._is_connected and connection is not None:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._send_acknowledgements()
                    await self._give_back(connection)
            except (Error, OSError):
                # The server redelivers them after `ack_wait`.
                pass
            await connection.finish()
        await super().close()

    async def _give_back(self, connection: NatsConnection) -> None:
        assert self._pull is not None
        # Otherwise the server would deliver them to this request again.
        waiting = [each.reply for each in await self._pull.stop()]
        for reply in [*self._held.values(), *waiting]:
            await connection.publish(reply, _NAK)

    async def _send_acknowledgements(self) -> None:
        """Acknowledge to the server; resend unconfirmed acknowledgements after the next message."""
        async with self._acknowledging:
            while self._done and (connection := self._connection) is not None:
                some = list(islice(self._done.items(), _MAX_ACKS))
                try:
                    for _, reply in some[:-1]:
                        await connection.publish(reply, _ACK)
                    # The server takes them in order, so its answer confirms the others as well.
                    await connection.request(some[-1][1], _ACK)
                except (Error, OSError):
                    return
                for key, _ in some:
                    self._done.pop(key, None)

    async def _extend(self) -> None:
        """Keep the server from redelivering messages that are being processed."""
        while True:
            check_cancelled()
            await asyncio.sleep(self._ack_wait / 3)
            connection = self._connection
            if connection is None or not self._is_connected:
                continue
            try:
                for reply in list(self._held.values()):
                    await connection.publish(reply, _IN_PROGRESS)
            except (Error, OSError):
                # `read` notices and reports it.
                continue
            await self._send_acknowledgements()

    async def _open_consumer(self, connection: NatsConnection) -> ConsumerInfo:
        jetstream = connection.jetstream()
        try:
            info: ConsumerInfo = await jetstream.consumer_info(self._stream, self._durable)
        except NotFoundError:
            info = await jetstream.add_consumer(
                self._stream,
                ConsumerConfig(
                    durable_name=self._durable,
                    filter_subject=self._subject or None,
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=self._ack_wait,
                    max_ack_pending=_MAX_UNACKNOWLEDGED,
                ),
            )
        self._check(info.config)
        waits = [info.config.ack_wait, *(info.config.backoff or ())]
        self._ack_wait = min(each for each in waits if each)
        await self._send_acknowledgements()
        return info

    def _check(self, config: ConsumerConfig) -> None:
        """Raise SourceError if the consumer exists with settings that do not fit."""
        wrong = ""
        if config.deliver_subject:
            wrong = "pushes its messages, and must be a pull consumer"
        elif config.ack_policy != AckPolicy.EXPLICIT:
            wrong = "must have the acknowledgement policy 'explicit'"
        elif self._subject and config.filter_subject != self._subject:
            wrong = f"selects {config.filter_subject or 'all subjects'}, not {self._subject}"
        if wrong:
            raise SourceError(self._name, f"cannot be read: the consumer {self._durable!r} {wrong}")

    async def _receive(self) -> Batch:
        if self._is_new:
            self._is_new = False
            return Batch(b"")
        assert self._pull is not None
        while True:
            lines: list[bytes] = []
            receipt: list[_Key] = []
            for message in await self._pull.messages():
                place = Place.of(message)
                key = (place.sequence, place.stored_at)
                if key in self._done:
                    self._done[key] = message.reply
                elif key not in self._held:
                    self._held[key] = message.reply
                    receipt.append(key)
                    lines.append(self._line(message, place.sequence))
            if self._done:
                await self._send_acknowledgements()
            if lines:
                return Batch(b"".join(lines), receipt=receipt)
