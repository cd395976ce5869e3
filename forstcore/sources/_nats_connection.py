"""Connections to NATS servers.

nats-py reconnects silently, and then waits for messages that are no longer sent. Here a
connection ends when it is lost, as `BrokerReader` expects. nats-py has no public way to drop a
broken connection without waiting for it; this is the only module that uses its private names.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import Any, TypeVar

from nats.aio.client import Client, __version__
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, Error, NoServersError

from forstcore.errors import ForstError, SourceError
from forstcore.sources._nats_login import NatsLogin
from forstcore.sources._tls import ClientTls
from forstcore.sources._url import SourceUrl

__all__ = ["NatsConnection", "NatsServer", "check_name"]

T = TypeVar("T")

_TIMEOUT = 10.0  # Seconds for a server to answer.
_PING_INTERVAL = 10  # Seconds. A server that leaves two pings unanswered counts as lost.
_CLOSE_TIMEOUT = 2.0  # Seconds in which a connection may end gracefully.
_PRIVATE = ("_close", "_process_info", "_pending", "_pending_data_size", "_transport")
_NAME = re.compile(r"[^\s.*>/\\]+")

for _name in _PRIVATE:
    if not hasattr(Client(), _name):
        raise ImportError(f"nats-py {__version__} is not supported: its client has no {_name}")


class NatsConnection(Client):
    """A connection that ends when it is lost.

    Args:
        requires_tls: whether to refuse a server without TLS.

    Attributes:
        lost: done once the connection has ended.
        trouble: the last error that the server has reported.
    """

    def __init__(self, *, requires_tls: bool = False) -> None:
        super().__init__()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.trouble: Exception | None = None
        self._requires_tls = requires_tls

    async def note(self, error: Exception) -> None:
        """Remember an error that the client cannot raise to a caller."""
        self.trouble = error

    async def unless_lost(self, awaitable: Awaitable[T]) -> T:
        """Wait for something, but not longer than the connection lasts.

        Raises:
            ConnectionClosedError: the connection has ended.
        """
        task = asyncio.ensure_future(awaitable)
        try:
            await asyncio.wait((task, self.lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if task.done() and not task.cancelled():
            return task.result()
        raise self.ending()

    def ending(self) -> Exception:
        """Return why the connection has ended."""
        return self.trouble or ConnectionClosedError()

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = _TIMEOUT,  # noqa: ASYNC109 (as in nats-py)
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """Send a request, and wait for its answer as long as the connection lasts."""
        return await self.unless_lost(
            super().request(subject, payload, timeout, old_style, headers)
        )

    async def finish(self) -> None:
        """Close the connection after the server has read everything, if it does so in time."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self.unless_lost(self.flush())
        except (Error, OSError):
            pass
        await self.close()

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if self._requires_tls and not info.get("tls_required"):
            raise Error("nats: the server does not use TLS")
        # Servers that join the cluster do not matter: the next connection asks again.
        await super()._process_info({**info, "connect_urls": None}, initial_connection)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        # A broken connection would not accept what is left to send, and nats-py waits for that, or
        # fails.
        self._pending = []
        self._pending_data_size = 0
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()
            if self.is_connecting:
                # nats-py would wait for the end of it, which is never noted after a TLS handshake
                # that has failed.
                self._transport = None
        await super()._close(status, do_cbs)


class NatsServer:
    """Where a NATS server is, and how to log in.

    Args:
        url: `nats://` or, with TLS, `natss://`; with what `NatsLogin` and `ClientTls` take.

    Raises:
        SourceError, SinkError: it is not possible to log in with them.
    """

    def __init__(self, url: SourceUrl) -> None:
        host = f"[{url.host}]" if ":" in url.host else url.host
        self._url = f"nats://{host}:{url.port or 4222}"
        self._login = NatsLogin(url)
        self._tls = ClientTls(url) if url.scheme == "natss" else None

    async def connect(self) -> NatsConnection:
        """Connect and log in.

        Raises:
            nats.errors.Error: the server refuses the connection, or is not a NATS server.
            OSError: the server cannot be reached.
        """
        connection = NatsConnection(requires_tls=self._tls is not None)
        try:
            async with asyncio.timeout(_TIMEOUT):
                await connection.connect(
                    self._url,
                    error_cb=connection.note,
                    allow_reconnect=False,
                    # Without a limit, nats-py tries again and again to reach the server.
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=int(_TIMEOUT) + 1,
                    ping_interval=_PING_INTERVAL,
                    tls=self._tls.context() if self._tls is not None else None,
                    **self._login.options(),
                )
        except NoServersError as error:
            raise connection.trouble or error from None
        except BaseException:
            await connection.close()
            raise
        return connection


def check_name(owner: str, kind: str, name: str, error: type[ForstError] = SourceError) -> None:
    """Check the name of a stream or consumer.

    Args:
        owner: name of the source or sink.
        kind: the option.
        name: its value.
        error: what to raise: `SourceError` or `SinkError`.
    """
    if not _NAME.fullmatch(name):
        raise error(owner, f"has {kind}={name}, which must have no spaces, dots, *, > or slashes")
