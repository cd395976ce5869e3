"""Applications that pipe streams through, for uvicorn to run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

from forstcore import ForstStreamingClient, StreamingIntegration

client = ForstStreamingClient(os.environ["FORST_URL"])
bare = StreamingIntegration(client).asgi
route = Route("/stream", bare, methods=["POST"])


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with client:
        yield


starlette = Starlette(routes=[route], lifespan=lifespan)
fastapi = FastAPI(lifespan=lifespan)
fastapi.router.routes.append(route)
