"""Redis Streams: `redis://host:6379/0?stream=KEY`, an entry for each result.

The offset of the source is kept in a hash beside the stream, which the transaction that adds the
entries changes, too. So each result is there exactly once: after a lost connection the hash shows
whether the transaction was executed. It also has the identity of the writer. A writer that finds
another one there stops: its pipeline was started elsewhere meanwhile.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

from redis.exceptions import (
    OutOfMemoryError,
    RedisError,
    ResponseError,
    WatchError,
)

from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits, SinkUrl
from forstcore.sinks._broker_sink import BrokerSink, lines_of
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sources import Notice
from forstcore.sources._reconnecting import ReconnectPauses
from forstcore.sources._redis_client import redis_client
from forstcore.sources._redis_reader import UNAVAILABLE

__all__ = ["RedisSink", "RedisWriter"]

_MAX_TRANSACTION = 1 << 20  # Bytes, except for a single output: Redis serves nobody meanwhile.
_TRANSIENT = (
    *UNAVAILABLE,
    OutOfMemoryError,
    # Also raised for a connection that is lost while it watches a key. The owner is checked again.
    WatchError,
)


class RedisSink(BrokerSink):
    """A stream in Redis.

    Args:
        url: as above; also `rediss:`, and the options `maxlen` and `field`.
        limits: the bytes that its writer holds.

    Attributes:
        stream: key of the stream.
        field: the field of an entry that has the result.
        maxlen: about how many entries Redis keeps, None for all.
        state: key of the hash with the offset.
        owner: identifies this process in the hash.
        is_owner: whether it is in there: offsets are kept if the pipeline has asked for the last.
        client: the connections, which are made on demand.
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
        self.client = redis_client(url)

    async def offset(self) -> str:
        pauses = ReconnectPauses()
        while True:
            await pauses.wait()
            try:
                async with self.client.pipeline(transaction=True) as pipe:
                    # From now on, an earlier writer of this pipeline cannot add anything.
                    pipe.hset(self.state, "owner", self.owner)
                    pipe.hget(self.state, "offset")
                    found = (await pipe.execute())[-1]
                    self.is_owner = True
            except _TRANSIENT as error:
                detail = f"{type(error).__name__}: {error}"[:300]
                if self._trouble is None:
                    self.log.write(logging.WARNING, f"it is down: {detail}")
                self._trouble = Notice("down", detail)
                pauses.failed()
            except RedisError as error:
                raise SinkError(self.name, f"cannot be written: {error}") from None
            else:
                self._trouble = None
                return found.decode() if found else ""

    def trouble(self) -> Notice | None:
        return self._trouble or super().trouble()

    def make_writer(self) -> RedisWriter:
        return RedisWriter(self)

    async def close(self) -> None:
        await self.client.aclose()


class RedisWriter(BrokerWriter):
    """Adds results to a stream.

    Args:
        sink: the stream.
    """

    transient_errors = _TRANSIENT

    def __init__(self, sink: RedisSink) -> None:
        super().__init__(sink.name, sink.log, sink.limits)
        self._sink = sink
        self._identity = secrets.token_hex(8)
        self._done = 0  # Outputs that are confirmed.

    async def _connect(self) -> None:
        sink = self._sink
        state: Any = await sink.client.hmget(sink.state, ["writer", "outputs"])
        writer, number = state
        if writer == self._identity.encode():
            # The connection may have been lost after a transaction had been executed.
            while self._done < int(number or 0) and self._unconfirmed:
                self._done += 1
                self._confirm()
        if self.trouble is not None and self._unconfirmed:
            # It is up again only when it takes something: its memory may be full.
            await self._send([self._unconfirmed[0][0]])

    async def _send(self, outputs: Sequence[Output]) -> None:
        first = 0
        while first < len(outputs):
            end, size = first, 0
            while end < len(outputs) and size < _MAX_TRANSACTION:
                size += len(outputs[end].results)
                end += 1
            try:
                await self._add(outputs[first:end])
            except _TRANSIENT:
                raise
            except RedisError as error:
                raise SinkError(self._name, f"cannot be written: {error}") from None
            for _ in range(first, end):
                self._done += 1
                self._confirm()
            first = end

    async def _add(self, outputs: Sequence[Output]) -> None:
        """Add the results of some outputs in one transaction, with the offset after them."""
        sink = self._sink
        offset = next((each.offset for each in reversed(outputs) if each.offset), "")
        if not sink.is_owner:
            offset = ""
        async with sink.client.pipeline(transaction=True) as pipe:
            if offset:
                await pipe.watch(sink.state)
                owner: Any = await pipe.hget(sink.state, "owner")
                if owner != sink.owner.encode():
                    raise self._replaced()
                kind: Any = await pipe.type(sink.stream)
                if kind not in (b"stream", b"none"):
                    # Redis would keep the offset without the results.
                    raise ResponseError(f"{sink.stream} is a {kind.decode()}, not a stream")
                pipe.multi()  # type: ignore[no-untyped-call]
            for output in outputs:
                for line in lines_of(output):
                    pipe.xadd(sink.stream, {sink.field: line}, maxlen=sink.maxlen)
            if offset:
                count = str(self._done + len(outputs))
                done = {"offset": offset, "writer": self._identity, "outputs": count}
                pipe.hset(sink.state, mapping=done)  # type: ignore[arg-type]
            await pipe.execute()

    async def _disconnect(self) -> None:
        await self._sink.client.connection_pool.disconnect()

    def _replaced(self) -> SinkError:
        return SinkError(
            self._name, f"is written by another process: {self._sink.state} has its identity"
        )
