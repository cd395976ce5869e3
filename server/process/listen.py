"""Where to listen: sockets and TLS, and what is refused as too open."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from server.config import ServerConfig
from server.http.access import is_loopback

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["check_exposure", "identity", "open_socket", "remove_unix", "tls_context"]

_BACKLOG = 1024  # Connections that may wait to be accepted.


def check_exposure(config: ServerConfig) -> None:
    """Raise ValueError if strangers could use the server without having been asked to."""
    if config.unix_socket and "\0" in config.unix_socket:
        # Linux has sockets without a file, which every user of the machine may connect to.
        raise ValueError("unix_socket must be the path of a file")
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
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _open_unix(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _starting_alone(path):
            with contextlib.suppress(FileNotFoundError):
                # Not through a link, which may lead to the socket of another program.
                if stat.S_ISSOCK(os.lstat(path).st_mode) and not _answers(path):
                    Path(path).unlink()
            # Nobody else may connect, not even between bind and chmod.
            before = os.umask(0o177)
            try:
                listener.bind(path)
            finally:
                os.umask(before)
            listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def _starting_alone(path: str) -> Iterator[None]:
    """Let one process at a time look at sockets in a directory, and replace them.

    Otherwise a server could take the socket of one that is just starting for a stale one.
    """
    directory = os.open(Path(path).parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            # Some network file systems have no locks.
            fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def identity(path: str) -> tuple[int, int]:
    """Return what tells the file at a path from one that takes its place later."""
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def remove_unix(path: str, made: tuple[int, int]) -> None:
    """Remove a Unix socket at the end, unless another server's is there by now.

    Args:
        path: where it was made.
        made: its `identity` then.
    """
    with contextlib.suppress(OSError), _starting_alone(path):
        if identity(path) == made:
            Path(path).unlink()


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
    context.load_cert_chain(config.tls_cert, config.tls_key, _no_password)
    if config.tls_client_ca:
        context.load_verify_locations(config.tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    """Refuse a key that is encrypted, instead of asking the terminal of a server."""
    raise OSError("the key in tls_key is encrypted, and there is nobody to ask for its password")
