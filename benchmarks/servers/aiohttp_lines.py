"""A simple server with aiohttp and orjson: one line and one write at a time."""

import orjson
from aiohttp import web

from benchmarks.servers import serve


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer each line with the result of its record."""
    response = await serve.open_response(request)
    async for line in request.content:
        record = orjson.loads(line)
        await response.write(orjson.dumps(record) + b"\n")
    await response.write_eof()
    return response


if __name__ == "__main__":
    serve.main(handle, "Return records a line at a time with aiohttp and orjson.")
