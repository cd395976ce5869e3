"""The address of a server, with the credentials to use it."""

from __future__ import annotations

import re
import ssl
from urllib.parse import unquote

import aiohttp
from yarl import URL

from forstcore._io.passwords import without_password

__all__ = ["ServerAddress"]

_CREDENTIALS = re.compile("(^|://).*@", re.DOTALL)


class ServerAddress:
    """The address of a server, with the credentials to use it.

    Args:
        base_url: ``http://…`` or ``https://…``, with a path that precedes each endpoint;
            or ``http+unix://`` and the path of a socket, percent-encoded if a path follows
            (``http+unix://%2Frun%2Fforst.sock/prefix``), else as it is
            (``http+unix:///run/forst.sock``).
        token: bearer token, None for none.
        tls: the TLS context, None for the system's authorities.

    Raises:
        ValueError: the URL is none of these.
    """

    def __init__(
        self, base_url: str, token: str | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.token = token
        self._tls = tls
        self._socket: str | None = None
        scheme, _, rest = base_url.partition("://")
        if scheme == "http+unix":
            host, slash, path = rest.partition("/")
            self._socket = unquote(host) if host else slash + path
            base_url = f"http://localhost/{path if host else ''}"
        shown = _CREDENTIALS.sub(r"\1", without_password(base_url))
        try:
            self._base = URL(base_url)
        except ValueError as error:
            # Without the error of a port, which may be a part of a password.
            raise ValueError(f"the base URL {shown!r} is not valid: {error}") from None
        if self._base.scheme not in ("http", "https") or not self._base.host:
            raise ValueError(
                f"the base URL must start with http://, https:// or http+unix://, not {shown!r}"
            )

    def __str__(self) -> str:
        return f"unix socket {self._socket}" if self._socket else str(self._base.origin())

    def url(self, endpoint: str) -> URL:
        """Return the URL of an endpoint, given with or without its leading slash."""
        return self._base.with_path(
            f"{self._base.raw_path.rstrip('/')}/{endpoint.lstrip('/')}", encoded=True
        )

    def open(self) -> aiohttp.ClientSession:
        """Return a new session; it must be created, used and closed in one event loop."""
        # Each stream gets its own connection. The server may have closed a kept-alive one by the
        # time that the next stream is sent over it, and that looks like a failure of the stream.
        connector: aiohttp.BaseConnector
        if self._socket:
            connector = aiohttp.UnixConnector(self._socket, limit=0, force_close=True)
        else:
            connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=self._tls or True)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        )
