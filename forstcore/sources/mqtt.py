"""MQTT topics, with wildcards: `mqtt://host:1883/sensors/+/temperature`.

The broker keeps messages while a connection is lost. With `client=NAME` it also keeps
unacknowledged messages while there is no reader, or no server. A message is a record if its payload
is a JSON object; with `topic=MEMBER` the record has its topic as a member.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from itertools import count

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, Batch, Keeps, SourceLimits
from forstcore.sources._broker import BrokerReader, on_one_line
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._mqtt_connection import (
    TAKEN_OVER,
    URL_FORM,
    Message,
    MqttConnection,
    MqttError,
    Session,
)
from forstcore.sources._tls import ClientTls
from forstcore.sources._url import SourceUrl

__all__ = ["MqttReader", "MqttSource"]

_SESSION_EXPIRY = 300  # Seconds for which the broker keeps the session of an absent client.
_NAMED_SESSION_EXPIRY = 86400  # The same for a client with a fixed name.
_TIMEOUT = 10.0  # Seconds in which a broker has to respond.
_RECEIVE_MAXIMUM = 2000  # Unacknowledged messages; subscribers hold fewer.
_TAKEOVER_TIMEOUT = (
    3.0  # Seconds for which a reader waits for the previous reader of its session to end.
)
_POLL_INTERVAL = 0.05  # Seconds between two checks whether that has ended.
_SUSPICIOUS_FAILURES = 2  # Failures in a row after which another client may be the cause.
_REFUSED = 0x80  # Reason codes from this one on are errors.


class MqttSource:
    """Topics of an MQTT broker, which must support version 5.

    Args:
        url: as above.
        limits: the maximum line size.

    Attributes:
        name: its name for clients.
        url: as above.
        topic: the topic filter.
        qos: 0 or 1 (the default). 2 is treated as 1: the packet identifier shows duplicates over
            another connection, and messages are acknowledged once they are processed.
        member: name of the member for the topic, empty for none.
        client: the client identifier without its number, empty for none.
        max_line_size: as in the limits.
        log: its log lines.
        tls: its TLS, None for none.
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
            raise SourceError(url.name, f"names no topic: {URL_FORM}")
        # The broker sends each message of a shared subscription to only one client.
        self.is_shared = not self.topic.startswith("$share/")
        self.keeps: Keeps = "unacknowledged" if self.client and self.qos else "nothing"
        self.tls = ClientTls(url) if url.scheme == "mqtts" else None
        self._taken: set[str] = set()  # Names of the sessions in use.

    def check(self, start: str) -> None:
        if start != NOW:
            raise OffsetError(self.name, "has no earlier records: from must be now")

    def open(self, start: str, session: str = "") -> MqttReader:
        return MqttReader(self, session)

    async def close(self) -> None:
        """Do nothing: connections belong to readers."""

    def free_name(self, name: str) -> None:
        """Release the name of a session."""
        self._taken.discard(name)

    async def take_name(self, session: str) -> str:
        """Reserve the name of a session: that of the previous reader, if it has ended.

        Args:
            session: as for `open`.
        """
        if not self.client:
            return f"forstcore-{secrets.token_hex(8)}"
        prefix = f"{self.client}-{session}" if session else self.client
        clock = asyncio.get_running_loop().time
        # The unacknowledged messages of a returning subscriber are in the session of its lost
        # connection, which may be about to end.
        deadline = clock() + (_TAKEOVER_TIMEOUT if session else 0)
        while True:
            number = next(each for each in count(1) if f"{prefix}-{each}" not in self._taken)
            if number == 1 or clock() >= deadline:
                name = f"{prefix}-{number}"
                self._taken.add(name)
                return name
            await asyncio.sleep(_POLL_INTERVAL)


class MqttReader(BrokerReader):
    """A subscription to a topic filter.

    Args:
        source: the source.
        session: as for `MqttSource.open`.
    """

    transient_errors = (MqttError, OSError)

    def __init__(self, source: MqttSource, session: str) -> None:
        super().__init__(source.name, source.log, source.max_line_size)
        self._source = source
        self._session = session
        self._client = ""  # Name of the session.
        self._connection: MqttConnection | None = None
        self._is_new = True
        # Whether the broker has lost its session, with the messages that it kept there.
        self._has_lost_session = False
        # Delivered messages that are not acknowledged to the broker, by packet identifier: a
        # receipt number that is unique in this reader, and a hash of the message.
        self._unacknowledged: dict[int, tuple[int, int]] = {}
        self._done: set[int] = set()  # Receipt numbers acknowledged while disconnected.
        self._last_receipt = 0

    async def acknowledge(self, receipt: object) -> None:
        assert isinstance(receipt, list)
        for number, own in receipt:
            if self._unacknowledged.get(number, (0, 0))[0] != own:
                continue  # The broker has dropped the session.
            if self._connection is not None and self._connection.acknowledge(number):
                del self._unacknowledged[number]
            else:
                # It is redelivered, and acknowledged then.
                self._done.add(own)

    async def _connect(self) -> None:
        source, url = self._source, self._source.url
        self._client = self._client or await source.take_name(self._session)
        session = Session(
            self._client,
            _NAMED_SESSION_EXPIRY if source.client else _SESSION_EXPIRY,
            _RECEIVE_MAXIMUM,
            url.username,
            url.password,
        )
        tls = source.tls.context() if source.tls is not None else None
        port = url.port or (8883 if tls else 1883)
        async with asyncio.timeout(_TIMEOUT):
            connection = await MqttConnection.open(
                url.host, port, tls, session, source.max_line_size + 1
            )
            self._connection = connection
            if not connection.resumed:
                self._has_lost_session = not self._is_new
                self._unacknowledged.clear()
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
        if self._has_lost_session:
            self._has_lost_session = False
            return Batch(b"", missed=None)
        assert self._connection is not None
        while True:
            try:
                messages = await self._connection.messages()
            except MqttError as error:
                if error.code == TAKEN_OVER:
                    raise SourceError(
                        self._name,
                        f"was taken over: another client uses the session {self._client!r}; give "
                        "each server its own client",
                    ) from None
                if self._failures >= _SUSPICIOUS_FAILURES and self._source.client:
                    # Not every broker reports that another client has taken over the session.
                    raise MqttError(
                        f"{error}, again soon after connecting: does another "
                        f"client use the session {self._client!r}?"
                    ) from None
                raise
            lines: list[bytes] = []
            receipt: list[tuple[int, int]] = []
            for message in messages:
                if message.number:
                    if self._is_duplicate(message):
                        continue
                    receipt.append((message.number, self._last_receipt))
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

    def _is_duplicate(self, message: Message) -> bool:
        """Return whether a message was delivered over an earlier connection; note it if not."""
        digest = hash((message.topic, message.payload))
        own, before = self._unacknowledged.get(message.number, (0, 0))
        if own and message.again and before == digest:
            if own in self._done:
                self._done.discard(own)
                self._unacknowledged.pop(message.number)
                assert self._connection is not None
                self._connection.acknowledge(message.number)
            return True
        self._done.discard(own)
        self._last_receipt += 1
        self._unacknowledged[message.number] = self._last_receipt, digest
        return False

    def _line(self, message: Message) -> bytes:
        """Return a message as a line with its LF."""
        text = on_one_line(message.payload)
        if len(text) > self._max_line_size:
            self._log_too_long(f"a message of topic {message.topic!r}")
        if self._source.member:
            text = _with_member(text, self._source.member, message.topic)
        return text + b"\n"


def _with_member(text: bytes, name: str, value: str) -> bytes:
    """Insert a member at the start of a JSON object, where a later one of that name wins."""
    start = text.find(b"{")
    if start < 0 or text[:start].strip():
        return text
    rest = text[start + 1 :]
    member = json.dumps({name: value}, ensure_ascii=False)[1:-1].encode()
    comma = b"" if rest.lstrip()[:1] == b"}" else b","
    return b"{%b%b%b" % (member, comma, rest)
