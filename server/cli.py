"""The command line of the server, `forstcore serve`."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

__all__ = ["main"]

_BROKEN_PIPE = 141  # The exit status of a process that SIGPIPE ended, in shells.
# Errors of an address that are the same at the next attempt.
_WRONG_ADDRESS = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP}

_REMEDIES = {
    errno.EADDRINUSE: "; choose another port with --port or FORSTCORE_PORT",
    errno.EADDRNOTAVAIL: "; this machine does not have it",
    errno.EACCES: "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE",
}
_REMEDIES_OF_SOCKETS = {errno.EADDRINUSE: "; another server listens there"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until SIGINT or SIGTERM.

    Args:
        argv: the arguments; those of the process if None.

    Returns:
        The exit status: 0 after a signal, 1 if the server could not start, 2 for an invalid
        configuration.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        from forstcore._importing import without_collecting
        from forstcore._json_log import print_json, wants_json

        if wants_json(arguments, os.environ):
            print_json()
        with without_collecting():
            from forstcore._tracing import check_tracing
            from forstcore.errors import LoadError, PipelineConfigError, SourceError
            from server.app import build_app
            from server.config import config_file, load_config, show_config
            from server.errors import in_words
            from server.http import internals
            from server.observe.metrics_files import METRICS_VARIABLE, hold_metrics, release_metrics
            from server.observe.nonblocking_output import own_output, start_logging
            from server.process.error_file_check import check_error_file
            from server.process.event_loop import run
            from server.process.listen import (
                check_exposure,
                identity,
                open_sockets,
                remove_unix,
                tls_context,
            )
            from server.process.notify import ServiceManager
            from server.process.parent import end_with_parent
            from server.process.supervisor_pipe import SupervisorPipe
            from server.process.temporary_files import check_spool_directory
            from server.supervisor import LISTENER_VARIABLE, supervise
            from server.worker import serve

        internals.check()
    except ImportError as error:
        return _fail(f"cannot load the compiled core or a library: {error}")
    try:
        config = load_config(arguments, os.environ)
        if "--print-config" in arguments:
            return _print(show_config(config))
        if config.log_format == "json":
            print_json()
        check_exposure(config)
        tls_context(config)
        if config.tracing:
            check_tracing()
        if LISTENER_VARIABLE not in os.environ:
            check_spool_directory(config)
        check_error_file(config, config_file(arguments, os.environ))
    except (OSError, ValueError) as error:
        return _fail(in_words(error), 2)

    start_logging(is_json=config.log_format == "json")
    read = partial(load_config, arguments, os.environ.copy())
    service = ServiceManager(os.environ)
    if LISTENER_VARIABLE in os.environ:
        listeners = [
            socket.socket(fileno=int(number)) for number in os.environ[LISTENER_VARIABLE].split(",")
        ]
        pipe = SupervisorPipe()
        metrics = os.environ[METRICS_VARIABLE]
        lock = hold_metrics(metrics)
        try:
            ended = run(serve(config, listeners, supervisor=pipe, read=read, service=service))
        finally:
            # Its lock would keep the directory.
            pipe.wait_for_killed_supervisor()
            release_metrics(metrics, lock)
        if not ended:
            _exit_now()
        return 0
    if config.processes > 1 and os.name != "posix":
        return _fail("processes must be 1 on this system", 2)
    if config.worker_kind == "processes" and os.name != "posix":
        return _fail("worker_kind must be threads on this system", 2)
    if config.end_with_parent:
        if os.name != "posix":
            return _fail("end_with_parent must be false on this system", 2)
        end_with_parent()
    # Until the server handles it: by default, it would end the process and leave the Unix socket.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        listeners = open_sockets(config)
    except OSError as error:
        address = config.unix_socket or f"{config.host}:{config.port}"
        if error.errno is None or isinstance(error, socket.gaierror):
            # The path of a socket is too long, or a name has no address.
            return _fail(f"cannot listen on {address}: {error.strerror or error}", 2)
        remedies = _REMEDIES_OF_SOCKETS if config.unix_socket else _REMEDIES
        remedy = remedies.get(error.errno, "")
        status = 2 if error.errno in _WRONG_ADDRESS else 1
        return _fail(f"cannot listen on {address}: {os.strerror(error.errno)}{remedy}", status)
    except KeyboardInterrupt:
        return 0
    created = identity(config.unix_socket) if config.unix_socket else (0, 0)
    ended = True
    try:
        if config.processes > 1:
            # Each worker loads the processors. Here, errors are reported once.
            build_app(config)
            try:
                return supervise(config, listeners, arguments, service)
            except OSError as error:
                return _fail(f"cannot start worker processes: {error}")
        ended = run(serve(config, listeners, supervisor=None, read=read, service=service))
    except (LoadError, PipelineConfigError, SourceError) as error:
        with own_output():
            return _fail(str(error), 2)
    except KeyboardInterrupt:
        pass
    finally:
        for listener in listeners:
            listener.close()
        if config.unix_socket:
            remove_unix(config.unix_socket, created)
    if not ended:
        _exit_now()
    return 0


def _exit_now() -> NoReturn:
    """Exit without waiting for a thread that still runs a processor."""
    from server.observe.nonblocking_output import flush_output, own_output

    with own_output():
        _fail("a processor did not end in time, and was stopped")
    flush_output()
    os._exit(1)


def _print(text: str) -> int:
    try:
        print(text, flush=True)
    except OSError as error:
        # Otherwise the rest of the buffer would cause another error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return _BROKEN_PIPE
        return _fail(f"cannot write the configuration: {error.strerror}")
    return 0


def _fail(reason: str, status: int = 1) -> int:
    print(f"forstcore: {reason}", file=sys.stderr)
    return status
