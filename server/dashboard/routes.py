"""The routes of the dashboard: page, static files and live updates."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from forstcore.wire import NDJSON
from server.dashboard.assets import Asset, Assets
from server.dashboard.news import News
from server.errors import ProblemError
from server.http.request_handler import RequestHandler
from server.live.feed_registry import FEEDS
from server.pipelines.registry import PIPELINES
from server.streams.registry import REGISTRY

__all__ = ["add_dashboard"]

_PATIENCE = 30.0  # Seconds after which a viewer that does not read is disconnected.

_GUARDS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_dashboard(app: web.Application) -> None:
    """Add the dashboard to an application."""
    assets = Assets()
    news = News(app[REGISTRY], app[FEEDS], app[PIPELINES])

    async def page(request: web.Request) -> web.Response:
        return _answer(request, assets.page, "no-cache")

    async def file(request: web.Request) -> web.Response:
        asset = assets.files.get(request.match_info["name"])
        if asset is None or request.match_info["digest"] != assets.digest:
            raise web.HTTPNotFound
        return _answer(request, asset, "public, max-age=31536000, immutable")

    async def watch(request: web.Request) -> web.StreamResponse:
        # A cross-origin page could not read the response, but would occupy a viewer slot.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise ProblemError(
                403, "the live updates are for the server's own page", reason="origin"
            )
        news.check_room()
        response = web.StreamResponse(
            headers={
                **_GUARDS,
                "Content-Type": NDJSON,
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        connections = request.app[REGISTRY].connections
        connections.keep(request)
        if isinstance(request.protocol, RequestHandler):
            request.protocol.end_with_client()
        async with contextlib.aclosing(news.lines()) as lines:
            try:
                async for line in lines:
                    async with asyncio.timeout(_PATIENCE):
                        await response.write(line)
                await response.write_eof()
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()
            except ConnectionError:
                pass
            finally:
                connections.release(request)
        return response

    app.cleanup_ctx.append(news.run)
    app.on_shutdown.append(news.end)
    app.router.add_get("/", page)
    app.router.add_get("/dashboard/static/{digest}/{name}", file)
    app.router.add_get("/dashboard/news", watch, allow_head=False)


def _answer(request: web.Request, asset: Asset, caching: str) -> web.Response:
    headers = {**_GUARDS, "Cache-Control": caching, "ETag": asset.etag}
    known = {tag.value for tag in request.if_none_match or ()}
    if not known.isdisjoint((asset.etag.strip('"'), "*")):
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.body, headers={**headers, "Content-Type": asset.content_type})
