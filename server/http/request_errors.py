"""Responses to malformed requests, and to requests that no handler receives."""

from __future__ import annotations

from aiohttp import web

from server.errors import problem_response
from server.http.internals import HttpProcessingError, LineTooLong

__all__ = ["TooMuchReadAhead", "UnknownExpectation", "response_to"]


class TooMuchReadAhead(HttpProcessingError):
    """A long head while all connections together hold too many bytes; see `ReadAhead`."""

    def __init__(self) -> None:
        super().__init__(code=503, message="too many long requests are waiting; try again later")


class UnknownExpectation(HttpProcessingError):
    """A request with an unknown `Expect` header.

    Args:
        method: its method.
    """

    def __init__(self, method: str) -> None:
        super().__init__(code=417, message="the only supported expectation is 100-continue")
        self.method = method


def response_to(error: HttpProcessingError) -> web.Response:
    """Build the response to an error. It repeats at most 200 characters of the request."""
    if isinstance(error, TooMuchReadAhead):
        return problem_response(error.code, error.message, {"Retry-After": "1"})
    if isinstance(error, UnknownExpectation):
        response = problem_response(error.code, error.message)
        if error.method == "HEAD":
            response.body = None
        return response
    if isinstance(error, LineTooLong):
        return problem_response(
            431, "the request line or a header field is too long (max_header_size)"
        )
    return problem_response(400, f"malformed HTTP: {' '.join(error.message.split())[:200]}")
