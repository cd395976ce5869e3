"""An MQTT 5 connection, to subscribe or to publish.

Data is read from the connection on demand, so that TCP slows down the broker when nothing takes its
messages. Only the start of a message that is too long is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from dataclasses import dataclass

__all__ = ["URL_FORM", "Message", "MqttConnection", "MqttError", "Session"]

URL_FORM = "mqtt://host:1883/TOPIC"

_READ_SIZE = 1 << 16  # Bytes per read.
_MAX_HEAD = 1 << 17  # Bytes of a message before its payload: topic and properties.
_MAX_PACKET = (1 << 28) - 1  # Bytes of a packet's body, by its encoding.
_MAX_UNSENT = 1 << 16  # Bytes that may wait to be sent to the broker.
_KEEP_ALIVE = 60  # Seconds within which each side has to send something.
_CLOSE_TIMEOUT = 2.0  # Seconds in which a connection may end gracefully.

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90
_PINGREQ, _PINGRESP, _DISCONNECT = 0xC0, 0xD0, 0xE0

# The encoding of properties by their identifier: bytes, or number of strings.
_PROPERTY_SIZES = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
_PROPERTY_STRINGS = {
    0x03: 1,
    0x08: 1,
    0x09: 1,
    0x12: 1,
    0x15: 1,
    0x16: 1,
    0x1A: 1,
    0x1C: 1,
    0x1F: 1,
    0x26: 2,
}
_SERVER_KEEP_ALIVE, _SERVER_RECEIVE_MAXIMUM, _MAXIMUM_PACKET_SIZE = 0x13, 0x21, 0x27

TAKEN_OVER = 0x8E
_REASONS = {
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8D: "keep alive timeout",
    TAKEN_OVER: "session taken over",
    0x8F: "topic filter invalid",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0xA2: "wildcard subscriptions not supported",
}


class MqttError(Exception):
    """A connection was refused or lost.

    Args:
        text: what happened.
        code: the reason code of the broker, 0 if there is none.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a client at the broker.

    Attributes:
        name: the client identifier.
        expiry: seconds for which the broker keeps the session.
        receive_maximum: maximum number of unacknowledged messages.
        username, password: None for none.
    """

    name: str
    expiry: int
    receive_maximum: int
    username: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """A published message.

    Attributes:
        topic: its topic.
        payload: its payload, or the start of one that is too long.
        number: the packet identifier, to acknowledge it; 0 if that is not needed.
        again: whether it may be a duplicate.
    """

    topic: str
    payload: bytes
    number: int
    again: bool


class MqttConnection:
    """A connection to a broker.

    Args:
        reader, writer: its streams.
        longest: maximum bytes kept of a payload.

    Attributes:
        resumed: whether the broker has resumed the session of an earlier connection.
        window: maximum number of messages that the broker takes before it has confirmed them.
        longest_packet: maximum bytes of a packet that the broker takes.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, longest: int
    ) -> None:
        self.resumed = False
        self.window = 0xFFFF
        self.longest_packet = _MAX_PACKET
        self._reader = reader
        self._writer = writer
        self._parser = _PacketParser(_MAX_HEAD + longest)
        self._longest = longest
        self._messages: list[Message] = []
        self._confirmed: list[tuple[int, int]] = []
        self._waiting_since: float | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._failed_by: MqttError | None = None

    @classmethod
    async def open(
        cls, host: str, port: int, tls: ssl.SSLContext | None, session: Session, longest: int
    ) -> MqttConnection:
        """Connect.

        Raises:
            MqttError: the broker refuses the connection, or is not an MQTT broker.
            OSError: the broker cannot be reached.
        """
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=_READ_SIZE)
        connection = cls(reader, writer, longest)
        try:
            await connection._begin(session)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _begin(self, session: Session) -> None:
        flags = 0
        who = _text(session.name)
        if session.username is not None:
            flags |= 0x80
            who += _text(session.username)
        if session.password is not None:
            flags |= 0x40
            who += _text(session.password)
        properties = struct.pack(">BIBH", 0x11, session.expiry, 0x21, session.receive_maximum)
        head = _text("MQTT") + struct.pack(">BBH", 5, flags, _KEEP_ALIVE)
        self._write(_CONNECT, head + _varint(len(properties)) + properties + who)
        kind, body = await self._next()
        if kind != _CONNACK or len(body) < 2:
            raise MqttError("this is not an MQTT broker")
        # Brokers of older versions refuse with a code below 128.
        if body[1]:
            raise MqttError(f"refused: {_reason(body[1])}", body[1])
        self.resumed = bool(body[0] & 1)
        properties_of = _numbers(body)
        self.window = properties_of.get(_SERVER_RECEIVE_MAXIMUM, self.window)
        self.longest_packet = properties_of.get(_MAXIMUM_PACKET_SIZE, self.longest_packet)
        keep_alive = properties_of.get(_SERVER_KEEP_ALIVE, _KEEP_ALIVE)
        if keep_alive:
            self._pinging = asyncio.create_task(self._ping(keep_alive))

    async def subscribe(self, topic: str, qos: int) -> int:
        """Subscribe to a topic filter; return the reason code, which is an error from 128 on."""
        # Request retained messages with the first subscription only, not with each connection.
        self._write(_SUBSCRIBE, b"\x00\x01\x00" + _text(topic) + bytes([qos | 1 << 4]))
        while True:
            kind, body = await self._next()
            if kind == _SUBACK:
                return body[-1]
            self._handle(kind, body)

    async def messages(self) -> list[Message]:
        """Wait for messages; return those that have arrived together.

        Raises:
            MqttError: the connection is lost, or the broker has ended it.
            OSError: the connection is lost.
        """
        if self._failed_by is not None:
            raise self._failed_by
        while not self._messages:
            self._handle(*await self._next())
        try:
            # Include messages that have already arrived.
            while packet := self._parser.next():
                self._handle(*packet)
        except MqttError as error:
            # Return the messages before the error first.
            self._failed_by = error
        messages, self._messages = self._messages, []
        return messages

    def publish(self, topic: str, payload: bytes, number: int) -> None:
        """Publish a message with QoS 1.

        Args:
            topic: its topic.
            payload: its payload.
            number: the packet identifier, from 1 to 65535.
        """
        self._write(_PUBLISH | 0x02, _text(topic) + struct.pack(">HB", number, 0) + payload)

    async def confirmations(self) -> list[tuple[int, int]]:
        """Wait until messages are confirmed; return their packet identifiers and reason codes.

        Raises:
            MqttError: the connection is lost, or the broker has ended it.
            OSError: the connection is lost.
        """
        await self._writer.drain()
        while not self._confirmed:
            self._handle(*await self._next())
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def acknowledge(self, number: int) -> bool:
        """Acknowledge a message; return whether the connection was still open."""
        if self._writer.is_closing():
            return False
        self._write(_PUBACK, struct.pack(">H", number))
        return True

    async def close(self, *, forget: bool) -> None:
        """Close the connection gracefully, if the broker allows it.

        Args:
            forget: whether the broker should end the session as well.
        """
        with contextlib.suppress(OSError, MqttError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                self._write(_DISCONNECT, b"\x00\x05\x11\0\0\0\0" if forget else b"")
                # The broker closes the connection after it has read all acknowledgements.
                # Otherwise the next connection of the session might overtake them.
                while await self._reader.read(_READ_SIZE):
                    pass
        self.abort()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._pinging is not None:
            self._pinging.cancel()
        self._writer.transport.abort()

    def _handle(self, kind: int, body: bytes) -> None:
        if kind & 0xF0 == _PUBLISH:
            self._messages.append(self._message(kind, body))
        elif kind == _DISCONNECT:
            code = body[0] if body else 0
            raise MqttError(f"the broker has ended the connection: {_reason(code)}", code)
        elif kind == _PUBACK and len(body) >= 2:
            self._confirmed.append((int.from_bytes(body[:2]), body[2] if len(body) > 2 else 0))
        elif kind != _PINGRESP:
            raise MqttError(f"the broker has sent an unexpected packet of type {kind >> 4}")

    def _message(self, kind: int, body: bytes) -> Message:
        number = 0
        try:
            (length,) = struct.unpack_from(">H", body)
            topic, place = body[2 : 2 + length].decode(), 2 + length
            if kind & 0x06:
                (number,) = struct.unpack_from(">H", body, place)
                place += 2
            size, place = _read_varint(body, place)
        except (ValueError, IndexError, struct.error):
            raise MqttError("the broker has sent a malformed message") from None
        payload = body[place + size : place + size + self._longest]
        return Message(topic, payload, number, bool(kind & 0x08))

    async def _next(self) -> tuple[int, bytes]:
        """Return the type and body of the next packet."""
        while True:
            if packet := self._parser.next():
                return packet
            self._waiting_since = asyncio.get_running_loop().time()
            try:
                data = await self._reader.read(_READ_SIZE)
            finally:
                self._waiting_since = None
            if not data:
                raise MqttError("the connection was lost")
            self._parser.feed(data)

    async def _ping(self, keep_alive: int) -> None:
        """Keep the connection alive, and abort it if the broker does not respond."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(keep_alive / 2)
            since = self._waiting_since
            unsent = self._writer.transport.get_write_buffer_size()
            if unsent > _MAX_UNSENT or (since is not None and clock() - since > keep_alive):
                self._writer.transport.abort()
                return
            self._write(_PINGREQ, b"")

    def _write(self, kind: int, body: bytes) -> None:
        self._writer.write(bytes([kind]) + _varint(len(body)) + body)


class _PacketParser:
    """Splits received data into packets.

    Args:
        longest: maximum bytes kept of a packet.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._data = b""
        self._place = 0
        self._kind = 0
        self._left = -1  # Missing bytes of the packet; -1 before its size is known.
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Take received data."""
        self._data = self._data[self._place :] + data
        self._place = 0

    def next(self) -> tuple[int, bytes] | None:
        """Return the type and body of the next packet, None if it is incomplete.

        Raises:
            MqttError: the data is malformed.
        """
        if self._left < 0:
            try:
                self._left, place = _read_varint(self._data, self._place + 1)
            except IndexError:
                return None
            self._kind, self._place = self._data[self._place], place
        piece = self._data[self._place : self._place + self._left]
        self._place += len(piece)
        self._left -= len(piece)
        self._body += piece[: max(0, self._longest - len(self._body))]
        if self._left:
            return None
        self._left = -1
        body = bytes(self._body)
        self._body.clear()
        return self._kind, body


def _numbers(body: bytes) -> dict[int, int]:
    """Return the properties of a CONNACK that are numbers, by their identifier."""
    found: dict[int, int] = {}
    try:
        size, place = _read_varint(body, 2)
        end = place + size
        while place < end:
            kind = body[place]
            place += 1
            if length := _PROPERTY_SIZES.get(kind, 0):
                found[kind] = int.from_bytes(body[place : place + length])
                place += length
            for _ in range(_PROPERTY_STRINGS.get(kind, 0)):
                place += 2 + int(struct.unpack_from(">H", body, place)[0])
    except (IndexError, struct.error):
        pass
    return found


def _reason(code: int) -> str:
    return _REASONS.get(code, f"reason code {code}")


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    """Read a number; return it and its end; raise IndexError if it is incomplete."""
    number = 0
    for shift in (0, 7, 14, 21):
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise MqttError("the broker has sent a malformed size")
