"""A connection to a broker that speaks MQTT 5, for a client that subscribes and nothing else.

Nothing is read from the connection before it is wanted, so that a broker whose messages nobody
takes is slowed down by TCP; and of a message that is too long only the start is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from dataclasses import dataclass

__all__ = ["Message", "MqttConnection", "MqttError", "Session"]

_READ = 1 << 16  # Bytes that are read at once.
_HEAD = 1 << 17  # Bytes of a message that may stand before its payload: topic and properties.
_MOST_UNSENT = 1 << 16  # Bytes that may wait for a broker that does not read.
_KEEP_ALIVE = 60  # Seconds in which something has to come from either side.
_LAST_WORDS = 2.0  # Seconds in which a connection may end in order.

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90
_PINGREQ, _PINGRESP, _DISCONNECT = 0xC0, 0xD0, 0xE0

# How the values of properties are written, by the first byte.
_SIZES = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
_TEXTS = {0x03: 1, 0x08: 1, 0x09: 1, 0x12: 1, 0x15: 1, 0x16: 1, 0x1A: 1, 0x1C: 1, 0x1F: 1, 0x26: 2}
_SERVER_KEEP_ALIVE = 0x13

_REFUSED = 0x80  # Reason codes from here on are errors.
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
    """A connection that was refused, or lost.

    Args:
        text: what happened.
        code: the reason code of the broker, 0 if it gave none.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Session:
    """Who connects, and what the broker keeps while it is away.

    Attributes:
        name: the client identifier.
        expiry: seconds for which the broker keeps the session.
        receive_maximum: messages that it may send and that are not acknowledged.
        username, password: None for none.
    """

    name: str
    expiry: int
    receive_maximum: int
    username: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was published.

    Attributes:
        topic: its topic.
        payload: its payload, or the start of one that is too long.
        number: what to acknowledge it by; 0 if nothing is to be acknowledged.
        again: whether it may have come before.
    """

    topic: str
    payload: bytes
    number: int
    again: bool


class MqttConnection:
    """A connection.

    Args:
        reader, writer: the two sides of it.
        longest: bytes of a payload that are kept.

    Attributes:
        resumed: whether the broker has the session of an earlier connection.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, longest: int
    ) -> None:
        self.resumed = False
        self._reader = reader
        self._writer = writer
        self._packets = _Packets(_HEAD + longest)
        self._longest = longest
        self._messages: list[Message] = []
        self._waiting_since: float | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._failed_by: MqttError | None = None

    @classmethod
    async def open(
        cls, host: str, port: int, tls: ssl.SSLContext | None, session: Session, longest: int
    ) -> MqttConnection:
        """Connect.

        Raises:
            MqttError: the broker refuses it, or speaks something else.
            OSError: the broker cannot be reached.
        """
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=_READ)
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
            raise MqttError("what answers is no broker of MQTT")
        # A broker of an older version refuses with a code below 128.
        if body[1]:
            raise MqttError(f"refused: {_reason(body[1])}", body[1])
        self.resumed = bool(body[0] & 1)
        keep_alive = _keep_alive(body)
        if keep_alive:
            self._pinging = asyncio.create_task(self._ping(keep_alive))

    async def subscribe(self, topic: str, qos: int) -> int:
        """Subscribe to a filter of topics; return the reason code, from 128 on an error."""
        # Retained messages come with the first subscription, not with each connection.
        self._write(_SUBSCRIBE, b"\x00\x01\x00" + _text(topic) + bytes([qos | 1 << 4]))
        while True:
            kind, body = await self._next()
            if kind == _SUBACK:
                return body[-1]
            self._handle(kind, body)

    async def messages(self) -> list[Message]:
        """Wait for messages; return those that have come together.

        Raises:
            MqttError: the connection is lost, or the broker has ended it.
            OSError: the connection is lost.
        """
        if self._failed_by is not None:
            raise self._failed_by
        while not self._messages:
            self._handle(*await self._next())
        try:
            # Others that have come already.
            while packet := self._packets.next():
                self._handle(*packet)
        except MqttError as error:
            # What came before that is not to be lost with it.
            self._failed_by = error
        messages, self._messages = self._messages, []
        return messages

    def acknowledge(self, number: int) -> bool:
        """Acknowledge a message; tell whether the connection could take that."""
        if self._writer.is_closing():
            return False
        self._write(_PUBACK, struct.pack(">H", number))
        return True

    async def close(self, *, forget: bool) -> None:
        """End the connection in order, as far as the broker lets that be.

        Args:
            forget: whether the broker is to end the session as well.
        """
        with contextlib.suppress(OSError, MqttError):
            async with asyncio.timeout(_LAST_WORDS):
                self._write(_DISCONNECT, b"\x00\x05\x11\0\0\0\0" if forget else b"")
                # The broker closes the connection when it has read that, and all before it:
                # else the next connection of the session might come before acknowledgements.
                while await self._reader.read(_READ):
                    pass
        self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        if self._pinging is not None:
            self._pinging.cancel()
        self._writer.transport.abort()

    def _handle(self, kind: int, body: bytes) -> None:
        if kind & 0xF0 == _PUBLISH:
            self._messages.append(self._message(kind, body))
        elif kind == _DISCONNECT:
            code = body[0] if body else 0
            raise MqttError(f"the broker has ended the connection: {_reason(code)}", code)
        elif kind != _PINGRESP:
            raise MqttError(
                f"the broker has sent a packet of kind {kind >> 4}, which is not wanted"
            )

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
            raise MqttError("the broker has sent a message that is malformed") from None
        payload = body[place + size : place + size + self._longest]
        return Message(topic, payload, number, bool(kind & 0x08))

    async def _next(self) -> tuple[int, bytes]:
        """Return what kind the next packet is of, and what is in it."""
        while True:
            if packet := self._packets.next():
                return packet
            self._waiting_since = asyncio.get_running_loop().time()
            try:
                data = await self._reader.read(_READ)
            finally:
                self._waiting_since = None
            if not data:
                raise MqttError("the connection was lost")
            self._packets.feed(data)

    async def _ping(self, keep_alive: int) -> None:
        """Show the broker that this client lives, and look whether it does."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(keep_alive / 2)
            since = self._waiting_since
            unsent = self._writer.transport.get_write_buffer_size()
            if unsent > _MOST_UNSENT or (since is not None and clock() - since > keep_alive):
                self._writer.transport.abort()
                return
            self._write(_PINGREQ, b"")

    def _write(self, kind: int, body: bytes) -> None:
        self._writer.write(bytes([kind]) + _varint(len(body)) + body)


class _Packets:
    """Cut what a broker sends into packets.

    Args:
        longest: bytes of a packet that are kept.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._data = b""
        self._place = 0
        self._kind = 0
        self._left = -1  # Bytes of the packet that are still to come; -1 before its size is known.
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._data = self._data[self._place :] + data
        self._place = 0

    def next(self) -> tuple[int, bytes] | None:
        """Return a packet if it is there whole.

        Raises:
            MqttError: what was received is no packet.
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


def _keep_alive(body: bytes) -> int:
    """Read from a CONNACK how often the broker wants to hear something, in seconds."""
    try:
        size, place = _read_varint(body, 2)
        end = place + size
        while place < end:
            kind = body[place]
            place += 1
            if kind == _SERVER_KEEP_ALIVE:
                return int(struct.unpack_from(">H", body, place)[0])
            place += _SIZES.get(kind, 0)
            for _ in range(_TEXTS.get(kind, 0)):
                place += 2 + int(struct.unpack_from(">H", body, place)[0])
    except (IndexError, struct.error):
        pass
    return _KEEP_ALIVE


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
    """Read a number; return it and the place behind it; raise IndexError if it is not whole."""
    number = 0
    for shift in (0, 7, 14, 21):
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise MqttError("the broker has sent a size that is malformed")
