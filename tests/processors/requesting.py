"""Requests to the endpoints of processors."""

from __future__ import annotations

from tests.server.raw import RawStream
from tests.servers import Server

FRAMES = {"Forst-Frames": "1"}
EMIT = {"Forst-On-Error": "emit"}


def stream(server: Server, name: str, headers: dict[str, str] | None = None) -> RawStream:
    """Start a request to the endpoint of that name."""
    return RawStream((server.host, server.port), f"/{name}", headers)


def send(server: Server, name: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Send a whole body, and return the whole response."""
    with stream(server, name, headers) as request:
        request.send_and_end(body)
        assert request.read_head() == 200
        return request.read_rest()
