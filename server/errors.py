"""Errors before a response starts: problem documents, RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

__all__ = ["ProblemError", "problem_middleware", "problem_response"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ProblemError(Exception):
    """A request that cannot be answered as asked.

    Args:
        status: the HTTP status code, 400 or more.
        detail: what is wrong and what would help, for the person who reads it.
        headers: response headers to add.
    """

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Build the response of a problem; its connection ends, as the body is not read."""
    document = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    response = web.Response(
        status=status,
        body=json.dumps(document).encode() + b"\n",
        content_type="application/problem+json",
        headers=headers,
    )
    response.force_close()
    return response


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer each error, aiohttp's own included, with a problem document."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return problem_response(problem.status, problem.detail, problem.headers)
    except web.HTTPNotFound:
        endpoints = sorted(
            f"{route.method} {route.resource.canonical}"
            for route in request.app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        )
        detail = f"there is no {request.path!r} here; endpoints: {', '.join(endpoints)}"
        return problem_response(404, detail)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.path} takes {allowed}, not {request.method}"
        return problem_response(405, detail, {"Allow": allowed})
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return problem_response(error.status, error.text or error.reason)
