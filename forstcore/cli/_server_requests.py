"""Requests to a server that are answered with JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp

from forstcore.client import ForstStreamingClient
from forstcore.errors import RequestRefusedError

__all__ = ["request_json"]


async def request_json(
    client: ForstStreamingClient,
    method: str,
    path: str,
    *,
    token: str | None,
    limits: aiohttp.ClientTimeout,
    headers: Mapping[str, str] | None = None,
    body: AsyncGenerator[bytes, None] | None = None,
) -> Any:
    """Send a request, and return the JSON of its answer.

    Args:
        client: a client of the server.
        method: method of the request.
        path: path of the request.
        token: the server's bearer token.
        limits: time limits.
        headers: additional headers.
        body: the body, if there is one.

    Raises:
        RequestRefusedError: the answer has another status than 200, or is no JSON.
        aiohttp.ClientError, OSError: there is no answer.
    """
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    async with client.session().request(
        method,
        client.target.url(path),
        data=body,
        headers={**authorization, **(headers or {})},
        allow_redirects=False,
        timeout=limits,
    ) as response:
        text = await response.read()
        if response.status != 200:
            raise RequestRefusedError(response.status, _detail(text))
        try:
            return json.loads(text)
        except ValueError:
            raise RequestRefusedError(200, "it is not a forstcore server") from None


def _detail(text: bytes) -> str:
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return text[:200].decode(errors="replace")
