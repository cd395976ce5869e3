"""Writing to a topic of Kafka in transactions that commit the offsets of a consumer group, too.

A transaction contains all results that are waiting, so a lone result is committed at once, and
while one transaction is being committed, results for the next one accumulate. After any error, the
producer is replaced by another with the same transactional id. Its first request commits or aborts
the last transaction of its predecessor; the offsets of the group then show which.

Each writer has an id of its own: the generation of the group ensures that a process does not write
results of partitions that it has lost. The transaction of a process that was killed is aborted by
the brokers after `transaction.timeout.ms`.

librdkafka may block for longer than the timeout of a call, in the worst case forever
(https://github.com/confluentinc/librdkafka/issues/5456). So each call runs in a thread of its own,
which is abandoned together with its producer if it does not return in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from forstcore._cancelling import check_cancelled
from forstcore.sinks import Output, OutputRefusedError, SinkLimits
from forstcore.sinks._broker_sink import lines_of
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sinks._kafka_producer import Topic
from forstcore.sinks._kafka_transactional import AbortedError, TransactionalProducer
from forstcore.sources._kafka_client import KafkaUnavailableError
from forstcore.sources._kafka_group_offsets import GroupOffsets, StaleReceiptError
from forstcore.sources._kafka_progress import Receipt

__all__ = ["TRANSACTION_OPTIONS", "TransactionWriter"]

T = TypeVar("T")

TRANSACTION_OPTIONS: dict[str, object] = {"transaction.timeout.ms": 10_000}
"""Options of the producer. Readers of the topic wait this long for a process that was killed."""

_LONGEST = 40.0  # Seconds after which a thread is abandoned.
_PATIENCE = 5.0  # The same, where the writer is closed.
_MAX_SIZE = 4 << 20  # Bytes of results in a transaction, except for a single output.
_REJOIN_PAUSE = 0.05  # Seconds until the next attempt after the generation has changed.


class _Refusal(OutputRefusedError):
    """Lines that have to be written elsewhere before the input is acknowledged."""

    def __init__(self, lines: dict[int, str]) -> None:
        super().__init__(lines)
        self.is_written = asyncio.Event()
        self.rest: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def confirm_rest(self) -> None:
        self.is_written.set()
        await self.rest


class TransactionWriter(BrokerWriter):
    """Writes to a topic in transactions.

    Args:
        topic: the topic.
        limits: as for `BrokerWriter`.
        offsets: those of the group that outputs come from.

    Attributes:
        transactional_id: identifies its producers to brokers.
    """

    transient_errors = (KafkaUnavailableError,)
    acknowledges = True

    def __init__(self, topic: Topic, limits: SinkLimits, offsets: GroupOffsets) -> None:
        super().__init__(topic.name, topic.log, limits)
        self.transactional_id = f"forstcore-{topic.name}-{secrets.token_hex(8)}"
        options = {**topic.options, "transactional.id": self.transactional_id}
        self._topic = topic.with_options(options)
        self._offsets = offsets
        self._loop = asyncio.get_running_loop()
        self._producer: TransactionalProducer | None = None
        self._running: asyncio.Future[Any] | None = None
        self._refusals: dict[int, _Refusal] = {}  # By the identity of their outputs.
        self._in_doubt: list[Output] = []  # Their commit was started and may have succeeded.

    async def _connect(self) -> None:
        def note_down(detail: str) -> None:
            self._loop.call_soon_threadsafe(self._report_down, detail)

        self._producer = TransactionalProducer(self._topic, note_down, self._offsets)
        await self._call(self._producer.connect)
        if not self._in_doubt:
            return
        try:
            is_done = await self._call(self._offsets.were_committed, _receipts(self._in_doubt))
        except StaleReceiptError:
            # If these records are read again, then from the offset that the broker has.
            is_done = False
        except KafkaException as error:
            raise self._producer.translate(error.args[0]) from None
        if is_done:
            self._confirm_all(self._in_doubt)
        self._in_doubt = []

    async def _send(self, outputs: Sequence[Output]) -> None:
        rest = list(outputs)
        while rest:
            some = self._together(rest)
            receipts = _receipts(some)
            if not self._offsets.are_current(receipts):
                await self._offsets.rewind(receipts)
                self._refusals.pop(id(some[0]), None)
                self._drop()
            else:
                if refusal := self._refusals.get(id(some[0])):
                    await self._wait_for_dead_letters(refusal)
                if not await self._commit(some, receipts):
                    continue
            check_cancelled()
            del rest[: len(some)]

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        producer.stop()
        running, self._running = self._running, None
        if running is not None:
            await asyncio.wait([running], timeout=_PATIENCE)
            if not running.done():
                return
            running.exception()  # Mark it as seen.
        # It returns soon, and its result does not matter.
        with contextlib.suppress(KafkaUnavailableError):
            await self._call(producer.discard)

    def _together(self, outputs: Sequence[Output]) -> Sequence[Output]:
        """Return the first outputs, as many as a transaction may have."""
        end, size = 0, 0
        for output in outputs:
            is_alone = id(output) in self._refusals or not self._offsets.are_current(
                _receipts([output])
            )
            if end and (is_alone or size + len(output.results) > _MAX_SIZE):
                break
            end, size = end + 1, size + len(output.results)
            if is_alone:
                break
        return outputs[:end]

    async def _wait_for_dead_letters(self, refusal: _Refusal) -> None:
        output, confirmed = self._unconfirmed[0]
        if confirmed is not refusal.rest:
            self._unconfirmed[0] = (output, refusal.rest)
            if not confirmed.done():
                confirmed.set_exception(refusal)
                # Mark it as retrieved, in case its waiter was cancelled.
                confirmed.exception()
        await refusal.is_written.wait()

    async def _commit(self, outputs: Sequence[Output], receipts: Sequence[Receipt]) -> bool:
        """Commit outputs; return whether they are confirmed: otherwise they are tried again."""
        producer = self._producer
        assert producer is not None
        lines = [line for output in outputs for _, line in self._accepted(output)]
        if not lines and not receipts:
            self._confirm_all(outputs)
            return True
        self._in_doubt = list(outputs)
        try:
            await self._call(producer.commit, lines, receipts)
        except StaleReceiptError:
            self._in_doubt = []
            await self._call(producer.abort)
            await asyncio.sleep(_REJOIN_PAUSE)
            return False
        except AbortedError as error:
            self._in_doubt = []
            await self._call(producer.abort)
            found = [await self._find_refused(producer, output) for output in outputs]
            if not any(found):
                raise KafkaUnavailableError(str(error)) from None
            return False
        self._confirm_all(outputs)
        self._in_doubt = []
        self._report_up()
        return True

    def _confirm_all(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            self._refusals.pop(id(output), None)
            self._confirm()

    def _accepted(self, output: Output) -> list[tuple[int, bytes]]:
        """Return the lines of an output, with their numbers, except known refused ones."""
        refusal = self._refusals.get(id(output))
        refused = refusal.lines if refusal is not None else {}
        return [pair for pair in enumerate(lines_of(output)) if pair[0] not in refused]

    async def _find_refused(self, producer: TransactionalProducer, output: Output) -> bool:
        """Find the refused lines of an output, each alone; return whether there are any."""
        refused: dict[int, str] = {}
        parts = [self._accepted(output)]
        while parts:
            part = parts.pop()
            errors = await self._call(producer.attempt, [line for _, line in part])
            if errors and len(part) > 1:
                # A broker refuses all messages of a request if one of them is too large.
                half = len(part) // 2
                parts += [part[half:], part[:half]]
            elif errors:
                refused[part[0][0]] = errors[0].str()
        if refused:
            before = self._refusals.get(id(output))
            known = before.lines if before is not None else {}
            self._refusals[id(output)] = _Refusal({**known, **refused})
        return bool(refused)

    async def _call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function in a thread of its own.

        Raises:
            KafkaUnavailableError: it does not return in time.
        """
        returned: asyncio.Future[T] = self._loop.create_future()

        def finish(result: T | None, error: Exception | None) -> None:
            if error is not None:
                returned.set_exception(error)
            else:
                returned.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, error = None, None
            try:
                result = function(*arguments)
            except Exception as raised:
                error = raised
            # The loop may be closed already.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(finish, result, error)

        threading.Thread(target=run, name=f"kafka-{self._name}", daemon=True).start()
        self._running = returned
        await asyncio.wait([returned], timeout=_LONGEST)
        if not returned.done():
            raise KafkaUnavailableError(f"no answer for {_LONGEST:.0f} seconds")
        return returned.result()


def _receipts(outputs: Iterable[Output]) -> list[Receipt]:
    return [
        receipt for output in outputs for receipt in output.receipts if isinstance(receipt, Receipt)
    ]
