"""The application: its routes and what they share."""

from __future__ import annotations

from aiohttp import web

from server.errors import problem_middleware
from server.streaming import MAX_LINE_SIZE, streaming_process

__all__ = ["build_app"]


def build_app(*, max_line_size: int = 1 << 20) -> web.Application:
    """Build the aiohttp application.

    Args:
        max_line_size: longest input line in bytes, see `forstcore.RecordStream`.

    Returns:
        An application that can be run by itself or mounted in another one.
    """
    app = web.Application(middlewares=[problem_middleware])
    app[MAX_LINE_SIZE] = max_line_size
    app.router.add_post("/streaming-process", streaming_process)
    app.router.add_get("/healthz", _healthz)
    return app


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
