"""Listening sockets and the TLS context; refusing to listen without protection."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from server.config import ServerConfig
from server.http.access import is_loopback

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["check_exposure", "identity", "open_sockets", "remove_unix", "tls_context"]

_BACKLOG = 1024  # Connections in the queue of the socket.
_ATTEMPTS = 10  # To find a port that is free on each address.
_LONGEST_LOCK = 2.0  # Seconds to wait for a lock, which servers need for a moment.
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

_Address = tuple[socket.AddressFamily, tuple[object, ...]]


def check_exposure(config: ServerConfig) -> None:
    """Raise ValueError if anybody could use the server, unless the configuration allows that."""
    is_protected = config.token is not None or config.tls_client_ca is not None
    if config.unix_socket or is_loopback(config.host) or is_protected or config.insecure:
        return
    raise ValueError(
        f"other machines can reach host {config.host}: set token_file or tls_client_ca, "
        "or insecure to allow that"
    )


def open_sockets(config: ServerConfig) -> list[socket.socket]:
    """Listen on the configured address: on each that a name has, such as 127.0.0.1 and ::1.

    All have the same port. Addresses that the machine lacks are left out if it has another.

    Raises:
        OSError: an address cannot be used.
    """
    if config.unix_socket:
        return [_open_unix(config.unix_socket)]
    # Browsers do not look up this name (RFC 6761, section 6.3), whatever the hosts file says.
    names = ("127.0.0.1", "::1") if config.host == "localhost" else (config.host,)
    # A name that is listed twice has its address twice.
    addresses = list(dict.fromkeys(address for name in names for address in _addresses(name)))
    attempts = _ATTEMPTS
    while True:
        try:
            return _open_all(addresses, config.port)
        except OSError as error:
            attempts -= 1
            # The port that was free on the first address may be in use on another.
            is_other_port_possible = config.port == 0 and error.errno == errno.EADDRINUSE
            if not (attempts and is_other_port_possible):
                raise


def _addresses(name: str) -> Iterator[_Address]:
    for family, _, _, _, address in socket.getaddrinfo(
        name, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        yield family, address


def _open_all(addresses: Sequence[_Address], port: int) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    with contextlib.ExitStack() as closing:
        for number, (family, (host, _, *rest)) in enumerate(addresses, 1):
            try:
                listener = _open_tcp(family, (host, port, *rest))
            except OSError as error:
                is_any_left = bool(listeners) or number < len(addresses)
                if not is_any_left or error.errno not in _ABSENT:
                    raise
            else:
                closing.callback(listener.close)
                listeners.append(listener)
                port = listener.getsockname()[1]
        closing.pop_all()
    return listeners


def _open_tcp(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
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
        with _locked_directory(path):
            with contextlib.suppress(FileNotFoundError):
                # Without following links, which may lead to the socket of another program.
                if not stat.S_ISSOCK(os.lstat(path).st_mode):
                    raise OSError("there is a file or directory of this name, which is no socket")
                if not _has_server(path):
                    Path(path).unlink()
            # No other user may connect, not even before a chmod.
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
def _locked_directory(path: str) -> Iterator[None]:
    """Lock the directory of a socket while checking and replacing the socket.

    Otherwise, a server could mistake the socket of another that is just starting for a stale one.
    """
    directory = os.open(Path(path).parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Other programs can lock the directory, too, and some file systems do not support locks.
        with contextlib.suppress(OSError):
            _lock(directory, time.monotonic() + _LONGEST_LOCK)
        yield
    finally:
        os.close(directory)


def _lock(directory: int, deadline: float) -> None:
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.02)


def identity(path: str) -> tuple[int, int]:
    """Return what distinguishes the file at a path from another that replaces it."""
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def remove_unix(path: str, created: tuple[int, int]) -> None:
    """Remove a Unix socket, unless another server has replaced it.

    Args:
        path: the path.
        created: the `identity` of the socket when it was created.
    """
    with contextlib.suppress(OSError), _locked_directory(path):
        if identity(path) == created:
            Path(path).unlink()


def _has_server(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        # If the server is busy, this fails with EAGAIN; it is refused only without a server.
        return probe.connect_ex(path) != errno.ECONNREFUSED


def tls_context(config: ServerConfig) -> ssl.SSLContext | None:
    """Create the TLS context, None without TLS.

    Raises:
        OSError: a file cannot be read or is invalid.
    """
    if not config.tls_cert:
        return None
    for name in ("tls_cert", "tls_key", "tls_client_ca"):
        if path := getattr(config, name):
            # The library does not name the file.
            _check_file(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, _no_password)
    except ssl.SSLError as error:
        is_malformed = "PEM" in (error.reason or "PEM")
        reason = "a PEM file is damaged" if is_malformed else "they do not match"
        raise OSError(f"tls_cert {config.tls_cert}, tls_key {config.tls_key}: {reason}") from None
    if config.tls_client_ca:
        try:
            context.load_verify_locations(config.tls_client_ca)
        except ssl.SSLError:
            raise OSError(f"tls_client_ca {config.tls_client_ca}: it is damaged") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_file(name: str, path: str) -> None:
    """Raise OSError unless a file can be read and has what the option needs."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise OSError(f"{name}: cannot read {path}: {error.strerror}") from None
    needed = b"PRIVATE KEY" if name == "tls_key" else b"CERTIFICATE"
    if needed + b"-----" not in text:
        raise OSError(f"{name} {path}: it is no PEM file with a {needed.decode().lower()}")


def _no_password() -> str:
    """Refuse an encrypted key, instead of prompting for its password."""
    raise OSError("the key in tls_key is encrypted; the server cannot ask for its password")
