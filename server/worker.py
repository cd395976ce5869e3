"""The life of a server process: listen, wait for a signal, end every stream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import tempfile
from functools import partial

from aiohttp import web

from forstcore._heap import keep_freed
from server.app import build_app
from server.background import told
from server.config import ServerConfig
from server.http.acceptor import Acceptor
from server.http.access import ACCESS_POLICY
from server.http.body_protocol import is_supported
from server.http.connections import Connection, Slot
from server.http.descriptors import raise_descriptor_limit
from server.http.internals import missing
from server.http.protocol import RequestHandler
from server.http.read_ahead import ReadAhead
from server.observe.log_limit import limit_logging
from server.process.event_loop import set_idle_check
from server.process.hangup import load_again
from server.process.listen import tls_context
from server.process.parent import listen_to_parent
from server.streams.registry import REGISTRY

__all__ = ["LAST_PATIENCE", "address_of", "serve"]

_LOGGER = logging.getLogger("forstcore")
_KEPT = 4 << 20  # Bytes of freed memory for the batches of all streams, one at a time.
LAST_PATIENCE = 10.0
"""Seconds behind the last time-out of a stream after which a worker has to be gone."""

_LINGER = 5.0  # Seconds in which a client that was refused may notice while it still sends.


async def serve(config: ServerConfig, listener: socket.socket, *, worker: bool) -> bool:
    """Serve until SIGINT or SIGTERM and `drain_delay` longer, then end every stream.

    Args:
        config: the configuration.
        listener: the socket to accept on.
        worker: whether this is one of several processes: it says nothing, and stops when
            standard input ends.

    Returns:
        Whether all threads have ended. A processor that goes on in one of them would hold up
        the end of the process.

    Raises:
        LoadError: the processors cannot be loaded.
        OSError: the TLS files cannot be used.
    """
    raise_descriptor_limit()
    with contextlib.suppress(OSError):
        # Python looks for it once, by writing files: not when descriptors or disks are full.
        tempfile.gettempdir()
    keep_freed(_KEPT)
    loop = asyncio.get_running_loop()
    log_limit = limit_logging(loop)
    for cost in missing(loop):
        _LOGGER.warning(cost)
    app = build_app(config)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    manager = runner.server
    if manager is None:
        raise RuntimeError("the runner has no server after its setup")

    ahead = ReadAhead()
    RequestHandler.holds_bodies = config.takeover == "on" or (
        config.takeover == "auto" and is_supported()
    )
    connections = app[REGISTRY].connections
    set_idle_check(connections.is_idle)

    def make_connection(slot: Slot) -> Connection:
        return Connection(
            connections,
            slot,
            manager,
            ahead,
            loop=loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=config.header_timeout,
            lingering_time=_LINGER,
            max_line_size=config.max_header_size,
            max_field_size=config.max_header_size,
        )

    acceptor = Acceptor(
        listener, connections, make_connection, tls_context(config), config.header_timeout
    )
    stop = _stop_on_signals()
    again = partial(load_again, config, app[ACCESS_POLICY], acceptor)
    if worker:
        patience = config.drain_delay + config.drain_timeout + LAST_PATIENCE
        listen_to_parent(again, stop.set, patience)
    else:
        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, again)
        print(f"forstcore listens on {address_of(config, listener)}", flush=True)
    try:
        await stop.wait()
        app[REGISTRY].leaving = True
        # A socket that is closed at once loses the connections that wait to be accepted.
        await asyncio.sleep(config.drain_delay)
    finally:
        await acceptor.close()
        try:
            await app[REGISTRY].drain(config.drain_timeout)
            await told("the end of the application", runner.cleanup())
        finally:
            # Whatever has happened before: lines wait to be written, and threads to be let go.
            has_ended = app[REGISTRY].close()
            log_limit.tell()
    return has_ended


def address_of(config: ServerConfig, listener: socket.socket) -> str:
    """Name the address of a listening socket as a URL."""
    if config.unix_socket:
        return f"unix:{config.unix_socket}"
    host, port = listener.getsockname()[:2]
    scheme = "https" if config.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


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
