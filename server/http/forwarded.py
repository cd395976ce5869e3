"""The address of a client behind a trusted proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aiohttp import hdrs, web

from server.config import networks_of

__all__ = ["Forwarded", "is_address"]


class Forwarded:
    """Determine the addresses of clients from `X-Forwarded-For`.

    Args:
        trusted: addresses and networks of the trusted proxies.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = networks_of(trusted)

    def resolve(self, request: web.Request) -> web.Request:
        """Return the request with the address of the client as its `remote`.

        Each proxy appends the address that connected to it. So the header is read from its end up
        to the first address that is not a trusted proxy: anybody may have written the rest.
        """
        if not self._trusted:
            return request
        client = request.remote or ""
        addresses = ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, [])).split(",")
        while addresses and self._is_proxy(client):
            address = addresses.pop().strip()
            if not is_address(address):
                break
            client = address
        return request if client == request.remote else request.clone(remote=client)

    def _is_proxy(self, text: str) -> bool:
        if not is_address(text):
            return False
        address = ipaddress.ip_address(text)
        return any(address in network for network in self._trusted)


def is_address(text: str) -> bool:
    """Return whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
