"""An HTTP server that receives results, sometimes fails, and is killed: `receiver.py PORT LOG`.

Results that it answers with 2xx are in the log. After another answer, or none, they may be; the
numbers of those that will come again because of such an answer are in the file `LOG.again`.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from aiohttp import web

_TROUBLE = 0.05  # Share of the requests that are not answered with 2xx at once.
_LATE = 3.0  # Seconds after which some of them are answered: more than the sink waits.
_MAX_BODY = 64 << 20


def main() -> None:
    """Serve until the process ends."""
    port, log = int(sys.argv[1]), Path(sys.argv[2])
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    written = log.read_bytes()
    # A killed process may have written half of a request, which it did not answer.
    os.ftruncate(descriptor, written.rfind(b"\n") + 1)
    chance = random.Random(len(written))

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        trouble = chance.choice(("before", "after", "late", "cut"))
        if chance.random() > _TROUBLE:
            trouble = ""
        if trouble == "before":
            return web.Response(status=503)
        if trouble:
            with log.with_name(f"{log.name}.again").open("a") as again:
                print(body.count(b"\n"), file=again)
        os.write(descriptor, body)
        if trouble == "cut" and request.transport is not None:
            request.transport.abort()
        if trouble == "late":
            await asyncio.sleep(_LATE)
        return web.Response(status=500 if trouble == "after" else 204)

    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_post("/results", take)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main()
