"""Where to listen: sockets and TLS, and what is refused as too open."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from pathlib import Path

from server.auth import is_loopback
from server.config import ServerConfig

__all__ = ["BACKLOG", "check_exposure", "open_socket", "tls_context"]

BACKLOG = 1024
"""Connections that may wait to be accepted."""


def check_exposure(config: ServerConfig) -> None:
    """Raise ValueError if strangers could use the server without having been asked to."""
    guarded = config.token is not None or config.tls_client_ca is not None
    if config.unix_socket or is_loopback(config.host) or guarded or config.insecure:
        return
    raise ValueError(
        f"host {config.host} is in reach of other machines: set token_file or tls_client_ca, "
        "or insecure if that is meant"
    )


def open_socket(config: ServerConfig) -> socket.socket:
    """Listen on the configured address.

    Raises:
        OSError: it cannot be listened on.
    """
    if config.unix_socket:
        return _open_unix(config.unix_socket)
    family, kind, protocol, _, address = socket.getaddrinfo(
        config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _open_unix(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if Path(path).is_socket() and not _answers(path):
            Path(path).unlink()
    listener = socket.socket(socket.AF_UNIX)
    # Nobody else may connect, not even between bind and chmod.
    before = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return listener


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        # A server that is busy answers "try again"; only one that is gone refuses.
        return probe.connect_ex(path) != errno.ECONNREFUSED


def tls_context(config: ServerConfig) -> ssl.SSLContext | None:
    """Make the TLS context, None without TLS.

    Raises:
        OSError: a file cannot be read or is not what it should be.
    """
    if not config.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.tls_cert, config.tls_key)
    if config.tls_client_ca:
        context.load_verify_locations(config.tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
