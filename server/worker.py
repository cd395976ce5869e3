"""A server process: serve until a signal, then end every stream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from aiohttp import web

from forstcore._heap import keep_freed
from forstcore._tracing import start_tracing, stop_tracing
from server.app import build_app
from server.background import log_failure
from server.config import ServerConfig
from server.http.acceptor import Acceptor
from server.http.body_protocol import is_supported
from server.http.connections import Connection, Slot
from server.http.descriptor_limit import raise_descriptor_limit
from server.http.internals import missing
from server.http.read_ahead import ReadAhead
from server.http.request_handler import RequestHandler
from server.http.worker_loads import LOADS_VARIABLE, WorkerLoads
from server.live.feed_registry import worker_number
from server.observe.log_limit import limit_logging
from server.pipelines.registry import PIPELINES
from server.process.certificate_dates import warn_of_dates
from server.process.event_loop import set_idle_check
from server.process.listen import tls_context
from server.process.notify import ServiceManager
from server.process.ready import address_of, announce
from server.process.reload import Reloader
from server.process.reload_processors import report_compilation
from server.process.reload_reports import (
    RELOADS_VARIABLE,
    Message,
    ReloadReports,
    log_messages,
)
from server.process.supervisor_pipe import SupervisorPipe
from server.streams.registry import REGISTRY, StreamRegistry

__all__ = ["EXIT_TIMEOUT", "serve"]

_LOGGER = logging.getLogger("forstcore")
_KEPT = 4 << 20  # Bytes of freed memory to keep, enough for a batch.
EXIT_TIMEOUT = 10.0
"""Seconds after the last timeout of a stream until a worker must have exited."""

_LINGER = 5.0  # Seconds for a client that is still sending to receive an error response.


async def serve(
    config: ServerConfig,
    listeners: Sequence[socket.socket],
    *,
    supervisor: SupervisorPipe | None,
    read: Callable[[], ServerConfig],
    service: ServiceManager,
) -> bool:
    """Serve until SIGINT or SIGTERM and `drain_delay` longer, then end every stream.

    Args:
        config: the configuration.
        listeners: the sockets to accept on.
        supervisor: the pipe from the supervisor if this is one of several processes, which then
            announces nothing.
        read: reads the configuration again.
        service: the service manager; of the supervisor, if this is a worker.

    Returns:
        Whether all threads have ended. A processor that still runs would block the exit.

    Raises:
        LoadError: the processors cannot be loaded.
        OSError: the TLS files cannot be used.
    """
    raise_descriptor_limit()
    keep_freed(_KEPT)
    loop = asyncio.get_running_loop()
    log_limit = limit_logging(loop)
    if config.tracing:
        start_tracing()
    for limitation in missing(loop):
        _LOGGER.warning(limitation)
    app = build_app(config)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    try:
        await runner.setup()
        await _accept(
            config, listeners, app, runner, supervisor=supervisor, read=read, service=service
        )
    finally:
        try:
            await log_failure("closing the application", runner.cleanup())
        finally:
            has_ended = app[REGISTRY].close()
            stop_tracing()
            log_limit.report()
    return has_ended


async def _accept(
    config: ServerConfig,
    listeners: Sequence[socket.socket],
    app: web.Application,
    runner: web.AppRunner,
    *,
    supervisor: SupervisorPipe | None,
    read: Callable[[], ServerConfig],
    service: ServiceManager,
) -> None:
    """Accept connections until a signal, then let the streams end."""
    loop = asyncio.get_running_loop()
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

    is_first = worker_number() == 1
    report_compilation(app[REGISTRY], is_logged=is_first)
    tls = tls_context(config)
    if is_first:
        warn_of_dates(config.tls_cert, tls)
    loads = _shared_loads(config, app[REGISTRY]) if supervisor is not None else None
    acceptor = Acceptor(listeners, connections, make_connection, tls, config.header_timeout, loads)
    try:
        stop = _stop_on_signals()
        if supervisor is not None:
            report = partial(
                ReloadReports(int(os.environ[RELOADS_VARIABLE])).write, worker_number() - 1
            )
            reloader = Reloader(app, acceptor, read, lambda: None, report, is_first=is_first)
            timeout = config.drain_delay + config.drain_timeout + EXIT_TIMEOUT
            supervisor.listen(reloader.request, stop.set, timeout)
        else:
            address = address_of(config, listeners[0])
            is_ready = partial(service.is_ready, address)

            def has_reloaded(_count: int, messages: Sequence[Message]) -> None:
                log_messages(messages)
                is_ready()

            reloader = Reloader(
                app, acceptor, read, service.is_reloading, has_reloaded, is_first=True
            )
            if hasattr(signal, "SIGHUP"):
                loop.add_signal_handler(signal.SIGHUP, reloader.request)
            announce(config, address)
            is_ready()
        async with _watched(service):
            await stop.wait()
        service.is_stopping()
        app[REGISTRY].leaving = True
        app[PIPELINES].leave()
        # Closing the sockets resets the connections in their queues.
        await asyncio.sleep(config.drain_delay)
    finally:
        await acceptor.close()
        if loads is not None:
            loads.withdraw()
        await app[REGISTRY].drain(config.drain_timeout)


@contextlib.asynccontextmanager
async def _watched(service: ServiceManager) -> AsyncIterator[None]:
    """Reset the watchdog of the service manager, if it has one, while the event loop runs."""
    if (interval := service.watchdog_interval) is None:
        yield
        return

    async def reset() -> None:
        while True:
            service.is_alive()
            await asyncio.sleep(interval)

    task = asyncio.create_task(reset())
    try:
        yield
    finally:
        task.cancel()


def _shared_loads(config: ServerConfig, registry: StreamRegistry) -> WorkerLoads:
    """Publish the load of this worker whenever it changes."""
    loads = WorkerLoads(int(os.environ[LOADS_VARIABLE]), config.processes, worker_number() - 1)

    def publish() -> None:
        loads.publish(registry.load)

    registry.connections.on_change = publish
    publish()
    return loads


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def terminate(_number: int, _frame: object) -> None:
        with contextlib.suppress(RuntimeError):  # The event loop is closed, and the process exits.
            loop.call_soon_threadsafe(stop.set)

    # When it closes, the event loop restores the defaults of its own handlers. Then another SIGTERM
    # would end the process before it has removed its socket, and with another status.
    signal.signal(signal.SIGTERM, terminate)
    with contextlib.suppress(NotImplementedError):
        # On Windows, Ctrl-C raises KeyboardInterrupt instead.
        loop.add_signal_handler(signal.SIGINT, stop.set)
    return stop
