"""Which errors are worth another attempt, and after which pause."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from forstcore.config import RetryConfig
from forstcore.errors import RequestRefusedError, StreamFailedError

__all__ = ["StreamingErrorHandler", "is_retriable", "pause_before"]

T = TypeVar("T")

_LOGGER = logging.getLogger("forstcore")
_TRANSIENT = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientPayloadError,
    aiohttp.ClientConnectorDNSError,
)
# aiohttp's own OSErrors are not of these classes, but have the number.
_ERRNOS = (
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.EPIPE,
    errno.ECONNREFUSED,
    errno.ETIMEDOUT,
)


class StreamingErrorHandler:
    """Run operations, and repeat those that fail because of the network.

    Args:
        config: how often to retry, and after which pauses.

    Thread-safety: immutable; may be shared.
    """

    def __init__(self, config: RetryConfig | None = None) -> None:
        self._config = config or RetryConfig()

    async def handle_streaming_error(
        self, operation: Callable[[], Awaitable[T]], context: str
    ) -> T:
        """Return what an operation returns; retry after transient errors.

        Errors that are not `is_retriable` are raised at once. Each attempt starts the operation
        from its beginning, so it must be safe to repeat.

        Args:
            operation: called without arguments for each attempt.
            context: what the operation does, for the log and for the note on the last error.

        Raises:
            Exception: whatever the operation raised in its last attempt, unchanged.
        """
        attempts = self._config.attempts
        attempt = 0
        while True:
            attempt += 1
            try:
                return await operation()
            except Exception as error:
                if not is_retriable(error):
                    raise
                if attempt == attempts:
                    error.add_note(f"{context}: given up after {attempts} attempts")
                    raise
                pause = pause_before(self._config, attempt)
                _LOGGER.info(
                    "%s: attempt %d of %d failed, the next in %.1f s: %r",
                    *(context, attempt, attempts, pause, error),
                )
            await asyncio.sleep(pause)


def is_retriable(error: BaseException) -> bool:
    """Tell whether an error is transient: reset, refused, timed out, name not found.

    In terms of Python:

    - reset: `ConnectionResetError`, `ConnectionAbortedError`, `BrokenPipeError`; of aiohttp
      `ServerDisconnectedError`, and `ClientPayloadError` for a response that was cut
    - refused: `ConnectionRefusedError`; for a Unix socket also if it does not exist
    - timed out: `TimeoutError`, which is also asyncio's, the socket's and aiohttp's
    - name not found: `socket.gaierror`, of aiohttp `ClientConnectorDNSError`
    - any `OSError`, aiohttp's included, with the number of one of these
    - `RequestRefusedError` and `StreamFailedError` whose `retriable` is true

    Untrusted certificates are not transient.
    """
    if isinstance(error, RequestRefusedError | StreamFailedError):
        return error.retriable
    if isinstance(error, aiohttp.ClientSSLError):
        return False
    if isinstance(error, _TRANSIENT):
        return True
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno == errno.ENOENT:
        # A Unix socket that its server has not made yet.
        return True
    if isinstance(error, aiohttp.ClientOSError) and error.errno is None and error.__cause__:
        # Writing the request to a closed connection raises an error without a number.
        return is_retriable(error.__cause__)
    return isinstance(error, OSError) and error.errno in _ERRNOS


def pause_before(config: RetryConfig, failures: int) -> float:
    """Return how many seconds to wait after `failures` failures in a row."""
    doublings = min(max(0, failures - 1), 60)
    return min(config.delay * 2.0**doublings, config.max_delay) * random.uniform(0.5, 1.0)
