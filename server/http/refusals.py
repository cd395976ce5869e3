"""Refused requests: counted by reason, logged and traced."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

from aiohttp import web

from forstcore._json_log import now
from server.errors import ProblemResponse
from server.http.forwarded import Forwarded
from server.observe.spans import trace_refusal

__all__ = ["Refusals"]

_MOST = 300  # Characters of what a client has sent, in a log line.
_PROBE = "/readyz"


class Refusals:
    """Count, log and trace each request that is answered with a problem document.

    Args:
        trusted_proxy: as in the configuration.
        is_logged: whether to log them.

    Attributes:
        is_logged: as above; may be changed.
        counts: the number of refused requests, by reason.
    """

    def __init__(self, trusted_proxy: Iterable[str], *, is_logged: bool) -> None:
        self.counts: dict[str, int] = {}
        self._forwarded = Forwarded(trusted_proxy)
        self.is_logged = is_logged

    def add(self, request: web.BaseRequest, response: ProblemResponse) -> None:
        """Count, log and trace a refused request.

        A failing readiness check does not count: its 503 is the answer to the check.
        """
        reason = response.reason_code
        if not reason or request.path == _PROBE:
            return
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if isinstance(request, web.Request):
            request = self._forwarded.resolve(request)
        entry = {
            "time": now(),
            "event": "refused",
            "method": request.method[:_MOST],
            "path": request.path[:_MOST],
            "client": request.remote,
            "status": response.status,
            "reason": reason,
            "detail": response.detail[:_MOST],
        }
        trace_refusal(entry, request.headers)
        if not self.is_logged:
            return
        # The log's rate is limited per logger: many refusals of one kind must not hide others.
        logging.getLogger(f"forstcore.refused.{reason}").warning(
            json.dumps(entry), extra={"is_json": True}
        )
