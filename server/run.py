"""The life of the server process: listen, wait for a signal, end every stream."""

from __future__ import annotations

import asyncio
import signal

from aiohttp import http_parser, web

from server.app import build_app

__all__ = ["serve"]

if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
    # The pure Python parser is slow and more lenient with malformed messages.
    raise ImportError("aiohttp came without its compiled HTTP parser")


async def serve(*, host: str, port: int, max_line_size: int, drain_timeout: float) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        host: address to listen on.
        port: TCP port, 0 for any that is free.
        max_line_size: longest input line in bytes.
        drain_timeout: how long open streams may go on after a signal, in seconds.

    Raises:
        OSError: the address cannot be listened on.
    """
    runner = web.AppRunner(
        build_app(max_line_size=max_line_size),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=drain_timeout,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        stop = _stop_on_signals()
        for address in runner.addresses:
            print(f"forstcore listens on http://{address[0]}:{address[1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            # Windows: Ctrl-C arrives as KeyboardInterrupt instead.
            break
    return stop
