"""Shared by the aiohttp peers: command line, application and ready line."""

import argparse
import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

ENDPOINT: Final = "/streaming-process"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def open_response(request: web.Request) -> web.StreamResponse:
    """Send the head of a streamed response."""
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    return response


async def _serve(handler: Handler, port: int) -> None:
    application = web.Application()
    application.router.add_post(ENDPOINT, handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


def main(handler: Handler, description: str) -> None:
    """Serve one handler at the endpoint until interrupted."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True, help="TCP port on 127.0.0.1")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(handler, options.port))
