"""The line on standard output that says where the server listens."""

from __future__ import annotations

import json
import os
import socket

from forstcore._version import VERSION
from server.config import ServerConfig
from server.observe.nonblocking_output import own_output

__all__ = ["address_of", "announce"]


def announce(config: ServerConfig, address: str) -> None:
    """Print where the server listens, in the format that the configuration names."""
    line = f"forstcore listens on {address}"
    if config.ready_line == "json":
        line = json.dumps(
            {"event": "ready", "address": address, "pid": os.getpid(), "version": VERSION}
        )
    with own_output():
        print(line, flush=True)


def address_of(config: ServerConfig, listener: socket.socket) -> str:
    """Return where the server listens, as a URL or the path of a Unix socket."""
    if config.unix_socket:
        return f"unix:{config.unix_socket}"
    host, port = listener.getsockname()[:2]
    scheme = "https" if config.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
