"""`GET /pipelines` and `POST /pipelines/{name}/{action}`: pipelines that run in the server."""

from __future__ import annotations

from aiohttp import web

from forstcore.errors import PipelineConfigError
from server.errors import ProblemError
from server.pipelines.managed_pipeline import ACTIONS
from server.pipelines.registry import PIPELINES

__all__ = ["control_pipeline", "list_pipelines"]


async def list_pipelines(request: web.Request) -> web.Response:
    """Answer `GET /pipelines`."""
    return web.json_response({"pipelines": request.app[PIPELINES].documents()})


async def control_pipeline(request: web.Request) -> web.Response:
    """Answer `POST /pipelines/{name}/{action}`: start, pause or stop a pipeline."""
    pipelines = request.app[PIPELINES].pipelines
    name, action = request.match_info["name"], request.match_info["action"]
    pipeline = pipelines.get(name)
    if pipeline is None:
        known = ", ".join(sorted(pipelines))
        raise ProblemError(404, f"there is no pipeline {name!r}; there are: {known}")
    if action == "start":
        try:
            pipeline.start()
        except (PipelineConfigError, LookupError, OSError) as error:
            raise ProblemError(409, f"its file was changed: {error}") from None
    elif action == "pause":
        pipeline.pause()
    elif action == "stop":
        pipeline.stop()
    else:
        raise ProblemError(404, f"there is no action {action!r}; there are: {', '.join(ACTIONS)}")
    return web.json_response(pipeline.document())
