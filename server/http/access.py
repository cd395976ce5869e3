"""Access control: the headers `Host` and `Origin`, and the bearer token.

Every web page that a user visits can send requests to servers on the user's machine: to 127.0.0.1,
or to a domain of its own that resolves to it (DNS rebinding). So a request needs a known `Host`
and, if it has an `Origin`, an allowed one.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import time
from collections.abc import MutableMapping

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web

from forstcore import wire
from server.config import ServerConfig
from server.errors import ProblemError
from server.http.forwarded import is_address
from server.http.preferences import vary
from server.origins import origins_of

__all__ = ["ACCESS_POLICY", "TICKET_SECONDS", "AccessPolicy", "is_from_elsewhere", "is_loopback"]

TICKET_SECONDS = 300
"""Seconds for which a ticket is valid."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:@/?#\[\]\\\s]+)(:[0-9]*)?", re.IGNORECASE)
_NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]+([ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*", re.ASCII)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROBES = ("/healthz", "/readyz")
_STATIC = "/dashboard/static/"
_PREFLIGHT_SECONDS = "600"  # Seconds for which browsers cache the response to a preflight request.
_TICKET = re.compile(r"([0-9]{1,15})\.([0-9a-f]{64})")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address to listen on."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


class AccessPolicy:
    """Decide by its headers whether a request is allowed.

    Args:
        config: the allowed hosts and origins, and the token.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.use(config)

    def use(self, config: ServerConfig) -> None:
        """Replace the configuration."""
        self._hosts = {*_LOOPBACK, config.host.lower(), *map(str.lower, config.allow_host)}
        self._origins = origins_of(config.allow_origin)
        self._has_pages = config.dashboard
        self._any_host = config.unix_socket is not None
        self._any_address = not is_loopback(config.host)
        self._token = _digest(config.token) if config.token else None

    def ticket(self) -> str:
        """Return a ticket: proof, for a limited time, of having presented the token."""
        expires = str(int(time.time()) + TICKET_SECONDS)
        return f"{expires}.{self._signature(expires)}"

    def check(self, request: web.BaseRequest, *, takes_ticket: bool = False) -> None:
        """Raise ProblemError 400, 401, 403, 501 or 505 unless a request is allowed.

        Health checks are always allowed: they reveal nothing, and their senders do not know the
        name of the server. The page of the dashboard needs no token: it contains no data, and
        asks the user for the token.

        Args:
            request: the request.
            takes_ticket: whether a ticket in its query may replace the token.
        """
        _check_framing(request)
        if request.path in _PROBES:
            return
        host = self._check_host(request)
        origin = request.headers.get(hdrs.ORIGIN)
        is_allowed = origin is None or self._is_allowed(origin) or self._is_same(origin, host)
        if not is_allowed:
            raise ProblemError(
                403, f"Origin {origin!r} may not use this server (allow_origin)", reason="origin"
            )
        if self._token is not None and not self._is_page(request):
            scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
            # Digests have the same length, so the comparison does not reveal that of the token.
            given = _digest(token.strip())
            has_token = scheme.lower() == "bearer" and hmac.compare_digest(given, self._token)
            if not (has_token or (takes_ticket and self._has_ticket(request))):
                raise ProblemError(
                    401,
                    "the Authorization header must contain the bearer token of this server",
                    headers={"WWW-Authenticate": 'Bearer realm="forstcore"'},
                )

    def preflight(self, request: web.BaseRequest) -> web.Response | None:
        """Answer the preflight request of an allowed origin; None for any other request."""
        wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
        origin = request.headers.get(hdrs.ORIGIN, "")
        if request.method != "OPTIONS" or wanted is None or not self._is_allowed(origin):
            return None
        self._check_host(request)
        headers: dict[str, str] = {
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST",
            hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_SECONDS,
        }
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            # A public page requests a server in a private network, whose `allow_origin` lists it.
            headers["Access-Control-Allow-Private-Network"] = "true"
        asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
        if _NAMES.fullmatch(asked):
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
        return web.Response(status=204, headers=headers)

    def add_cors(self, request: web.BaseRequest, headers: MutableMapping[str, str]) -> None:
        """Add the headers with which pages of an allowed origin may read a response."""
        if not self._origins:
            return
        # Caches must not return the response for one origin, or for none, to another.
        vary(headers, hdrs.ORIGIN)
        origin = request.headers.get(hdrs.ORIGIN, "")
        if self._is_allowed(origin):
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ", ".join(wire.EXPOSED_HEADERS)

    def is_authorized(self, request: web.BaseRequest) -> bool:
        """Return whether an allowed request presented the token, or none is required."""
        return self._token is None or not (request.path in _PROBES or self._is_page(request))

    def _has_ticket(self, request: web.BaseRequest) -> bool:
        match = _TICKET.fullmatch(request.query.get(wire.TICKET_PARAMETER, ""))
        if match is None or int(match[1]) < time.time():
            return False
        return hmac.compare_digest(self._signature(match[1]), match[2])

    def _signature(self, expires: str) -> str:
        # Without a token, tickets are not checked.
        return hmac.new(self._token or b"", f"ticket {expires}".encode(), "sha256").hexdigest()

    def _check_host(self, request: web.BaseRequest) -> str:
        """Return the host of a request, or raise ProblemError 400 or 403."""
        host = _host(request)
        if not (self._any_host or self._is_known(_hostname(host))):
            raise ProblemError(
                403,
                f"Host {host!r} is not a name of this server (allow_host)",
                reason="host",
            )
        return host

    def _is_known(self, name: str) -> bool:
        """Return whether a host is one of this server.

        Beyond loopback, any IP address is accepted: the server cannot know all of its own, and
        DNS rebinding needs a name.
        """
        return name in self._hosts or (self._any_address and is_address(name))

    def _is_allowed(self, origin: str) -> bool:
        # Some letters outside ASCII have a lower case in ASCII.
        return origin.isascii() and origin.lower() in self._origins

    def _is_page(self, request: web.BaseRequest) -> bool:
        path = request.path
        return self._has_pages and (path == "/" or path.startswith(_STATIC))

    def _is_same(self, origin: str, host: str) -> bool:
        """Return whether a request comes from a page of this server (same origin).

        With a Unix socket any Host is accepted, so it proves nothing.
        """
        scheme, _, name = origin.lower().partition("://")
        can_be_same = self._has_pages and not self._any_host and scheme in ("http", "https")
        return can_be_same and name == host.lower()


def is_from_elsewhere(request: web.BaseRequest) -> bool:
    """Return whether a page of another site makes a request without `Origin`.

    Requests for images, scripts and frames are of this kind; the page cannot read the response.
    """
    site = request.headers.get("Sec-Fetch-Site", "none")
    return hdrs.ORIGIN not in request.headers and site not in ("same-origin", "none")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _host(request: web.BaseRequest) -> str:
    """Return the host of a request.

    Raises:
        ProblemError: 400, it has several hosts, or contradicts itself.
    """
    names = request.headers.getall(hdrs.HOST, [])
    if len(names) > 1:
        raise ProblemError(400, "there must be a single Host header")
    host = names[0] if names else ""
    target = request.raw_path
    if not target.startswith(("/", "*")):
        # RFC 9112, section 3.2.2: such a target takes precedence over Host.
        scheme, _, rest = target.partition("://")
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        if scheme.lower() not in ("http", "https") or authority.lower() != host.lower():
            raise ProblemError(400, "the request target and the Host header name different hosts")
    return host


def _check_framing(request: web.BaseRequest) -> None:
    """Refuse framing that a proxy may have interpreted differently (RFC 9112, section 6.1)."""
    if request.version not in (HttpVersion10, HttpVersion11):
        raise ProblemError(505, "this server supports HTTP/1.1 and HTTP/1.0 only")
    coding = request.headers.get(hdrs.TRANSFER_ENCODING)
    if coding is None:
        return
    if request.version < HttpVersion11:
        raise ProblemError(400, "Transfer-Encoding needs HTTP/1.1")
    if coding.strip().lower() != "chunked":
        raise ProblemError(501, f"Transfer-Encoding must be chunked, not {coding!r}")


def _hostname(host: str) -> str:
    match = _HOST.fullmatch(host) if host.isascii() else None
    return match[1].strip("[]").lower() if match else ""


ACCESS_POLICY = web.AppKey("ACCESS_POLICY", AccessPolicy)
