"""Redis Streams: `redis://host:6379/0?stream=KEY`, an entry for each result.

A script adds the entries, and notes in the same moment what they are the results of, so each result
is there exactly once. The offset of the source is kept in a hash beside the stream: after a lost
connection it shows whether the script has run. The hash also has the identity of the writer. A
writer that finds another one there stops: its pipeline was started elsewhere meanwhile.

Where the source is a consumer group in the same database, the script acknowledges the entries of
the batch instead, if all of them are still pending for this consumer. If not, none of the results
are added: others have the rest of the entries, and those that are left are read again.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits, SinkUrl
from forstcore.sinks._broker_sink import BrokerSink, lines_of
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sinks._redis_script import ADD_RESULTS, OTHER_OWNER
from forstcore.sources import Notice, Reader, Source
from forstcore.sources._reconnecting import ReconnectPauses, described
from forstcore.sources._redis_client import database_of, redis_client
from forstcore.sources._redis_group import GroupReader, PendingEntries
from forstcore.sources._redis_reader import UNAVAILABLE
from forstcore.sources.redis import RedisSource

__all__ = ["RedisSink", "RedisWriter"]

_MAX_SIZE = 1 << 20  # Bytes in a script, except for a single output: a script blocks Redis.
_TRANSIENT = (*UNAVAILABLE, OutOfMemoryError)


class RedisSink(BrokerSink):
    """A stream in Redis.

    Args:
        url: as above; also `rediss:`, and the options `maxlen`, `field` and
            `transactions`.
        limits: the bytes that its writer holds.

    Attributes:
        stream: key of the stream.
        field: the field of an entry that has the result.
        maxlen: about how many entries Redis keeps, None for all.
        state: key of the hash with the offset.
        owner: identifies this process in the hash.
        is_owner: whether it is in there: offsets are kept if the pipeline has asked for the last.
        client: the connections, which are made on demand.
        script: adds results; see `ADD_RESULTS`.
    """

    keeps_offsets = True

    def __init__(self, url: SinkUrl, limits: SinkLimits) -> None:
        super().__init__(url.name, limits)
        self.stream = url.take("stream")
        if not self.stream:
            raise SinkError(url.name, "names no stream: redis://host:6379/0?stream=KEY")
        self.field = url.take("field", "data")
        text = url.take("maxlen")
        if text and not (text.isdecimal() and int(text)):
            raise SinkError(url.name, f"has maxlen={text}, which must be a number above 0")
        self.maxlen = int(text) if text else None
        self.state = f"{self.stream}:forstcore:{url.name}"
        self.owner = secrets.token_hex(8)
        self.is_owner = False
        self._trouble: Notice | None = None  # before there is a writer
        self._transactions = url.take_one_of("transactions", ("auto", "yes", "no"), "auto")
        self._database = database_of(url)
        self.client = redis_client(url)
        self.script = self.client.register_script(ADD_RESULTS)

    async def offset(self) -> str:
        pauses = ReconnectPauses()
        while True:
            await pauses.wait()
            try:
                await self._check_source()
                async with self.client.pipeline(transaction=True) as pipe:
                    # From now on, an earlier writer of this pipeline cannot add anything.
                    state = {"owner": self.owner, "source": self.limits.source}
                    pipe.hset(self.state, mapping=state)  # type: ignore[arg-type]
                    pipe.hget(self.state, "offset")
                    found = (await pipe.execute())[-1]
                    self.is_owner = True
            except _TRANSIENT as error:
                detail = described(error)[:300]
                if self._trouble is None:
                    self.log.write(logging.WARNING, f"it is down: {detail}")
                self._trouble = Notice("down", detail)
                pauses.failed()
            except RedisError as error:
                raise SinkError(self.name, f"cannot be written: {error}") from None
            else:
                self._trouble = None
                return found.decode() if found else ""

    async def _check_source(self) -> None:
        found: Any = await self.client.hget(self.state, "source")
        before, source = (found or b"").decode(), self.limits.source
        if before and source and before != source:
            raise SinkError(
                self.name,
                f"has in {self.state} an offset of {before}, not of {source}: use another stream, "
                "or delete the hash to begin anew",
            )

    def trouble(self) -> Notice | None:
        return self._trouble or super().trouble()

    def acknowledges(self, source: Source) -> bool:
        if self._transactions == "no":
            return False
        if not isinstance(source, RedisSource) or source.group is None:
            why = "the source is no consumer group of Redis"
        elif source.database != self._database:
            why = "the URL of the source has another database"
        else:
            return True
        if self._transactions == "yes":
            raise SinkError(self.name, f"has transactions=yes, but {why}")
        return False

    async def open(self, reader: Reader | None) -> BrokerWriter:
        if isinstance(reader, GroupReader):
            self._writer = RedisWriter(self, reader.acknowledge_elsewhere())
            return self._writer
        return await super().open(reader)

    def make_writer(self) -> RedisWriter:
        return RedisWriter(self)

    async def close(self) -> None:
        await self.client.aclose()


class RedisWriter(BrokerWriter):
    """Adds results to a stream.

    Args:
        sink: the stream.
        pending: the entries of a consumer group that outputs acknowledge; None if they do not.
    """

    transient_errors = _TRANSIENT

    def __init__(self, sink: RedisSink, pending: PendingEntries | None = None) -> None:
        super().__init__(sink.name, sink.log, sink.limits)
        self._sink = sink
        self._pending = pending
        self.acknowledges = pending is not None
        self._identity = secrets.token_hex(8)
        self._done = 0  # Outputs that are confirmed.
        self._tried = 0  # Outputs after these for which the script may have run.

    async def _connect(self) -> None:
        sink = self._sink
        state: Any = await sink.client.hmget(sink.state, ["writer", "outputs"])
        writer, number = state
        if writer == self._identity.encode():
            # The connection may have been lost after the script had run.
            while self._done < int(number or 0) and self._unconfirmed:
                self._done += 1
                self._confirm()

    async def _send(self, outputs: Sequence[Output]) -> None:
        first = 0
        while first < len(outputs):
            end, size = first, 0
            while end < len(outputs) and size < _MAX_SIZE:
                size += len(outputs[end].results)
                end += 1
            try:
                await self._add(outputs[first:end])
            except _TRANSIENT:
                raise
            except RedisError as error:
                raise SinkError(self._name, f"cannot be written: {error}") from None
            first = end

    async def _add(self, outputs: Sequence[Output]) -> None:
        """Add the results of some outputs at once, with what has to be there together with them."""
        lost = await self._run_script(outputs)
        if not lost:
            for output in outputs:
                self._answered(output)
        elif len(outputs) > 1:
            for output in outputs:
                await self._add([output])
        else:
            (output,) = outputs
            ids = _ids_of(output)
            assert self._pending is not None
            if self._tried and len(lost) == len(ids):
                # Most likely it was added before the connection was lost. Otherwise others have it.
                self._answered(output)
                return
            self._pending.finish(ids)
            self._pending.read_again([each for each in ids if each not in lost])
            self._tried = max(self._tried - 1, 0)
            self._drop()

    def _answered(self, output: Output) -> None:
        if self._pending is not None:
            self._pending.finish(_ids_of(output))
        self._done += 1
        self._tried = max(self._tried - 1, 0)
        self._confirm()

    async def _run_script(self, outputs: Sequence[Output]) -> set[bytes]:
        """Add the results of outputs, unless entries behind them are lost.

        Returns:
            The ids of entries that are not pending for this consumer any more.
        """
        sink, pending = self._sink, self._pending
        offset = next((each.offset for each in reversed(outputs) if each.offset), "")
        owner = sink.owner if sink.is_owner and offset else ""
        keys, group, consumer, ids = [sink.stream, sink.state], "", "", []
        if pending is not None:
            keys.append(pending.stream)
            group, consumer = pending.group, pending.consumer
            ids = [each for output in outputs for each in _ids_of(output)]
        lines = [line for output in outputs for line in lines_of(output)]
        if not lines and not ids and not owner:
            return set()
        count = self._done + len(outputs)
        state = (owner, offset, self._identity, count, group, consumer)
        arguments: list[Any] = [sink.field, sink.maxlen or "", *state, len(ids), *ids, *lines]
        try:
            answer: Any = await sink.script(keys, arguments)
        except _TRANSIENT:
            self._tried = max(self._tried, len(outputs))
            raise
        except ResponseError as error:
            # The group or its stream was deleted.
            if pending is None or "NOGROUP" not in str(error):
                raise
            return set(ids)
        if answer == OTHER_OWNER:
            raise SinkError(
                self._name, f"is written by another process: {sink.state} has its identity"
            )
        if isinstance(answer, bytes):
            reason = f"{sink.stream} is a {answer.decode()}, not a stream"
            raise SinkError(self._name, f"cannot be written: {reason}")
        return set(answer)

    async def _disconnect(self) -> None:
        await self._sink.client.connection_pool.disconnect()


def _ids_of(output: Output) -> list[bytes]:
    """Return the ids of the entries that are acknowledged with an output."""
    return [each for receipt in output.receipts if isinstance(receipt, list) for each in receipt]
