"""MQTT topics, live: `mqtt://host:1883/sensors/+/temperature`, wildcards included.

The broker keeps what comes while a connection is lost; with `client=NAME`, also while this
process is gone. A message is a record if its payload is a JSON object; with `topic=MEMBER` the
record has its topic as a member.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections import deque
from typing import Any, cast

from aiomqtt import Client, Message, MqttError, ProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, Batch, Keeps, SourceLimits
from forstcore.sources._broker import BrokerLog, BrokerReader
from forstcore.sources._url import SourceUrl

__all__ = ["MqttReader", "MqttSource"]

_INBOX = 16 << 20  # Bytes that may have come and not been read; then the oldest are dropped.
_OVERHEAD = 500  # Bytes that a message costs beyond its payload, about.
_BATCH = 1 << 18  # Bytes of payloads in a batch.
_KEPT = 300  # Seconds for which the broker keeps what comes for a client that is away,
_KEPT_BY_NAME = 86400  # and for one that has a name to come back under.
_TIMEOUT = 10.0  # Seconds in which a broker has to answer.
_LAST_WORDS = 1.0  # Seconds in which a connection may end in order.
_LOOK = 0.05  # Seconds between two looks whether a thread has connected.
_REFUSED = 128  # Reason codes from here on are errors.


class MqttSource:
    """Topics of an MQTT broker, which has to know version 5.

    Args:
        url: as above.
        limits: the longest line.

    Attributes:
        name: what clients call it.
        url: as above.
        topic: the filter of topics.
        qos: 0, 1 (the default) or 2.
        member: name of the member that has the topic, empty for none.
        client: name that the broker knows this by, without a number; empty for none.
        max_line_size: as in the limits.
    """

    is_shared = True
    keeps: Keeps = "nothing"

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
        self.qos = int(qos)
        if not self.topic:
            raise SourceError(url.name, "names no topic: mqtt://host/topic")
        self._taken: set[int] = set()
        self._abandoned: set[asyncio.Task[None]] = set()

    def check(self, start: str) -> None:
        if start != NOW:
            raise OffsetError(self.name, "is live only: from can be nothing but now")

    def open(self, start: str, session: str = "") -> MqttReader:
        return MqttReader(self)

    async def close(self) -> None:
        if self._abandoned:
            await asyncio.wait(self._abandoned)

    async def abandon(self, client: Client, entering: asyncio.Task[Client]) -> None:
        """Close a connection that was not, or not yet, made; without waiting for that."""
        if entering.done():
            close_socket(client)
            return

        async def end() -> None:
            while not entering.done() and client._client.socket() is None:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK)
            entering.cancel()
            await asyncio.wait([entering])
            if not entering.cancelled():
                _ = entering.exception()  # Nobody wants to know any more.
            close_socket(client)

        task = asyncio.create_task(end())
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)

    def take_number(self) -> int:
        """Return a number that no reader of this process has."""
        number = next(each for each in range(1, len(self._taken) + 2) if each not in self._taken)
        self._taken.add(number)
        return number

    def free_number(self, number: int) -> None:
        """Take a number back."""
        self._taken.discard(number)


class _Inbox(asyncio.Queue[Message]):
    """What has come and has not been read, bounded in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.missed = 0
        self._size = 0

    def _init(self, maxsize: int) -> None:
        self._queue: deque[Message] = deque()

    def _put(self, item: Message) -> None:
        self._queue.append(item)
        self._size += _size(item)
        while self._size > _INBOX and len(self._queue) > 1:
            self._get()
            self.missed += 1

    def _get(self) -> Message:
        item = self._queue.popleft()
        self._size -= _size(item)
        return item


class MqttReader(BrokerReader):
    """A subscription to a filter of topics.

    Args:
        source: says which, and where.
    """

    passing = (MqttError, OSError)

    def __init__(self, source: MqttSource) -> None:
        super().__init__(source.name, source.log)
        self._source = source
        self._number = source.take_number()
        self._id = (
            f"{source.client}-{self._number}"
            if source.client
            else f"forstcore-{secrets.token_hex(8)}"
        )
        self._inbox = _Inbox()
        self._client: Client | None = None
        self._is_new = True

    async def _connect(self) -> None:
        source, url = self._source, self._source.url
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _KEPT_BY_NAME if source.client else _KEPT
        # More than enough for the longest line; the broker drops what is larger still.
        properties.MaximumPacketSize = 2 * source.max_line_size + (1 << 16)
        client = Client(
            url.host,
            url.port or (8883 if url.scheme == "mqtts" else 1883),
            username=url.username,
            password=url.password,
            identifier=self._id,
            protocol=ProtocolVersion.V5,
            # For a new name it makes no difference, but Mosquitto writes no session to disk
            # that began clean.
            clean_start=False,
            properties=properties,
            timeout=_TIMEOUT,
            tls_context=ssl.create_default_context() if url.scheme == "mqtts" else None,
            # Messages that came before a connection was lost are not lost with it.
            queue_type=cast("Any", lambda maxsize: self._inbox),
        )
        entering = asyncio.create_task(client.__aenter__())
        try:
            # It connects in a thread, which cannot be interrupted.
            await asyncio.shield(entering)
        except BaseException:
            await source.abandon(client, entering)
            raise
        self._client = client
        # Retained messages come with the first subscription, not with each connection.
        options = SubscribeOptions(qos=source.qos, retainHandling=1)
        (code,) = await client.subscribe(source.topic, options=options)
        if getattr(code, "value", code) >= _REFUSED:
            raise SourceError(self._name, f"cannot be read: {source.topic}: {code}")

    async def _receive(self) -> Batch:
        if self._is_new:
            self._is_new = False
            return Batch(b"", is_last=True)
        inbox = self._inbox
        lines: list[bytes] = []
        size = 0
        if inbox.empty():
            assert self._client is not None
            lines.append(self._line(await anext(self._client.messages)))
        while not inbox.empty() and size < _BATCH:
            lines.append(self._line(inbox.get_nowait()))
            size += len(lines[-1])
        missed, inbox.missed = inbox.missed, 0
        return Batch(b"".join(lines), missed=missed, is_last=inbox.empty())

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await client.__aexit__(None, None, None)
        except self.passing:
            pass
        finally:
            close_socket(client)

    async def close(self) -> None:
        self._source.free_number(self._number)
        await self._disconnect()

    def _line(self, message: Message) -> bytes:
        """Write a message as a line, LF included."""
        payload = message.payload
        text = payload if isinstance(payload, bytes) else str(payload or "").encode()
        # In JSON a line end stands between tokens alone, as any white space.
        text = text[: self._source.max_line_size + 1].replace(b"\n", b" ")
        if self._source.member:
            text = _with_member(text, self._source.member, str(message.topic))
        return text + b"\n"


def close_socket(client: Client) -> None:
    """Close what aiomqtt leaves open when a broker does not answer."""
    client._client._sock_close()


def _with_member(text: bytes, name: str, value: str) -> bytes:
    """Put a member into a JSON object, before the others: of equal names the last wins."""
    start = text.find(b"{")
    if start < 0 or text[:start].strip():
        return text
    rest = text[start + 1 :]
    member = json.dumps({name: value}, ensure_ascii=False)[1:-1].encode()
    comma = b"" if rest.lstrip()[:1] == b"}" else b","
    return b"{%b%b%b" % (member, comma, rest)


def _size(message: Message) -> int:
    payload = message.payload
    return _OVERHEAD + (len(payload) if isinstance(payload, bytes | bytearray | str) else 0)
