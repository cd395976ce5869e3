"""A FastAPI app whose `POST /process` streams its body through forstcore in both directions.

pip install forstcore fastapi uvicorn
FORST_URL=http://127.0.0.1:8080 uvicorn --app-dir examples/fastapi app:app --port 8000
curl -sN -X POST -T examples/records.ndjson http://127.0.0.1:8000/process
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from forstcore import ForstStreamingClient, StreamingIntegration

client = ForstStreamingClient(
    os.environ.get("FORST_URL", "http://127.0.0.1:8080"), token=os.environ.get("FORST_TOKEN")
)
integration = StreamingIntegration(client)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with client:
        yield


app = FastAPI(lifespan=lifespan)
# A plain route, because a FastAPI path function is called only after the whole body has arrived.
app.router.routes.append(Route("/process", integration.asgi, methods=["POST"]))
