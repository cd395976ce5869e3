"""A producer whose transactions contain results and the offsets of their records."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException

from forstcore.errors import SinkError
from forstcore.sinks._kafka_producer import REFUSED, Note, Topic, TopicProducer
from forstcore.sources._kafka_client import KafkaUnavailableError, Local
from forstcore.sources._kafka_group_offsets import GroupOffsets, StaleReceiptError
from forstcore.sources._kafka_progress import Receipt

__all__ = ["AbortedError", "TransactionalProducer"]

_TIMEOUT = 15.0  # Seconds that a call of librdkafka may take.
_ABORT_TIMEOUT = 3.0  # The same for a call whose result does not matter.
_ATTEMPTS = 20
_ATTEMPT_PAUSE = 0.1  # Seconds.

# The consumer is no longer in the same generation of its group.
_OTHER_GENERATION = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
}


class AbortedError(Exception):
    """A transaction cannot be committed, perhaps because the broker refuses some messages."""


class TransactionalProducer(TopicProducer):
    """A producer with transactions. Its methods block, some for longer than they should.

    Args:
        topic, note_down: as for `TopicProducer`.
        offsets: the offsets that are committed with the results.
    """

    def __init__(
        self, topic: Topic, note_down: Callable[[str], None], offsets: GroupOffsets
    ) -> None:
        super().__init__(topic, note_down)
        self._offsets = offsets
        self._is_open = False

    def connect(self) -> None:
        super().connect()
        try:
            # By now, the last transaction with the same id is aborted or committed.
            self.client.init_transactions(_TIMEOUT)
        except KafkaException as error:
            raise self._hinted(self.translate(error.args[0])) from None

    def commit(self, lines: Sequence[bytes], receipts: Sequence[Receipt]) -> None:
        """Commit messages, and the offsets after batches.

        Raises:
            StaleReceiptError: not all records of the batches belong to this consumer; call `abort`
                afterwards, as for the next error.
            AbortedError: the transaction cannot be committed.
            KafkaUnavailableError: it failed, or its outcome is unknown.
            SinkError: it cannot be written, and a retry would not help.
        """
        self._offsets.to_commit(receipts)
        failed: list[KafkaError] = []
        try:
            self._begin(lines, lambda _, error: failed.append(error))
            if failed:
                raise AbortedError(failed[0].str())
            offsets, proof = self._offsets.to_commit(receipts)
            self.client.send_offsets_to_transaction(offsets, proof, _TIMEOUT)
        except KafkaException as raised:
            error = raised.args[0]
            if error.code() in _OTHER_GENERATION:
                raise StaleReceiptError from None
            if error.txn_requires_abort():
                raise AbortedError(error.str()) from None
            raise self._hinted(self.translate(error)) from None
        try:
            self.client.commit_transaction(_TIMEOUT)
        except KafkaException as raised:
            raise self.translate(raised.args[0]) from None
        self._is_open = False
        self._offsets.note_committed(receipts)

    def attempt(self, lines: Sequence[bytes]) -> list[KafkaError]:
        """Produce messages and abort the transaction; return why some were refused.

        Raises:
            KafkaUnavailableError, SinkError: they were not delivered for another reason.
        """
        errors: list[KafkaError] = []
        for _ in range(_ATTEMPTS):
            errors.clear()
            try:
                self._begin(lines, lambda _, error: errors.append(error))
            except KafkaException as raised:
                raise self.translate(raised.args[0]) from None
            self.abort()
            if refused := [error for error in errors if error.code() in REFUSED]:
                return refused
            if not errors:
                return []
            # librdkafka may still be dropping the messages of the transaction before.
            if any(error.code() != Local.PURGED for error in errors):
                break
            time.sleep(_ATTEMPT_PAUSE)
        raise self.translate(errors[0])

    def abort(self) -> None:
        """Abort the transaction if there is one.

        Raises:
            KafkaUnavailableError, SinkError: it fails; another producer has to replace it.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            self.client.abort_transaction(_TIMEOUT)
        except KafkaException as error:
            raise self.translate(error.args[0]) from None

    def discard(self) -> None:
        if self._is_open:
            # Otherwise readers of the topic wait until the brokers do it.
            with contextlib.suppress(KafkaException):
                self.client.abort_transaction(_ABORT_TIMEOUT)
        super().discard()

    def _begin(self, lines: Sequence[bytes], note: Note) -> None:
        self.client.begin_transaction()
        self._is_open = True
        self.produce(lines, note)
        self.flush()

    def _hinted(self, error: Exception) -> Exception:
        hint = "(transactions=no does without transactions)"
        if isinstance(error, SinkError):
            return SinkError(error.name, f"{error.reason} {hint}")
        return KafkaUnavailableError(f"{error} {hint}")
