"""Connections to Redis, for sources and sinks."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from forstcore.sources._tls import ClientTls
from forstcore.sources._url import SourceUrl

__all__ = ["Database", "database_of", "redis_client"]

_TIMEOUT = 10.0  # Seconds for Redis to reply.


Database = tuple[str, int, str]
"""Host, port and number of a database."""


def database_of(url: SourceUrl) -> Database:
    """Return the database that a URL names, regardless of its login.

    Raises:
        SourceError, SinkError: the path of the URL is not the number of a database.
    """
    return url.host, url.port or 6379, _number_of(url)


def _number_of(url: SourceUrl) -> str:
    """Return the number of a database; redis-py reads any other path as 0."""
    number = url.path.removeprefix("/") or "0"
    if not number.isdecimal():
        raise url.error(
            url.name,
            f"has the path {url.path}, which must be the number of a database: "
            "redis://host:6379/0?stream=KEY",
        )
    return number


def redis_client(url: SourceUrl, **options: Any) -> Redis:
    """Return a client for a URL. It connects on demand, and never retries by itself.

    Args:
        url: `redis://` or, with TLS, `rediss://`.
        options: additional options of the client.

    Raises:
        SourceError, SinkError: the URL is not valid for Redis.
    """
    if url.scheme == "rediss":
        tls = ClientTls(url)
        options.update(
            ssl_ca_certs=tls.ca,
            ssl_certfile=tls.cert,
            ssl_keyfile=tls.key,
            # redis-py before 6 does not check it by default.
            ssl_check_hostname=True,
        )
    try:
        return Redis.from_url(
            f"{url.scheme}://{url.address}/{_number_of(url)}",
            protocol=2,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            # Readers and writers reconnect themselves, and report it.
            retry=Retry(NoBackoff(), 0),
            **options,
        )
    except ValueError as error:
        raise url.error(url.name, f"has a URL that is not valid for Redis: {error}") from None
