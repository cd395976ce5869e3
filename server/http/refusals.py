"""What is answered to heads that are no requests, or none that can be handled."""

from __future__ import annotations

from aiohttp import web

from server.errors import problem_response
from server.http.internals import HttpProcessingError, LineTooLong

__all__ = ["TooMuchAhead", "UnknownExpectation", "answer_to"]


class TooMuchAhead(HttpProcessingError):
    """A head that is longer than there is room for now."""

    def __init__(self) -> None:
        super().__init__(code=503, message="too many long requests wait here; try again later")


class UnknownExpectation(HttpProcessingError):
    """A request that expects what nobody here does.

    Args:
        method: its method.
    """

    def __init__(self, method: str) -> None:
        super().__init__(code=417, message="the only expectation known here is 100-continue")
        self.method = method


def answer_to(error: HttpProcessingError) -> web.Response:
    """Build the answer to a head, of which nothing is repeated that could be long."""
    if isinstance(error, TooMuchAhead):
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
