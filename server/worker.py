"""A server process: serve until a signal, then end every stream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import tempfile
from functools import partial

from aiohttp import web

from forstcore._heap import keep_freed
from forstcore._tracing import start_tracing, stop_tracing
from server.app import build_app
from server.background import log_failure
from server.config import ServerConfig
from server.http.acceptor import Acceptor
from server.http.access import ACCESS_POLICY
from server.http.body_protocol import is_supported
from server.http.connections import Connection, Slot
from server.http.descriptor_limit import raise_descriptor_limit
from server.http.internals import missing
from server.http.read_ahead import ReadAhead
from server.http.request_handler import RequestHandler
from server.live.feed_registry import WORKER_VARIABLE
from server.observe.log_limit import limit_logging
from server.pipelines.registry import PIPELINES
from server.process.event_loop import set_idle_check
from server.process.listen import tls_context
from server.process.ready import announce
from server.process.reload_credentials import reload_credentials
from server.process.reload_processors import report_compilation
from server.process.supervisor_pipe import listen_to_supervisor
from server.streams.registry import REGISTRY

__all__ = ["EXIT_TIMEOUT", "serve"]

_LOGGER = logging.getLogger("forstcore")
_KEPT = 4 << 20  # Bytes of freed memory to keep, enough for a batch.
EXIT_TIMEOUT = 10.0
"""Seconds after the last timeout of a stream until a worker must have exited."""

_LINGER = 5.0  # Seconds for a client that is still sending to receive an error response.


async def serve(config: ServerConfig, listener: socket.socket, *, worker: bool) -> bool:
    """Serve until SIGINT or SIGTERM and `drain_delay` longer, then end every stream.

    Args:
        config: the configuration.
        listener: the socket to accept on.
        worker: whether this is one of several processes: it prints nothing, and takes messages of
            the supervisor from standard input.

    Returns:
        Whether all threads have ended. A processor that still runs would block the exit.

    Raises:
        LoadError: the processors cannot be loaded.
        OSError: the TLS files cannot be used.
    """
    raise_descriptor_limit()
    with contextlib.suppress(OSError):
        # Python determines this directory once, by writing a file, which could fail later.
        tempfile.gettempdir()
    keep_freed(_KEPT)
    loop = asyncio.get_running_loop()
    log_limit = limit_logging(loop)
    if config.tracing:
        start_tracing()
    for limitation in missing(loop):
        _LOGGER.warning(limitation)
    app = build_app(config)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    manager = runner.server
    if manager is None:
        raise RuntimeError("the runner has no server after its setup")

    read_ahead = ReadAhead()
    RequestHandler.holds_bodies = config.takeover == "on" or (
        config.takeover == "auto" and is_supported()
    )
    connections = app[REGISTRY].connections
    set_idle_check(connections.is_idle)

    def make_connection(slot: Slot) -> Connection:
        return Connection(
            connections,
            app[REGISTRY].refusals,
            slot,
            manager,
            read_ahead,
            loop=loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=config.header_timeout,
            lingering_time=_LINGER,
            max_line_size=config.max_header_size,
            max_field_size=config.max_header_size,
        )

    is_first = os.environ.get(WORKER_VARIABLE, "1") == "1"
    report_compilation(app[REGISTRY], is_logged=is_first)
    acceptor = Acceptor(
        listener, connections, make_connection, tls_context(config), config.header_timeout
    )
    stop = _stop_on_signals()
    reload = partial(reload_credentials, config, app[ACCESS_POLICY], acceptor)
    if worker:
        timeout = config.drain_delay + config.drain_timeout + EXIT_TIMEOUT
        listen_to_supervisor(reload, stop.set, timeout)
    else:
        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, reload)
        announce(config, listener)
    try:
        await stop.wait()
        app[REGISTRY].leaving = True
        app[PIPELINES].leave()
        # Closing the socket resets the connections in its queue.
        await asyncio.sleep(config.drain_delay)
    finally:
        await acceptor.close()
        try:
            await app[REGISTRY].drain(config.drain_timeout)
            await log_failure("closing the application", runner.cleanup())
        finally:
            has_ended = app[REGISTRY].close()
            stop_tracing()
            log_limit.report()
    return has_ended


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            # On Windows, Ctrl-C raises KeyboardInterrupt instead.
            break
    return stop
