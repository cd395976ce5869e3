"""librdkafka's producer. Its calls block, so they are made in threads."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from forstcore.errors import SinkError
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._kafka_client import KafkaUnavailableError, Local, described, is_final

__all__ = ["REFUSED", "Note", "Topic", "TopicProducer"]

Note: TypeAlias = Callable[[bytes, KafkaError], None]
"""Called with a message that was not delivered, and why."""

REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
}
"""Errors of a broker that concern a message, not the topic or the connection."""

_TIMEOUT = 5.0  # Seconds for a broker to reply when the producer connects.
_FIRST_SLICE = 1.0  # Seconds of a first request, after which the thread notices that it is to end.
_SLICE = 0.2  # Seconds after which the thread notices that it is to end.
_AT_ONCE = 1000  # Messages that librdkafka takes at once, while no other thread of Python runs.


@dataclass(frozen=True)
class Topic:
    """A topic to write to.

    Attributes:
        name: name of the sink.
        topic: the topic.
        key: path of the member that is the key of a message; empty if messages have none.
        headers: the headers of each message.
        options: those of librdkafka's producer.
        log: the log of the sink.
    """

    name: str
    topic: str
    key: str
    headers: list[tuple[str, str | bytes | None]]
    options: dict[str, object]
    log: BrokerLog

    def with_options(self, options: dict[str, object]) -> Topic:
        """Return a copy with other options."""
        return replace(self, options=options)


class TopicProducer:
    """Produces messages of a topic.

    Args:
        topic: the topic.
        note_down: called, in any thread, when no broker can be reached.

    Attributes:
        client: librdkafka's producer.

    Thread-safety: one call at a time, except for `stop`.
    """

    def __init__(self, topic: Topic, note_down: Callable[[str], None]) -> None:
        self._topic = topic
        self._note_down = note_down
        self._is_stopping = threading.Event()
        self._last_error = ""
        self._is_unreachable = False
        self.client = Producer({**topic.options, "error_cb": self._note_error})

    def stop(self) -> None:
        """Make blocking calls end soon."""
        self._is_stopping.set()

    def connect(self) -> None:
        """Wait until a broker is connected that knows the topic.

        Raises:
            KafkaUnavailableError: there is none now.
            SinkError: the topic cannot be written, and a retry would not help.
        """
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                found = self.client.list_topics(self._topic.topic, _FIRST_SLICE)
                break
            except KafkaException as error:
                self.client.poll(0)  # Calls `_note_error`.
                is_late = self._is_unreachable or time.monotonic() >= deadline
                if is_late or self._is_stopping.is_set():
                    raise self.translate(error.args[0]) from None
        if (missing := found.topics[self._topic.topic].error) is not None:
            raise self.translate(missing)

    def produce(self, lines: Sequence[bytes], note: Note) -> None:
        """Hand messages to librdkafka.

        Args:
            lines: the messages.
            note: called, until `flush` returns, for those that are not delivered.
        """
        report = _reported(note)
        if self._topic.headers:
            for line in lines:
                self._produce_one(line, note, report)
            return
        rest = iter(lines)
        key = self._topic.key
        while some := list(islice(rest, _AT_ONCE)):
            messages: list[dict[str, Any]]
            if key:
                messages = [{"value": line, "key": _key_of(line, key)} for line in some]
            else:
                messages = [{"value": line} for line in some]
            taken = self.client.produce_batch(self._topic.topic, messages, on_delivery=report)
            if taken < len(messages):
                for each in messages:
                    if "_error" in each:
                        note(each["value"], each["_error"])
            self.client.poll(0)

    def flush(self) -> None:
        """Wait until all messages are delivered, or not.

        Raises:
            KafkaUnavailableError: `stop` was called.
        """
        while self.client.flush(_SLICE):
            if self._is_stopping.is_set():
                raise KafkaUnavailableError("the writer is being closed")

    def discard(self) -> None:
        """Drop what was not delivered, and close the producer."""
        # They may report the fatal error because of which it is discarded; `close` of
        # confluent-kafka 2.16 then both returns and raises.
        for step in (self.client.purge, self.client.close):
            with contextlib.suppress(KafkaException, SystemError):
                step()

    def translate(self, error: KafkaError) -> Exception:
        """Return the exception to raise for an error."""
        # After a fatal error of idempotence, another producer can continue.
        if is_final(error) and not error.fatal():
            return SinkError(self._topic.name, f"cannot be written: {error.str()}")
        is_local = error.code() in (Local.TRANSPORT, Local.TIMED_OUT)
        return KafkaUnavailableError(
            self._last_error
            if is_local and self._last_error
            else described(error, self._topic.topic)
        )

    def _produce_one(
        self, line: bytes, note: Note, report: Callable[[KafkaError | None, Message], None]
    ) -> None:
        key = _key_of(line, self._topic.key) if self._topic.key else None
        try:
            self.client.produce(
                self._topic.topic, line, key, on_delivery=report, headers=self._topic.headers
            )
        except KafkaException as error:
            note(line, error.args[0])

    def _note_error(self, error: KafkaError) -> None:
        """Note an error of the connections; called by librdkafka while the thread polls."""
        if error.code() != Local.ALL_BROKERS_DOWN:
            self._last_error = error.str()
            return
        self._is_unreachable = True
        # The loop may be closed already.
        with contextlib.suppress(RuntimeError):
            self._note_down(self._last_error or "no broker can be reached")


def _reported(note: Note) -> Callable[[KafkaError | None, Message], None]:
    def report(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            note(message.value() or b"", error)

    return report


def _key_of(line: bytes, path: str) -> bytes | None:
    """Return a member of a result as the key of its message: a string as it is, others as JSON."""
    try:
        value = json.loads(line)
        for name in path.split("."):
            value = value[name]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text.encode(errors="replace")
