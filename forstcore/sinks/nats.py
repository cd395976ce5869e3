"""NATS JetStream: `nats://host:4222?subject=S`, a message for each result.

A result is confirmed once a stream has stored it. Results that are resent have the same
`Nats-Msg-Id`, by which the stream recognizes them within its duplicate window.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence

from nats.aio.msg import Msg
from nats.errors import BadSubjectError, Error, MaxPayloadError

from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits, SinkUrl
from forstcore.sinks._broker_sink import BrokerSink, lines_of
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sources._nats_connection import NatsConnection, NatsServer, check_name

__all__ = ["NatsSink", "NatsWriter"]

_TIMEOUT = 10.0  # Seconds for a stream to confirm a message.
_TOO_LARGE = 10054  # Error code: larger than the stream's `max_msg_size`.
_ANOTHER_STREAM = 10060  # Error code: the subject belongs to another stream.


class NatsSink(BrokerSink):
    """A subject that a JetStream stream captures.

    Args:
        url: as above; also `natss:`, and the option `stream` for the stream that has to store it.
        limits: the bytes that its writer holds.

    Attributes:
        server: where to connect.
        subject: the subject.
        stream: name of the stream, empty for any that captures the subject.
    """

    def __init__(self, url: SinkUrl, limits: SinkLimits) -> None:
        super().__init__(url.name, limits)
        self.server = NatsServer(url)
        self.subject = url.take("subject")
        self.stream = url.take("stream")
        url.check_no_path("nats://host:4222?subject=NAME")
        if not self.subject:
            raise SinkError(url.name, "names no subject: nats://host:4222?subject=NAME")
        if any(each in self.subject for each in "*> \t\r\n"):
            raise SinkError(url.name, f"has subject={self.subject}, which is not a single subject")
        if self.stream:
            check_name(url.name, "stream", self.stream, SinkError)

    def make_writer(self) -> NatsWriter:
        return NatsWriter(self)


class NatsWriter(BrokerWriter):
    """Publishes results to a subject.

    Args:
        sink: the subject.
    """

    transient_errors = (Error, OSError)

    def __init__(self, sink: NatsSink) -> None:
        super().__init__(sink.name, sink.log, sink.limits)
        self._sink = sink
        self._connection: NatsConnection | None = None
        self._identity = secrets.token_hex(8)
        self._lines = 0  # Results of confirmed outputs.
        self._inbox = ""
        # Unconfirmed results of the current call, by their number, and those that the stream
        # refuses.
        self._waiting: dict[int, None] = {}
        self._refused: dict[int, str] = {}
        self._failed_by: Exception | None = None
        self._has_answer = asyncio.Event()

    async def _connect(self) -> None:
        connection = self._connection = await self._sink.server.connect()
        self._inbox = connection.new_inbox()
        self._failed_by = None
        await connection.subscribe(
            f"{self._inbox}.*", cb=self._take, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _send(self, outputs: Sequence[Output]) -> None:
        self._waiting.clear()
        self._refused.clear()
        number = self._lines
        ends: list[int] = []
        for output in outputs:
            for line in lines_of(output):
                await self._publish(number, line)
                number += 1
            ends.append(number)
        for end in ends:
            await self._stored(end)
            refused = {
                each - self._lines: reason for each, reason in self._refused.items() if each < end
            }
            self._refused = {each: why for each, why in self._refused.items() if each >= end}
            self._lines = end
            self._confirm(refused)

    async def _publish(self, number: int, line: bytes) -> None:
        assert self._connection is not None
        headers = {"Nats-Msg-Id": f"{self._identity}-{number}"}
        if self._sink.stream:
            headers["Nats-Expected-Stream"] = self._sink.stream
        self._waiting[number] = None
        try:
            await self._connection.publish(
                self._sink.subject, line, f"{self._inbox}.{number}", headers
            )
        except MaxPayloadError:
            del self._waiting[number]
            self._refused[number] = "it is larger than a message may be"
        except BadSubjectError as error:
            raise SinkError(self._name, f"cannot be written: {error}") from None

    async def _stored(self, end: int) -> None:
        """Wait until all results before this number are stored or refused."""
        assert self._connection is not None
        # The stream confirms messages in order, with few exceptions.
        while self._waiting and next(iter(self._waiting)) < end:
            if self._failed_by is not None:
                raise self._failed_by
            self._has_answer.clear()
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await self._connection.unless_lost(self._has_answer.wait())
            except TimeoutError:
                raise self._connection.trouble or Error("nats: no stream confirms") from None

    async def _take(self, message: Msg) -> None:
        """Take the answer of a stream."""
        number = int(message.subject.rpartition(".")[2])
        if (message.headers or {}).get("Status") == "503":
            subject = self._sink.subject
            self._failed_by = Error(f"nats: no stream stores messages of the subject {subject}")
        else:
            error = json.loads(message.data).get("error")
            if error is None:
                self._waiting.pop(number, None)
            elif error.get("err_code") == _TOO_LARGE:
                self._waiting.pop(number, None)
                self._refused[number] = error["description"]
            elif error.get("err_code") == _ANOTHER_STREAM:
                self._failed_by = SinkError(
                    self._name, f"cannot be written: {error['description']}"
                )
            else:
                self._failed_by = Error(f"nats: {error.get('description')}")
        self._has_answer.set()
