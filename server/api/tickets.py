"""`POST /tickets`: tickets for pages, which cannot send the token of the server."""

from __future__ import annotations

from aiohttp import web

from server.http.access import ACCESS_POLICY, TICKET_SECONDS

__all__ = ["issue_ticket"]


async def issue_ticket(request: web.Request) -> web.Response:
    """Answer `POST /tickets`."""
    return web.json_response(
        {"ticket": request.app[ACCESS_POLICY].ticket(), "expires_in": TICKET_SECONDS},
        headers={"Cache-Control": "no-store"},
    )
