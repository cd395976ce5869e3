"""Ask the server of a container whether it is healthy: `python -m server.healthcheck`.

The server is found by the arguments of process 1, which a container starts, and by the environment
that both have: it may listen on another port, on a Unix socket, or with TLS.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys
from pathlib import Path

from server.config import ServerConfig, load_config

__all__ = ["is_healthy", "main", "server_arguments"]

_TIMEOUT = 3.0  # Seconds.
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def main() -> int:
    """Return the exit status: 0 if the server is healthy, otherwise 1."""
    try:
        command = Path("/proc/1/cmdline").read_bytes()
        config = load_config(server_arguments(command), os.environ)
        healthy = is_healthy(config)
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"the server is not healthy: {error}", file=sys.stderr)
        return 1
    return 0 if healthy else 1


def server_arguments(command: bytes) -> list[str]:
    """Return the arguments of the server in a command line, whose parts end with NUL."""
    parts = [os.fsdecode(each) for each in command.split(b"\0")[:-1]]
    for i, part in enumerate(parts):
        if part == "serve" or parts[max(i - 1, 0) : i + 1] == ["-m", "server"]:
            return parts[i + 1 :]
    return []


def is_healthy(config: ServerConfig) -> bool:
    """Return whether the server with this configuration answers.

    With certificates of clients, which this one does not have, it only has to accept connections.

    Raises:
        OSError, http.client.HTTPException: it does not.
    """
    with _connect(config) as connection:
        if config.tls_client_ca:
            return True
        if config.tls_cert:
            # It is this container's own server, whatever name its certificate is for.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            with context.wrap_socket(connection) as secured:
                return _asks(secured)
        return _asks(connection)


def _connect(config: ServerConfig) -> socket.socket:
    if not config.unix_socket:
        host = _ANY_ADDRESS.get(config.host, config.host)
        return socket.create_connection((host, config.port), _TIMEOUT)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT)
    try:
        connection.connect(config.unix_socket)
    except OSError:
        connection.close()
        raise
    return connection


def _asks(connection: socket.socket) -> bool:
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status == 200


if __name__ == "__main__":
    sys.exit(main())
