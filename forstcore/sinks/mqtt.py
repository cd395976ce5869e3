"""MQTT: `mqtt://host:1883/TOPIC`, a message with QoS 1 for each result.

A result is confirmed once the broker has taken responsibility for it (PUBACK).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits, SinkUrl
from forstcore.sinks._broker_sink import BrokerSink, lines_of
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sources._mqtt_connection import URL_FORM, MqttConnection, MqttError, Session
from forstcore.sources._tls import ClientTls

__all__ = ["MqttSink", "MqttWriter"]

_TIMEOUT = 10.0  # Seconds for a broker to respond.
_RECEIVE_MAXIMUM = 1  # Messages are not subscribed to.
_MAX_HEAD = 16  # Bytes of a packet besides topic and payload.
_REFUSED = 0x80  # Reason codes from this one on are errors.
_HOPELESS = {
    0x87: "not authorized",
    0x90: "the topic name is not valid",
    0x99: "the format of the payload is not valid",
}


class MqttSink(BrokerSink):
    """A topic of an MQTT broker, which must support version 5.

    Args:
        url: as above; also `mqtts:`.
        limits: the bytes that its writer holds.

    Attributes:
        url: as above.
        topic: the topic.
        tls: its TLS, None for none.
    """

    def __init__(self, url: SinkUrl, limits: SinkLimits) -> None:
        super().__init__(url.name, limits)
        self.url = url
        self.topic = url.path.removeprefix("/")
        # With QoS 0 there would be no confirmations.
        url.take_one_of("qos", ("1",), "1")
        if not self.topic:
            raise SinkError(url.name, f"names no topic: {URL_FORM}")
        if any(each in self.topic for each in "+#\0") or len(self.topic.encode()) > 0xFFFF:
            raise SinkError(url.name, f"has the topic {self.topic}, which is not a single one")
        self.tls = ClientTls(url) if url.scheme == "mqtts" else None

    def make_writer(self) -> MqttWriter:
        return MqttWriter(self)


class MqttWriter(BrokerWriter):
    """Publishes results to a topic.

    Args:
        sink: the topic.
    """

    transient_errors = (MqttError, OSError)

    def __init__(self, sink: MqttSink) -> None:
        super().__init__(sink.name, sink.log, sink.limits)
        self._sink = sink
        self._connection: MqttConnection | None = None
        self._number = 0  # The last packet identifier.

    async def _connect(self) -> None:
        url = self._sink.url
        tls = self._sink.tls.context() if self._sink.tls is not None else None
        # The session ends with the connection: unconfirmed results are resent as new messages.
        name = f"forstcore-{secrets.token_hex(8)}"
        session = Session(name, 0, _RECEIVE_MAXIMUM, url.username, url.password)
        port = url.port or (8883 if tls else 1883)
        async with asyncio.timeout(_TIMEOUT):
            self._connection = await MqttConnection.open(url.host, port, tls, session, 0)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    async def _send(self, outputs: Sequence[Output]) -> None:
        assert self._connection is not None
        lines: list[bytes] = []
        ends: list[int] = []
        for output in outputs:
            lines += lines_of(output)
            ends.append(len(lines))
        # Positions of the unconfirmed lines, by packet identifier.
        waiting: dict[int, int] = {}
        refused: dict[int, str] = {}
        longest = self._connection.longest_packet - _MAX_HEAD - len(self._sink.topic.encode())
        following = start = 0
        for end in ends:
            while following < end or (waiting and next(iter(waiting.values())) < end):
                while following < len(lines) and len(waiting) < self._connection.window:
                    if len(lines[following]) > longest:
                        refused[following] = "it is larger than a message may be"
                    else:
                        waiting[self._publish(lines[following])] = following
                    following += 1
                if waiting:
                    await self._take_confirmations(waiting)
            self._confirm({each - start: refused[each] for each in refused if start <= each < end})
            start = end

    def _publish(self, line: bytes) -> int:
        """Publish a line; return its packet identifier."""
        assert self._connection is not None
        self._number = self._number % 0xFFFF + 1
        self._connection.publish(self._sink.topic, line, self._number)
        return self._number

    async def _take_confirmations(self, waiting: dict[int, int]) -> None:
        assert self._connection is not None
        try:
            async with asyncio.timeout(_TIMEOUT):
                confirmed = await self._connection.confirmations()
        except TimeoutError:
            raise MqttError("the broker does not confirm") from None
        for number, code in confirmed:
            if code in _HOPELESS:
                raise SinkError(self._name, f"cannot be written: {_HOPELESS[code]}")
            if code >= _REFUSED:
                raise MqttError(f"a message was refused with reason code {code}", code)
            waiting.pop(number, None)
