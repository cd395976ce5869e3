"""Errors: problem documents (RFC 9457) before a response starts, `StreamError` after."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from forstcore.wire import PROBLEM_TYPE, StreamErrorCode

__all__ = [
    "SERVER_NAME",
    "Handler",
    "ProblemError",
    "ProblemResponse",
    "StreamError",
    "in_words",
    "problem",
    "problem_middleware",
    "problem_response",
]

_MOST = 4000  # Characters of a detail, which may repeat what a client has sent.

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SERVER_NAME = "forstcore"
"""Value of the header `Server`; versions are not disclosed."""


_REASONS = {
    401: "token",
    403: "forbidden",
    404: "not_found",
    405: "method",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    415: "media_type",
    417: "expectation",
    426: "upgrade",
    428: "acknowledgements",
    431: "header_too_large",
    503: "unavailable",
}
"""The reason of each status, as metrics count it, unless the error has one of its own."""


def in_words(error: Exception) -> str:
    """Describe an error of the configuration in one line, a system error without its number."""
    if isinstance(error, OSError) and error.filename:
        return f"cannot read {error.filename}: {error.strerror}"
    return str(error)


class ProblemError(Exception):
    """A request that cannot be answered as asked.

    Args:
        status: the HTTP status code, 400 or more.
        detail: what is wrong and what would help, for the person who reads it.
        headers: response headers to add.
        reason: what metrics and logs count it as; by default that of the status.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.reason = reason

    def response(self, *, is_last: bool = False) -> ProblemResponse:
        """Build the response; if it is the last, the connection ends with it."""
        response = problem_response(self.status, self.detail, self.headers, self.reason)
        if is_last:
            response.force_close()
        return response


class ProblemResponse(web.Response):
    """The response to a request that is refused.

    Attributes:
        detail: what is wrong.
        reason_code: what metrics and logs count it as; empty if they do not.
    """

    detail = ""
    reason_code = ""


class StreamError(Exception):
    """A stream that has to end before its input does.

    Args:
        code: what kind of end, for logs, metrics and programs.
        detail: what happened, for the person who reads it; the meaning of the code if empty.

    Attributes:
        code: as above.
        status: the HTTP status that comes closest.
        detail: as above.
    """

    def __init__(self, code: StreamErrorCode, detail: str = "") -> None:
        self.code = code.value
        self.status = code.status
        self.detail = detail or code.meaning
        super().__init__(self.code, self.status, self.detail)


def problem(status: int, detail: str, **members: object) -> bytes:
    """Write a problem document, without LF."""
    # The detail may quote text of a request that strict JSON parsers refuse.
    detail = detail.encode("utf-8", "backslashreplace").decode()
    if len(detail) > _MOST:
        detail = f"{detail[:_MOST]}…"
    document = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json.dumps(document | members).encode()


def problem_response(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    reason: str | None = None,
) -> ProblemResponse:
    """Build the response of a problem.

    The connection ends if the server is the reason: another attempt may reach another process.
    """
    response = ProblemResponse(
        status=status,
        body=problem(status, detail) + b"\n",
        content_type=PROBLEM_TYPE,
        headers=headers,
    )
    response.detail = detail
    default = "bad_request" if status < 500 else "server_error"
    response.reason_code = _REASONS.get(status, default) if reason is None else reason
    response.headers["Server"] = SERVER_NAME
    if status >= 500 or status == 408:
        response.force_close()
    return response


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer each error, aiohttp's own included, with a problem document."""
    try:
        return await handler(request)
    except ProblemError as error:
        return error.response()
    except web.HTTPNotFound:
        routes = request.app.router.routes()
        if request.method == "OPTIONS" and request.raw_path == "*":
            # About the server as a whole: RFC 9110, section 9.3.7.
            methods = sorted({"OPTIONS", *(route.method for route in routes)} - {"*"})
            return web.Response(status=204, headers={"Allow": ", ".join(methods)})
        endpoints = sorted(
            f"{route.method} {path}"
            for route in routes
            if route.resource is not None and route.method != "HEAD"
            for path in getattr(route.resource, "paths", [route.resource.canonical])
        )
        detail = f"there is no {request.path!r} here; endpoints: {', '.join(endpoints)}"
        return problem_response(404, detail)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": allowed})
        detail = f"{request.path} takes {allowed}, not {request.method}"
        return problem_response(405, detail, {"Allow": allowed})
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return problem_response(error.status, error.text or error.reason)
