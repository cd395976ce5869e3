"""MQTT topics, live: `mqtt://host:1883/sensors/+/temperature`, wildcards included.

The broker keeps what comes while a connection is lost, and, with `client=NAME`, what is not
acknowledged while nobody reads it or this process is gone. A message is a record if its payload is
a JSON object; with `topic=MEMBER` the record has its topic as a member.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import ssl
from itertools import count

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, Batch, Keeps, SourceLimits
from forstcore.sources._broker import BrokerLog, BrokerReader
from forstcore.sources._mqtt_connection import (
    TAKEN_OVER,
    Message,
    MqttConnection,
    MqttError,
    Session,
)
from forstcore.sources._url import SourceUrl

__all__ = ["MqttReader", "MqttSource"]

_KEPT = 300  # Seconds for which the broker keeps what comes for a client that is away,
_KEPT_BY_NAME = 86400  # and for one that has a name to come back under.
_TIMEOUT = 10.0  # Seconds in which a broker has to answer.
_RECEIVE_MAXIMUM = 2000  # Messages that are not acknowledged: more than a subscriber may have.
_PATIENCE = 3.0  # Seconds for which a reader waits for the end of another whose session it goes on,
_LOOK = 0.05  # and between two looks whether that has ended.
_SUSPICIOUS = 2  # Connections that did not last, from which on another client may be to blame.
_REFUSED = 0x80  # Reason codes from here on are errors.


class MqttSource:
    """Topics of an MQTT broker, which has to know version 5.

    Args:
        url: as above.
        limits: the longest line.

    Attributes:
        name: what clients call it.
        url: as above.
        topic: the filter of topics.
        qos: 0 or 1 (the default). 2 is taken as 1: a message that comes again over another
            connection is known by its number, and the broker is told of it when it is done with.
        member: name of the member that has the topic, empty for none.
        client: name that the broker knows this by, without a number; empty for none.
        max_line_size: as in the limits.
        log: its log lines.
        tls: the TLS context, None for none.
    """

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        self.url = url
        self.topic = url.path.removeprefix("/")
        self.member = url.take("topic")
        self.client = url.take("client")
        self.max_line_size = limits.max_line_size
        self.log = BrokerLog(url.name)
        qos = url.take("qos", "1")
        if qos not in ("0", "1", "2"):
            raise SourceError(url.name, f"has qos={qos}, which must be 0, 1 or 2")
        self.qos = min(int(qos), 1)
        if not self.topic:
            raise SourceError(url.name, "names no topic: mqtt://host/topic")
        # The broker gives each message of a shared subscription to one of its clients.
        self.is_shared = not self.topic.startswith("$share/")
        self.keeps: Keeps = "unacknowledged" if self.client and self.qos else "nothing"
        self.tls = ssl.create_default_context() if url.scheme == "mqtts" else None
        self._taken: set[str] = set()  # Names of the sessions that are in use.

    def check(self, start: str) -> None:
        if start != NOW:
            raise OffsetError(self.name, "is live only: from can be nothing but now")

    def open(self, start: str, session: str = "") -> MqttReader:
        return MqttReader(self, session)

    async def close(self) -> None:
        """Do nothing: connections are those of the readers."""

    def free_name(self, name: str) -> None:
        """Let another reader have the session of a name."""
        self._taken.discard(name)

    async def take_name(self, session: str) -> str:
        """Return a name that no reader has: the one that the last reader had, if it has ended.

        Args:
            session: as for `open`.
        """
        if not self.client:
            return f"forstcore-{secrets.token_hex(8)}"
        prefix = f"{self.client}-{session}" if session else self.client
        clock = asyncio.get_running_loop().time
        # What a subscriber had that comes back is in the session of the connection that it lost,
        # which may be about to end.
        patience = clock() + (_PATIENCE if session else 0)
        while True:
            number = next(each for each in count(1) if f"{prefix}-{each}" not in self._taken)
            if number == 1 or clock() >= patience:
                name = f"{prefix}-{number}"
                self._taken.add(name)
                return name
            await asyncio.sleep(_LOOK)


class MqttReader(BrokerReader):
    """A subscription to a filter of topics.

    Args:
        source: says which, and where.
        session: as for `MqttSource.open`.
    """

    passing = (MqttError, OSError)

    def __init__(self, source: MqttSource, session: str) -> None:
        super().__init__(source.name, source.log)
        self._source = source
        self._session = session
        self._client = ""  # Name of the session at the broker.
        self._connection: MqttConnection | None = None
        self._is_new = True
        # What was given out and the broker has no acknowledgement of, by the number that the
        # message has there: a number of our own, and a hash of the message.
        self._held: dict[int, tuple[int, int]] = {}
        self._done: set[int] = set()  # Numbers of our own that were acknowledged meanwhile.
        self._count = 0

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, list)
        for number, own in receipt:
            if self._held.get(number, (0, 0))[0] != own:
                continue  # The broker has forgotten the session.
            if self._connection is not None and self._connection.acknowledge(number):
                del self._held[number]
            else:
                # It comes again, and is acknowledged then.
                self._done.add(own)

    async def _connect(self) -> None:
        source, url = self._source, self._source.url
        self._client = self._client or await source.take_name(self._session)
        session = Session(
            self._client,
            _KEPT_BY_NAME if source.client else _KEPT,
            _RECEIVE_MAXIMUM,
            url.username,
            url.password,
        )
        port = url.port or (8883 if url.scheme == "mqtts" else 1883)
        async with asyncio.timeout(_TIMEOUT):
            connection = await MqttConnection.open(
                url.host, port, source.tls, session, source.max_line_size + 1
            )
            self._connection = connection
            if not connection.resumed:
                self._held.clear()
                self._done.clear()
            code = await connection.subscribe(source.topic, source.qos)
        if code >= _REFUSED:
            raise SourceError(
                self._name, f"cannot be read: {source.topic} is refused with reason code {code}"
            )

    async def _receive(self) -> Batch:
        if self._is_new:
            self._is_new = False
            return Batch(b"", is_last=True)
        assert self._connection is not None
        while True:
            try:
                messages = await self._connection.messages()
            except MqttError as error:
                if error.code == TAKEN_OVER:
                    raise SourceError(
                        self._name,
                        f"was taken over: another client has the session {self._client!r}; give "
                        "each server a client of its own",
                    ) from None
                if self._failures >= _SUSPICIOUS and self._source.client:
                    # Not every broker says so.
                    raise MqttError(
                        f"{error}, soon after it was made, as before: does another "
                        f"client have the session {self._client!r}?"
                    ) from None
                raise
            lines: list[bytes] = []
            receipt: list[tuple[int, int]] = []
            for message in messages:
                if message.number:
                    if self._came_before(message):
                        continue
                    receipt.append((message.number, self._count))
                lines.append(self._line(message))
            if lines:
                return Batch(b"".join(lines), receipt=receipt or None)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close(forget=not self._source.client)
        self._source.free_name(self._client)

    def _came_before(self, message: Message) -> bool:
        """Tell whether a message was given out over an earlier connection; note it if not."""
        digest = hash((message.topic, message.payload))
        own, before = self._held.get(message.number, (0, 0))
        if own and message.again and before == digest:
            if own in self._done:
                self._done.discard(own)
                self._held.pop(message.number)
                assert self._connection is not None
                self._connection.acknowledge(message.number)
            return True
        self._done.discard(own)
        self._count += 1
        self._held[message.number] = self._count, digest
        return False

    def _line(self, message: Message) -> bytes:
        """Write a message as a line, LF included."""
        limit = self._source.max_line_size
        # In JSON a line end stands between tokens alone, as any white space.
        text = message.payload.replace(b"\n", b" ")
        if len(text) > limit:
            self._log.write(
                logging.WARNING,
                f"a message of topic {message.topic!r} is longer than {limit} bytes "
                "(max_line_size): it is told as line_too_long",
            )
        if self._source.member:
            text = _with_member(text, self._source.member, message.topic)
        return text + b"\n"


def _with_member(text: bytes, name: str, value: str) -> bytes:
    """Put a member into a JSON object, before the others: of equal names the last wins."""
    start = text.find(b"{")
    if start < 0 or text[:start].strip():
        return text
    rest = text[start + 1 :]
    member = json.dumps({name: value}, ensure_ascii=False)[1:-1].encode()
    comma = b"" if rest.lstrip()[:1] == b"}" else b","
    return b"{%b%b%b" % (member, comma, rest)
