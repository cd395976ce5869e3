"""Base of the readers of NATS JetStream: the connection, its consumer, and lines of messages."""

from __future__ import annotations

from abc import abstractmethod

from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import ConsumerInfo
from nats.js.errors import BadRequestError, NotFoundError

from forstcore.errors import SourceError
from forstcore.sources import Lag
from forstcore.sources._broker import BrokerReader, on_one_line
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._nats_connection import NatsConnection, NatsServer
from forstcore.sources._nats_pull import Pull

__all__ = ["NatsReader"]

_TOO_MANY_CONSUMERS = 10026  # Fatal error code; others may be temporary.


class NatsReader(BrokerReader):
    """Read a stream through a consumer.

    Args:
        name, log, max_line_size: as for `BrokerReader`.
        server: where to connect.
        stream: name of the stream.
    """

    # A timeout is an OSError, too.
    transient_errors = (Error, OSError)

    def __init__(
        self, name: str, log: BrokerLog, max_line_size: int, server: NatsServer, stream: str
    ) -> None:
        super().__init__(name, log, max_line_size)
        self._server = server
        self._stream = stream
        self._connection: NatsConnection | None = None
        self._pull: Pull | None = None
        self._consumer = ""  # Its name; empty before there was one.

    async def lag(self) -> Lag | None:
        connection = self._connection
        if not self._is_connected or connection is None:
            return None
        try:
            info = await connection.jetstream().consumer_info(self._stream, self._consumer)
        except (Error, OSError):
            # `read` notices and reports it.
            return None
        if info.num_pending is None or self._pull is None:
            return None
        return Lag(info.num_pending + self._pull.waiting, "records")

    async def _connect(self) -> None:
        connection = self._connection = await self._server.connect()
        try:
            consumer = await self._open_consumer(connection)
        except NotFoundError as error:
            raise Error(f"nats: {error.description}: {self._stream}") from None
        except BadRequestError as error:
            if error.err_code == _TOO_MANY_CONSUMERS:
                raise
            raise SourceError(self._name, f"cannot be read: {error.description}") from None
        self._consumer = consumer.name
        self._pull = Pull(connection, self._stream, consumer.name)
        await self._pull.start()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def close(self) -> None:
        self._is_connected = False
        await self._disconnect()

    @abstractmethod
    async def _open_consumer(self, connection: NatsConnection) -> ConsumerInfo:
        """Create the consumer, or find it."""

    def _line(self, message: Msg, number: int) -> bytes:
        """Return a message as a line with its LF; only the start of one that is too long."""
        if len(message.data) > self._max_line_size:
            self._log_too_long(f"message {number}")
        return on_one_line(message.data[: self._max_line_size + 1]) + b"\n"
