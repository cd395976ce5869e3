"""Retrying after transient errors, with exponential backoff."""

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
# aiohttp's OSErrors are not of these classes, but have these error numbers.
_ERRNOS = (
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.EPIPE,
    errno.ECONNREFUSED,
    errno.ETIMEDOUT,
)


class StreamingErrorHandler:
    """Run operations, and retry those that fail with a transient error.

    Args:
        config: the number of attempts and the delays between them.

    Thread-safety: immutable; may be shared.
    """

    def __init__(self, config: RetryConfig | None = None) -> None:
        self._config = config or RetryConfig()

    async def handle_streaming_error(
        self, operation: Callable[[], Awaitable[T]], context: str
    ) -> T:
        """Run an operation and return its result; retry after transient errors.

        Errors that are not `is_retriable` are raised at once. Each attempt starts the operation
        from its beginning, so it must be safe to repeat.

        Args:
            operation: called without arguments for each attempt.
            context: description of the operation, for the log and the note on the last error.

        Raises:
            Exception: the error of the last attempt.
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
    """Return whether an error is transient: reset, refused, timed out, name not found.

    These are:

    - reset: `ConnectionResetError`, `ConnectionAbortedError`, `BrokenPipeError`, aiohttp's
      `ServerDisconnectedError`, and `ClientPayloadError` for a truncated response
    - refused: `ConnectionRefusedError`; also a Unix socket that does not exist
    - timed out: `TimeoutError`, including the timeouts of asyncio, sockets and aiohttp
    - name not found: `socket.gaierror`, aiohttp's `ClientConnectorDNSError`
    - any other `OSError` with one of these error numbers, including aiohttp's
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
        # The server has not created its Unix socket yet.
        return True
    if isinstance(error, aiohttp.ClientOSError) and error.errno is None and error.__cause__:
        # Writing to a closed connection raises an error without a number; check its cause.
        return is_retriable(error.__cause__)
    return isinstance(error, OSError) and error.errno in _ERRNOS


def pause_before(config: RetryConfig, failures: int) -> float:
    """Return the delay in seconds after `failures` consecutive failures."""
    doublings = min(max(0, failures - 1), 60)
    return min(config.delay * 2.0**doublings, config.max_delay) * random.uniform(0.5, 1.0)
