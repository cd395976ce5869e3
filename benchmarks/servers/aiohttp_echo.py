"""An aiohttp server that echoes its input without parsing: the upper limit of aiohttp's API."""

from aiohttp import web

from benchmarks.servers import serve


async def echo(request: web.Request) -> web.StreamResponse:
    """Send each piece of the body back as it arrives."""
    response = await serve.open_response(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    await response.write_eof()
    return response


if __name__ == "__main__":
    serve.main(echo, "Echo streamed bodies through aiohttp.")
