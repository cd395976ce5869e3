"""Who a client is, where a proxy of ours stands between it and this server."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aiohttp import hdrs, web

from server.config import networks_of

__all__ = ["Forwarded"]


class Forwarded:
    """Tell the client's address from what trusted proxies say of it.

    Args:
        trusted: addresses and networks of the proxies.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = networks_of(trusted)

    def see(self, request: web.Request) -> web.Request:
        """Return the request, with the client as its `remote` where a proxy names it.

        Each proxy adds at the end of `X-Forwarded-For` whom it was connected by. So it is read
        from there, and only up to the first address that is no proxy: what stands before that
        anybody may have written.
        """
        if not self._trusted:
            return request
        client = request.remote or ""
        named = ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, [])).split(",")
        while named and self._is_proxy(client):
            following = named.pop().strip()
            if not _is_address(following):
                break
            client = following
        return request if client == request.remote else request.clone(remote=client)

    def _is_proxy(self, text: str) -> bool:
        if not _is_address(text):
            return False
        address = ipaddress.ip_address(text)
        return any(address in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
