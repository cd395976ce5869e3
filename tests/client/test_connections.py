"""Connecting to a server: Unix sockets, TLS, tokens, prefixes."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest

from forstcore import (
    ForstStreamingClient,
    RequestRefusedError,
    RetryConfig,
    StreamFailedError,
    StreamingConfig,
    StreamOptions,
)
from tests.certificates import Certificates, tls_options
from tests.servers import Server, StartServer, on_unix_socket

ENDPOINT = "/streaming-process"
TOKEN = "hush-4711"
QUICK = StreamingConfig(retry=RetryConfig(attempts=2, delay=0.01))


async def process_one(client: ForstStreamingClient, options: StreamOptions | None = None) -> str:
    try:
        async with client:
            records = [{"id": "1", "data": "x"}]
            stream = client.stream_to_forst(ENDPOINT, records, options)
            (result,) = [each async for each in stream]
            return result["result"]
    finally:
        # TLS closes the connection after the client; asyncio warns if the loop ends first.
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("encoded", [False, True])
def test_a_unix_socket(tmp_path: Path, encoded: bool) -> None:
    path = tmp_path / "forst.sock"
    url = f"http+unix://{quote(str(path), safe='')}" if encoded else f"http+unix://{path}"
    with on_unix_socket(path):
        assert asyncio.run(process_one(ForstStreamingClient(url))) == "processed_x"
    with pytest.raises(StreamFailedError) as caught:
        asyncio.run(process_one(ForstStreamingClient(url, QUICK)))
    # A server that restarts creates the socket again, so a later attempt may succeed.
    assert (caught.value.code, caught.value.retriable) == ("unreachable", True)


def test_tls(start_server: StartServer, certificates: Certificates) -> None:
    server = start_server(*tls_options(certificates))
    url = f"https://localhost:{server.port}"
    client = ForstStreamingClient(url, tls=certificates.client())
    assert asyncio.run(process_one(client)) == "processed_x"
    for stranger in (None, ssl.create_default_context()):
        with pytest.raises(StreamFailedError, match="certificate") as caught:
            asyncio.run(process_one(ForstStreamingClient(url, QUICK, tls=stranger)))
        assert (caught.value.code, caught.value.retriable) == ("unreachable", False)


def test_mutual_tls(start_server: StartServer, certificates: Certificates) -> None:
    friends = certificates.path("friend.pem")
    server = start_server(*tls_options(certificates), "--tls-client-ca", friends)
    url = f"https://localhost:{server.port}"
    client = ForstStreamingClient(url, tls=certificates.client("friend"))
    assert asyncio.run(process_one(client)) == "processed_x"
    for name in ("", "stranger"):
        client = ForstStreamingClient(url, QUICK, tls=certificates.client(name))
        with pytest.raises(StreamFailedError):
            asyncio.run(process_one(client))


def test_a_token(start_server: StartServer) -> None:
    server = start_server(env={"FORSTCORE_TOKEN": TOKEN})
    assert asyncio.run(process_one(ForstStreamingClient(server.url, token=TOKEN))) == "processed_x"
    options = StreamOptions(headers={"Authorization": f"Bearer {TOKEN}"})
    client = ForstStreamingClient(server.url, token="of somebody else")
    assert asyncio.run(process_one(client, options)) == "processed_x"
    for token in (None, "wrong"):
        with pytest.raises(RequestRefusedError, match="bearer token") as caught:
            asyncio.run(process_one(ForstStreamingClient(server.url, token=token)))
        assert caught.value.status == 401
        assert TOKEN not in str(caught.value)


def test_framing_headers_of_users_are_left_out(server: Server) -> None:
    headers = {
        "Transfer-Encoding": "chunked",
        "content-length": "3",
        "Content-Encoding": "br",
        "Host": "elsewhere.test",
        "Forst-Frames": "0",
    }
    client = ForstStreamingClient(server.url)
    assert asyncio.run(process_one(client, StreamOptions(headers=headers))) == "processed_x"


def test_a_path_before_the_endpoint(server: Server) -> None:
    client = ForstStreamingClient(f"{server.url}/streaming-process/")

    async def run() -> None:
        async with client:
            with pytest.raises(RequestRefusedError, match="'/streaming-process/more'"):
                await anext(client.stream_to_forst("more", []))

    asyncio.run(run())
