"""`GET /pipelines` and `POST /pipelines/{name}/{action}`: pipelines that run in the server."""

from __future__ import annotations

from aiohttp import web

from server.errors import ProblemError
from server.pipelines.managed_pipeline import ACTIONS
from server.pipelines.registry import PIPELINES

__all__ = ["control_pipeline", "list_pipelines"]


async def list_pipelines(request: web.Request) -> web.Response:
    """Answer `GET /pipelines`."""
    return web.json_response({"pipelines": await request.app[PIPELINES].documents()})


async def control_pipeline(request: web.Request) -> web.Response:
    """Answer `POST /pipelines/{name}/{action}`: start, pause or stop a pipeline."""
    name, wanted = request.match_info["name"], request.match_info["action"]
    action = next((each for each in ACTIONS if each == wanted), None)
    if action is None:
        raise ProblemError(404, f"there is no action {wanted!r}; there are: {', '.join(ACTIONS)}")
    return web.json_response(await request.app[PIPELINES].control(name, action))
