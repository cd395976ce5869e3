"""`GET /sources`: the live sources of the server."""

from __future__ import annotations

from aiohttp import web

from server.live.feed_registry import FEEDS
from server.live.source_list import SourceList
from server.streams.registry import REGISTRY

__all__ = ["list_sources"]


async def list_sources(request: web.Request) -> web.Response:
    """Answer `GET /sources`."""
    sources = SourceList(request.app[REGISTRY], request.app[FEEDS])
    return web.json_response({"sources": sources.documents()})
