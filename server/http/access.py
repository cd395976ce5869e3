"""Who may talk to this server: Host and Origin, and the bearer token.

A server on loopback is in reach of every web page that its user visits: a page can send
requests to 127.0.0.1, or to a name of its own that it points there (DNS rebinding). So a
request must carry a Host that is ours, and no Origin but allowed ones.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web

from server.config import ServerConfig
from server.errors import ProblemError

__all__ = ["ACCESS_POLICY", "AccessPolicy", "is_loopback"]

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:@/?#\[\]\\\s]+)(:[0-9]*)?", re.IGNORECASE)
_NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]+([ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*", re.ASCII)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROBES = ("/healthz", "/readyz")
_STATIC = "/dashboard/static/"


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is out of reach of other machines."""
    return host == "localhost" or host == "::1" or host.startswith("127.")


class AccessPolicy:
    """Decide on requests by their headers alone.

    Args:
        config: the names, the origins and the token.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._hosts = {*_LOOPBACK, config.host.lower(), *map(str.lower, config.allow_host)}
        self._origins = {origin.lower().rstrip("/") for origin in config.allow_origin}
        self._has_pages = config.dashboard
        self._any_host = config.unix_socket is not None
        self.use_token(config.token)

    def use_token(self, token: str | None) -> None:
        """Ask for this token from now on; for none if it is None."""
        self._token = _digest(token) if token else None

    def check(self, request: web.BaseRequest) -> None:
        """Let a request pass, or raise ProblemError 400, 401, 403, 501 or 505.

        Probes pass in any case: they tell nothing, and their senders know no names. The page
        of the dashboard passes without a token, which it asks its reader for: it holds no
        figures, and a browser has no token before it has a page.
        """
        _check_framing(request)
        if request.path in _PROBES:
            return
        host = self._check_host(request)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and not (self._may(origin) or self._is_own(origin, host)):
            raise ProblemError(403, f"Origin {origin!r} may not use this server (allow_origin)")
        if self._token is not None and not self._is_page(request):
            scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
            # Of digests not even the length tells anything.
            given = _digest(token.strip())
            if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
                raise ProblemError(
                    401,
                    "this server wants its bearer token in the Authorization header",
                    headers={"WWW-Authenticate": 'Bearer realm="forstcore"'},
                )

    def preflight(self, request: web.BaseRequest) -> web.Response | None:
        """Answer what a browser asks before a page of an allowed origin may send a request."""
        wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
        if request.method != "OPTIONS" or wanted is None or not self.cors(request):
            return None
        self._check_host(request)
        headers = {hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST"}
        asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
        if _NAMES.fullmatch(asked):
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
        return web.Response(status=204, headers=headers)

    def cors(self, request: web.BaseRequest) -> dict[str, str]:
        """Make the headers that let a page of an allowed origin read a response."""
        origin = request.headers.get(hdrs.ORIGIN, "")
        if not self._may(origin):
            return {}
        return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin, hdrs.VARY: "Origin, Accept-Encoding"}

    def is_let_in(self, request: web.BaseRequest) -> bool:
        """Tell whether a request that passed may know more than that the server lives."""
        return self._token is None or not (request.path in _PROBES or self._is_page(request))

    def _check_host(self, request: web.BaseRequest) -> str:
        """Return the host that a request is for, if it may be that."""
        host = _host(request)
        if not self._any_host and _hostname(host) not in self._hosts:
            raise ProblemError(
                403,
                f"Host {host!r} is not a name of this server (allow_host)",
            )
        return host

    def _may(self, origin: str) -> bool:
        # Beyond ASCII there are letters whose lower case is within it.
        return origin.isascii() and origin.lower() in self._origins

    def _is_page(self, request: web.BaseRequest) -> bool:
        path = request.path
        return self._has_pages and (path == "/" or path.startswith(_STATIC))

    def _is_own(self, origin: str, host: str) -> bool:
        """Tell whether a page is this server's own: it has the name that was let in as Host.

        Behind a Unix socket any name is let in, which then says nothing.
        """
        scheme, _, name = origin.lower().partition("://")
        own = self._has_pages and not self._any_host and scheme in ("http", "https")
        return own and name == host.lower()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _host(request: web.BaseRequest) -> str:
    """Return the host that a request is for.

    Raises:
        ProblemError: 400, it names several, or none that this can be.
    """
    names = request.headers.getall(hdrs.HOST, [])
    if len(names) > 1:
        raise ProblemError(400, "there must be one Host")
    host = names[0] if names else ""
    target = request.raw_path
    if not target.startswith(("/", "*")):
        # RFC 9112, section 3.2.2: such a target counts, and not Host. They have to be the same.
        scheme, _, rest = target.partition("://")
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        if scheme.lower() not in ("http", "https") or authority.lower() != host.lower():
            raise ProblemError(400, "the host in the target of the request is not that in Host")
    return host


def _check_framing(request: web.BaseRequest) -> None:
    """Refuse what a proxy in front may have read another way (RFC 9112, section 6.1)."""
    if request.version not in (HttpVersion10, HttpVersion11):
        raise ProblemError(505, "HTTP/1.1 is spoken here, and HTTP/1.0")
    coding = request.headers.get(hdrs.TRANSFER_ENCODING)
    if coding is None:
        return
    if request.version < HttpVersion11:
        raise ProblemError(400, "Transfer-Encoding needs HTTP/1.1")
    if coding.strip().lower() != "chunked":
        raise ProblemError(501, f"Transfer-Encoding must be chunked alone, not {coding!r}")


def _hostname(host: str) -> str:
    match = _HOST.fullmatch(host) if host.isascii() else None
    return match[1].strip("[]").lower() if match else ""


ACCESS_POLICY = web.AppKey("ACCESS_POLICY", AccessPolicy)
